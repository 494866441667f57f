package catalog

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"counterfoil.dev/counterfoil/internal/decide"
)

// shared is the folder of real documents beside the checkout; without it the test is skipped.
func shared(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			tb.Fatal("no go.mod above the test's folder")
		}
		dir = filepath.Dir(dir)
	}
	out := filepath.Join(filepath.Dir(dir), "shared", "openapi")
	if _, err := os.Stat(out); err != nil {
		tb.Skip("the real documents are not beside this checkout")
	}
	return out
}

func realFS(tb testing.TB, catalogue string) fs.FS {
	tb.Helper()
	dir := shared(tb)
	files := fstest.MapFS{"catalog.yaml": {Data: []byte(catalogue)}}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(dir, name))
		files[name] = &fstest.MapFile{Data: data}
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return files
}

const realCatalogue = `apis:
  agency:
    title: Agency API
    accounts: [agency]
    base: /Agencies/{AccountSID}
    hosts: [api.impact.com]
    version: {header: IR-Version, query: IrVersion, override: refuse}
    versions:
      "3": {state: current, released: 2022-10-12, documents: [agency-v3/*.yaml]}
    passthrough:
      - {prefix: "/Agencies/{AccountSID}/Advertisers/{AdvertiserId}", brand: AdvertiserId, api: brand}
    scopes:
      report-export.export-report: {access: write, needs: [jobs.get-job, jobs.download-job-result]}
      advertisers.list-advertisers: {sensitive: "returns the brands' own credentials"}
    parameters: {JobId: {allow: ":"}}
  brand:
    title: Brand API
    accounts: [brand]
    base: /Advertisers/{AccountSID}
    hosts: [api.impact.com]
    versions:
      "14": {state: current, released: 2026-06-01, documents: [brand-v14/*.yaml]}
`

// buildReal builds the two real APIs and returns everything that was found.
func buildReal(tb testing.TB) (*Result, []Problem) {
	tb.Helper()
	src, loaded, err := Load(realFS(tb, realCatalogue), "")
	if err != nil {
		tb.Fatal(err)
	}
	res, built := Build(src, Options{})
	problems := SortProblems(append(loaded, built...))
	if HasFatal(problems) {
		tb.Fatal(problems)
	}
	return res, problems
}

func TestRealDocumentsAreReadWhole(t *testing.T) {
	res, _ := buildReal(t)
	want := []Count{
		{API: "agency", Version: "3", Operations: 15, Published: 15},
		{API: "brand", Version: "14", Operations: 117, Published: 113, Nested: 113},
	}
	if len(res.Counts) != 2 || res.Counts[0] != want[0] || res.Counts[1] != want[1] {
		t.Errorf("counts are %v, want %v", res.Counts, want)
	}
	agency, _ := Find(res.APIs, "agency")
	brand, _ := Find(res.APIs, "brand")
	v3, _ := agency.Version("3")
	v14, _ := brand.Version("14")
	for _, p := range []struct {
		v    Version
		want int
	}{{v3, 14}, {v14, 73}} {
		paths := map[string]bool{}
		for _, o := range p.v.Operations {
			paths[o.Path] = true
		}
		if len(paths) != p.want {
			t.Errorf("version %s has %d paths, want %d", p.v.Name, len(paths), p.want)
		}
	}
	const prefix = "/Agencies/{AccountSID}/Advertisers/{AdvertiserId}"
	boxes := 0
	for _, o := range v14.Operations {
		if len(o.Nested) != 1 || o.Nested[0] != (NestedPath{"agency", prefix + o.Template}) {
			t.Errorf("%s %s nests at %v", o.Method, o.Path, o.Nested)
		}
	}
	for _, v := range []Version{v3, v14} {
		for _, c := range v.Categories {
			boxes += len(c.Scopes)
		}
	}
	if boxes != 128 {
		t.Errorf("an agency with brands sees %d boxes, want 128", boxes)
	}
	export, _ := v3.Scope("report-export.export-report")
	if export.Access != "write" || strings.Join(export.Needs, " ") != "jobs.download-job-result jobs.get-job" {
		t.Errorf("export is %+v", export)
	}
	if list, _ := v3.Scope("advertisers.list-advertisers"); list.Sensitive == "" {
		t.Error("list-advertisers is not marked sensitive")
	}
}

func TestRealProblemsAreTold(t *testing.T) {
	_, problems := buildReal(t)
	for _, want := range []struct {
		file     string
		line     int
		severity Severity
		text     string
	}{
		{"brand-v14/impact-brand-calldata-v14.yaml", 14, Trouble, "GET /calldata/logCallData is left out: it is not under the base /Advertisers/{AccountSID}, and its server twilio.ivr.impactradius.com is none"},
		{"brand-v14/impact-brand-calldata-v14.yaml", 77, Trouble, "POST /calldata/logCallData is left out"},
		{"brand-v14/impact-brand-deferreddeeplink-v14.yaml", 12, Trouble, "POST /DeferredDeepLink is left out"},
		{"brand-v14/impact-brand-pageload-v14.yaml", 11, Trouble, "POST /PageLoad is left out"},
		{"agency-v3/impact-agency-compliance-v3.yaml", 16, Trouble, "takes AdvertiserId in its body"},
		{"brand-v14/impact-brand-conversions-v14.yaml", 8, Note, "info.version is v13"},
		{"agency-v3/impact-agency-companyinformation-v3.yaml", 152, Note, "/CompanyInformation/ matches no route: it ends in a slash"},
		{"brand-v14/impact-brand-reports-v14.yaml", 265, Note, "ReportsMetadata/adv_action_listing_pm matches no route"},
		{"brand-v14/impact-brand-clicks-v14.yaml", 50, Note, "does the scope click-export.export-clicks need jobs.get-job-by-id?"},
		{"brand-v14/impact-brand-jobs-v14.yaml", 1, Note, "does not declare the tags Jobs"},
	} {
		found := false
		for _, p := range problems {
			found = found || p.File == want.file && p.Line == want.line && p.Severity == want.severity && strings.Contains(p.Text, want.text)
		}
		if !found {
			t.Errorf("nobody says %s:%d: %s: %s", want.file, want.line, want.severity, want.text)
		}
	}
	left := 0
	for _, p := range problems {
		if strings.Contains(p.Text, "is left out") {
			left++
		}
	}
	if left != 4 {
		t.Errorf("%d operations are left out, want 4", left)
	}
}

func TestRealCatalogueIsTakenByVerifiers(t *testing.T) {
	res, _ := buildReal(t)
	table, err := decide.Compile(&res.Catalogue, nil)
	if err != nil {
		t.Fatal(err)
	}
	for target, want := range map[string]string{
		"/Agencies/S1/Jobs/content_api_1603459292102":           "agency",
		"/Agencies/S1/Advertisers/1048291/Deals/00003":          "agency",
		"/Advertisers/S1/Campaigns/1000/Notes/2750":             "brand",
		"/Agencies/S1/Advertisers/1048291/Actions/1.2.3/Items/": "",
		"/PageLoad": "",
	} {
		var m decide.Match
		reason := table.Match(&decide.Request{Method: "GET", Target: target, Host: "api.impact.com"}, &m)
		switch {
		case want == "" && reason == decide.Allow:
			t.Errorf("%s has a route", target)
		case want != "" && (reason != decide.Allow || m.API().Name != want):
			t.Errorf("%s: %v", target, reason)
		}
	}
}

func TestSameInputGivesTheSameOctets(t *testing.T) {
	first, _ := buildReal(t)
	want, err := first.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		again, _ := buildReal(t)
		got, err := again.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(want, got) {
			t.Fatal("two builds of the same documents differ")
		}
	}
	apis, err := ParsePresentation(want)
	if err != nil {
		t.Fatal(err)
	}
	if d := Compare(first.APIs, apis); !d.Empty() {
		t.Errorf("what was stored is not what was built:\n%s", d)
	}
}

func BenchmarkRealCatalogue(b *testing.B) {
	files := realFS(b, realCatalogue)
	for b.Loop() {
		src, _, err := Load(files, "")
		if err != nil {
			b.Fatal(err)
		}
		Build(src, Options{})
	}
}
