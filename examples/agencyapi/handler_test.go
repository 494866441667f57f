package agencyapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const agencyBase = "/Agencies/" + sid

// ask sends one request to h and decodes the JSON answer.
func ask(t *testing.T, h http.Handler, r *http.Request) (int, map[string]any) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var body map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatalf("%s %s: %v in %q", r.Method, r.URL, err, w.Body)
	}
	return w.Code, body
}

func TestAnswerSaysWhoCalled(t *testing.T) {
	r := request(http.MethodGet, agencyBase+"/Advertisers", nil)
	r.Header.Set("X-Counterfoil-Account", "1001")
	r.Header.Set("X-Counterfoil-Sid", sid)
	r.Header.Set("X-Counterfoil-Api", "agency")
	r.Header.Set("X-Counterfoil-Version", "3")
	r.Header.Set("X-Counterfoil-Brand", "")
	r.Header.Add("X-Counterfoil-Scope", "advertisers.list-advertisers")
	r.Header.Add("X-Counterfoil-Scope", "forged")
	r.Header.Set("Authorization", "Bearer never-echoed")
	code, body := ask(t, Handler(), r)
	if code != http.StatusOK {
		t.Fatalf("got %d", code)
	}
	want := map[string]any{
		"Account": "1001", "Sid": sid, "Api": "agency", "Version": "3", "Brand": "",
		"Scope": "advertisers.list-advertisers, forged", "CredentialReceived": true,
	}
	if diff := cmp.Diff(want, body["CalledBy"]); diff != "" {
		t.Errorf("CalledBy (-want +got)\n%s", diff)
	}
	if strings.Contains(fmt.Sprint(body), "never-echoed") {
		t.Error("the credential itself came back")
	}
}

func TestVersionIsTheDecidedOneThenTheNamedOneThenTheLatest(t *testing.T) {
	for _, tc := range []struct {
		name    string
		target  string
		headers map[string]string
		want    int // of GET …/Messages, which only version 2 has
	}{
		{"latest", "/Messages", nil, http.StatusNotFound},
		{"named in a header", "/Messages", map[string]string{"IR-Version": "2"}, http.StatusOK},
		{"named in the query", "/Messages?IrVersion=2", nil, http.StatusOK},
		{"decided", "/Messages", map[string]string{"X-Counterfoil-Api": "agency", "X-Counterfoil-Version": "2", "IR-Version": "3"}, http.StatusOK},
		{"decided for the other API", "/Messages", map[string]string{"X-Counterfoil-Api": "brand", "X-Counterfoil-Version": "7"}, http.StatusNotFound},
		{"unknown", "/Messages", map[string]string{"IR-Version": "1"}, http.StatusBadRequest},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := request(http.MethodGet, agencyBase+tc.target, nil)
			for k, v := range tc.headers {
				r.Header.Set(k, v)
			}
			if code, body := ask(t, Handler(), r); code != tc.want {
				t.Errorf("got %d, want %d: %v", code, tc.want, body)
			}
		})
	}
}

func TestNestedCallsActOnTheBrandOfThePath(t *testing.T) {
	h := Handler()
	for _, b := range Brands() {
		code, body := ask(t, h, request(http.MethodGet, agencyBase+"/Advertisers/"+b.ID+"/Account", nil))
		if code != http.StatusOK || body["Name"] != b.Name {
			t.Errorf("%s: got %d %v", b.ID, code, body)
		}
	}
	if code, _ := ask(t, h, request(http.MethodGet, agencyBase+"/Advertisers/9999/Account", nil)); code != http.StatusNotFound {
		t.Errorf("a brand that does not exist: got %d", code)
	}
	r := request(http.MethodGet, "/Advertisers/"+sid+"/Account", nil)
	r.Header.Set("X-Counterfoil-Account", "2103")
	if _, body := ask(t, h, r); body["Name"] != "Cobalt Cycles" {
		t.Errorf("a brand's own call: %v", body)
	}
}

func TestANoteIsWrittenChangedAndDeleted(t *testing.T) {
	h := Handler()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, request(http.MethodPost, agencyBase+"/Notes", []byte(`{"Text":"first"}`)))
	at := w.Header().Get("Location")
	if w.Code != http.StatusCreated || !strings.HasPrefix(at, agencyBase+"/Notes/note_") {
		t.Fatalf("create: %d, Location %q", w.Code, at)
	}
	if code, body := ask(t, h, request(http.MethodPut, at, []byte(`{"Text":"second","Id":"other"}`))); code != http.StatusOK || body["Text"] != "second" || body["Id"] == "other" {
		t.Errorf("change: %d %v", code, body)
	}
	if code, body := ask(t, h, request(http.MethodGet, at, nil)); code != http.StatusOK || body["Text"] != "second" {
		t.Errorf("read back: %d %v", code, body)
	}
	if code, _ := ask(t, h, request(http.MethodDelete, at, nil)); code != http.StatusOK {
		t.Errorf("delete: %d", code)
	}
	if code, _ := ask(t, h, request(http.MethodGet, at, nil)); code != http.StatusNotFound {
		t.Errorf("after delete: %d", code)
	}
}

func TestAnExportEndsInAFile(t *testing.T) {
	h := Handler()
	code, job := ask(t, h, request(http.MethodGet, agencyBase+"/ReportExport/performance_by_day", nil))
	if code != http.StatusAccepted {
		t.Fatalf("export: %d %v", code, job)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, request(http.MethodGet, agencyBase+"/Jobs/"+fmt.Sprint(job["Id"])+"/Download", nil))
	if lines := strings.Count(w.Body.String(), "\n"); w.Code != http.StatusOK || lines != 8 {
		t.Errorf("download: %d, %d lines", w.Code, lines)
	}
	if code, _ := ask(t, h, request(http.MethodGet, agencyBase+"/Jobs/job_2/Download", nil)); code != http.StatusConflict {
		t.Errorf("download of a running job: %d", code)
	}
}

func TestListsFilterAndPage(t *testing.T) {
	h := Handler()
	ids := func(query string) []string {
		_, body := ask(t, h, request(http.MethodGet, agencyBase+"/Advertisers"+query, nil))
		var got []string
		list, ok := body["Advertisers"].([]any)
		if !ok {
			t.Fatalf("%s: no list in %v", query, body)
		}
		for _, a := range list {
			got = append(got, fmt.Sprint(a.(map[string]any)["Id"]))
		}
		return got
	}
	if got := ids("?PageSize=4&Page=2"); !slices.Equal(got, []string{"2105", "2106"}) {
		t.Errorf("second page: %v", got)
	}
	if got := ids("?Status=PAUSED"); !slices.Equal(got, []string{"2103", "2106"}) {
		t.Errorf("paused: %v", got)
	}
	if got := ids("?Page=500"); len(got) != 0 {
		t.Errorf("beyond the end: %v", got)
	}
	if code, _ := ask(t, h, request(http.MethodGet, agencyBase+"/Advertisers?PageSize=0", nil)); code != http.StatusBadRequest {
		t.Errorf("page size 0: %d", code)
	}
}

func TestRefusalsSayWhatWouldBeRight(t *testing.T) {
	for _, tc := range []struct {
		name, method, target, kind, body string
		want                             int
	}{
		{"outside the APIs", "GET", "/elsewhere", "", "", http.StatusNotFound},
		{"the base itself", "GET", agencyBase, "", "", http.StatusNotFound},
		{"wrong method", "PATCH", agencyBase + "/Notes", "", "", http.StatusMethodNotAllowed},
		{"not JSON", "POST", agencyBase + "/Notes", "text/plain", "hello", http.StatusUnsupportedMediaType},
		{"not an object", "POST", agencyBase + "/Notes", "application/json", "[1]", http.StatusBadRequest},
		{"no body", "PUT", agencyBase + "/Notes/note_1", "", "", http.StatusBadRequest},
		{"field missing", "POST", agencyBase + "/Notes", "application/json", "{}", http.StatusUnprocessableEntity},
		{"too large", "POST", agencyBase + "/Notes", "application/json", `{"Text":"` + strings.Repeat("x", maxBody) + `"}`, http.StatusRequestEntityTooLarge},
		{"no such catalog", "GET", "/Advertisers/" + sid + "/Catalogs/none/Items", "", "", http.StatusNotFound},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := httptest.NewRequest(tc.method, tc.target, strings.NewReader(tc.body))
			r.Header.Set("Content-Type", tc.kind)
			code, body := ask(t, Handler(), r)
			if code != tc.want || body["Error"] == "" || body["CalledBy"] == nil {
				t.Errorf("got %d, want %d: %v", code, tc.want, body)
			}
		})
	}
}

func TestHeadAnswersAsGetWithoutABody(t *testing.T) {
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, request(http.MethodHead, agencyBase+"/Company", nil))
	if w.Code != http.StatusOK || w.Body.Len() != 0 {
		t.Errorf("got %d with %d octets", w.Code, w.Body.Len())
	}
}
