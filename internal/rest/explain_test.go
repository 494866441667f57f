package rest_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/authority"
)

func TestExplainSaysWhatTheCheckWouldAnswer(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	made := must[authority.Issued](t)(w.authority.CreateToken(ctx, operator, agency, api.TokenCreate{
		Name: "reader", API: "agency", Scopes: []string{"jobs.get-job", "brand/account.get-account"},
		Reach: api.ReachAll, PrimaryContact: w.contact(agency),
	}, authority.Once{}))
	itself := w.client("", made.Secret.Reveal())
	for name, c := range map[string]struct {
		in   api.Explain
		want api.Explained
	}{
		"allowed": {
			api.Explain{Method: "get", Path: "/Agencies/{AccountSID}/Jobs/17"},
			api.Explained{Allowed: true, API: "agency", Version: "3", Scope: "jobs.get-job", Operation: "GET /Agencies/{AccountSID}/Jobs/{JobId}"},
		},
		"a box is missing": {
			api.Explain{Method: "GET", Path: "/Agencies/{AccountSID}/Jobs"},
			api.Explained{Code: api.CodeInsufficientScope, API: "agency", Version: "3", Operation: "GET /Agencies/{AccountSID}/Jobs"},
		},
		"no such path":   {api.Explain{Method: "GET", Path: "/Agencies/{AccountSID}/Nothing"}, api.Explained{Code: api.CodeNoRoute}},
		"no such method": {api.Explain{Method: "DELETE", Path: "/Agencies/{AccountSID}/Company"}, api.Explained{Code: api.CodeMethodNotAllowed}},
		"another caller": {api.Explain{Method: "GET", Path: "/Agencies/0000000000000000000000/Jobs/17"}, api.Explained{Code: api.CodeWrongAccount, API: "agency"}},
		"another version": {
			api.Explain{Method: "GET", Path: "/Agencies/{AccountSID}/Jobs/17", Version: "2"},
			api.Explained{Code: api.CodeVersionNotAllowed, API: "agency", Version: "2"},
		},
		"a brand": {
			api.Explain{Method: "GET", Path: "/Agencies/{AccountSID}/Advertisers/{AdvertiserId}/Account", Brand: brand},
			api.Explained{Allowed: true, API: "brand", Version: "8", Scope: "account.get-account", Brand: brand, Operation: "GET /Agencies/{AccountSID}/Advertisers/{AdvertiserId}/Account"},
		},
		"a brand that is not managed": {
			api.Explain{Method: "GET", Path: "/Agencies/{AccountSID}/Advertisers/{AdvertiserId}/Account", Brand: 4242},
			api.Explained{Code: api.CodeBrandNotManaged, API: "brand", Version: "8", Brand: 4242, Operation: "GET /Agencies/{AccountSID}/Advertisers/{AdvertiserId}/Account"},
		},
		"two readings":  {api.Explain{Method: "GET", Path: "/Agencies/{AccountSID}//Jobs"}, api.Explained{Code: api.CodeMalformedRequest}},
		"no path":       {api.Explain{Method: "GET", Path: "Jobs"}, api.Explained{Code: api.CodeMalformedRequest}},
		"another host":  {api.Explain{Method: "GET", Path: "/Agencies/{AccountSID}/Jobs/17", Host: "other.example"}, api.Explained{Code: api.CodeHostNotAllowed}},
		"a made-up way": {api.Explain{Method: "FETCH", Path: "/Agencies/{AccountSID}/Jobs/17"}, api.Explained{Code: api.CodeMalformedRequest}},
	} {
		got, err := itself.ExplainRequest(ctx, c.in)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got.Why == "" || c.want.Code == api.CodeInsufficientScope && (len(got.Missing) != 1 || got.Fix == "") {
			t.Errorf("%s: %+v", name, got)
		}
		got.Why, got.Missing, got.Fix = "", nil, ""
		if c.want.Operation == "" { // how far a refusal got to know the operation is not promised
			got.Operation, got.Scope = "", ""
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if _, err := itself.ExplainRequest(ctx, api.Explain{Method: "GET", Path: "/x", Brand: 7}); code(err) != api.CodeInvalid {
		t.Errorf("a brand and no place for it: %v", err)
	}
	if got := must[api.Token](t)(w.authority.Token(ctx, operator, agency, made.Token.SID)); got.LastUse != nil {
		t.Errorf("explaining counted as use: %+v", got.LastUse)
	}
}

func TestAnotherTokenIsExplainedOnlyToWhoMay(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	sid, secret := w.accessToken("one", "jobs.get-job")
	second, _ := w.accessToken("two", "jobs.get-job")
	ask := api.Explain{SID: second, Method: "GET", Path: "/Agencies/{AccountSID}/Jobs/17"}

	if _, err := w.client(sid, secret).ExplainRequest(ctx, ask); code(err) != api.CodeForbidden {
		t.Errorf("an access token about another: %v", err)
	}
	if _, err := w.zero(agency, "tokens.list-tokens").ExplainRequest(ctx, ask); code(err) != api.CodeInsufficientScope {
		t.Errorf("without the scope: %v", err)
	}
	for _, c := range []*api.Client{w.zero(agency, "self.explain-request"), w.zero(0, "self.explain-request")} {
		got, err := c.ExplainRequest(ctx, ask)
		if err != nil || !got.Allowed {
			t.Errorf("%+v %v", got, err)
		}
	}
	zeroSID, zeroSecret := w.zeroToken(agency, "tokens.list-tokens")
	got := must[api.Explained](t)(w.client(zeroSID, zeroSecret).ExplainRequest(ctx, api.Explain{Method: "POST", Path: "/api/v1/tokens"}))
	if got.Allowed || got.Code != api.CodeInsufficientScope || got.API != authority.ZeroAPI {
		t.Errorf("a token of this API about itself: %+v", got)
	}
}
