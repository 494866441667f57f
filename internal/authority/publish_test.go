package authority_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/examples/catalogue"
	"counterfoil.dev/counterfoil/internal/authority"
	"counterfoil.dev/counterfoil/internal/store"
)

func (w *world) publications() int {
	w.t.Helper()
	state, err := w.Catalogue(w.t.Context(), w.operator)
	if err != nil {
		w.t.Fatal(err)
	}
	return len(state.History)
}

// The diff names every token whose reach would grow or shrink, and nobody else's.
func TestADiffNamesTheTokensThatWouldGrowOrShrink(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	grows := w.create(w.admin, agency, wants("Grows", "reports.make-report")).Token
	shrinks := w.create(w.admin, agency, wants("Shrinks", "jobs.get-job", "keys.get-key")).Token
	stays := w.create(w.rivalAdmin, rival, wants("Stays", "jobs.run-job")).Token
	in := wants("Other version", "reports.make-report")
	in.Version = "2"
	w.create(w.admin, agency, in)
	gone := w.create(w.admin, agency, wants("Deleted", "reports.make-report")).Token
	if _, err := w.DeleteToken(ctx, w.admin, agency, gone.SID, ""); err != nil {
		t.Fatal(err)
	}

	const a = "/Agencies/{AccountSID}"
	folder := small()
	folder["agency3.json"].Data = document("Agency API",
		"GET "+a+"/Jobs Jobs listJobs jobs.read", "GET "+a+"/Jobs/{JobId}/Log Jobs readLog jobs.read", "POST "+a+"/Jobs Jobs runJob",
		"POST "+a+"/Reports Reports makeReport reports.make-report", "GET "+a+"/Reports Reports listReports reports.make-report", "GET "+a+"/Keys Keys getKey")
	upload := api.CatalogUpload{Documents: pack(t, folder)}
	before := w.head()
	diff, err := w.DiffCatalogue(ctx, w.operator, upload)
	if err != nil || w.head() != before {
		t.Fatal(err)
	}
	want := []api.TokenChange{
		{Account: agency, SID: grows.SID, Grows: []string{"GET " + a + "/Reports"}},
		{Account: agency, SID: shrinks.SID, Shrinks: []string{"GET " + a + "/Jobs/{JobId}"}},
	}
	slices.SortFunc(want, func(x, y api.TokenChange) int { return strings.Compare(x.SID, y.SID) })
	if d := cmp.Diff(want, diff.Tokens); d != "" || diff.Grow != 1 || diff.Shrink != 1 || diff.Fatal {
		t.Errorf("grow %d, shrink %d:\n%s", diff.Grow, diff.Shrink, d)
	}
	if len(diff.Changes) == 0 {
		t.Error("no changes are listed")
	}
	upload.Hash = diff.Hash
	done, err := w.PublishCatalogue(ctx, w.operator, upload)
	if err != nil || done.NewHash != diff.NewHash {
		t.Fatal(err)
	}
	state, err := w.Catalogue(ctx, w.operator)
	if err != nil || state.Hash != diff.NewHash || int64(state.Seq) != w.head() || state.By != "Olive Operator" {
		t.Errorf("%+v, %v", state, err)
	}
	if _, err := w.Token(ctx, w.rivalAdmin, rival, stays.SID); err != nil {
		t.Error(err)
	}
	for _, v := range state.APIs {
		if v.API == "agency" && v.Version == "3" && v.Tokens != 3 {
			t.Errorf("%d tokens are pinned to version 3, want 3", v.Tokens)
		}
	}
}

func TestPublishingOverSomebodyElsesIsAConflict(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	mine := api.CatalogUpload{Documents: pack(t, edited(t, "title: Agency API", "title: Mine"))}
	diff, err := w.DiffCatalogue(ctx, w.operator, mine)
	if err != nil {
		t.Fatal(err)
	}
	w.publish(edited(t, "title: Agency API", "title: Theirs"))
	live := w.publications()
	mine.Hash = diff.Hash
	_, err = w.PublishCatalogue(ctx, w.operator, mine)
	refused(t, err, api.CodeConflict)
	if w.publications() != live {
		t.Error("it was published all the same")
	}
	mine.Hash = ""
	if _, err := w.PublishCatalogue(ctx, w.operator, mine); err != nil {
		t.Errorf("after a new look: %v", err)
	}
}

func TestTheSameCatalogueTwiceIsOnePublication(t *testing.T) {
	w := newWorld(t)
	n, head := w.publications(), w.head()
	w.publish(small())
	if w.publications() != n || w.head() != head {
		t.Error("nothing had changed, and it was published")
	}
}

// The attack: nothing of what a verifier reads changes when a scope is marked as sensitive, or an API is
// taken from a kind of account. It must be published all the same, or the mark is believed and not there.
func TestWhatOnlyPeopleReadIsPublishedToo(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	for name, c := range map[string]struct {
		old, new string
		check    func() error
	}{
		"sensitive": {"keys.get-key: {sensitive", `reports.make-report: {sensitive: "costs money"}` + "\n      keys.get-key: {sensitive", func() error {
			_, err := w.CreateToken(ctx, w.specialist, agency, wants("Costly", "reports.make-report"), authority.Once{})
			return err
		}},
		"account kinds": {"accounts: [brand]", "accounts: [partner]", func() error {
			_, err := w.CreateToken(ctx, w.brandAdmin, brandA, wants("Brand's", "ads.read"), authority.Once{})
			return err
		}},
	} {
		w.publish(small())
		n := w.publications()
		w.publish(edited(t, c.old, c.new))
		if w.publications() != n+1 {
			t.Errorf("%s: not published", name)
		}
		if err := c.check(); err == nil {
			t.Errorf("%s: not in force", name)
		} else {
			refusal(t, err)
		}
		w.Authority = w.open() // and still after a restart
		if err := c.check(); err == nil {
			t.Errorf("%s: not in force after a restart", name)
		}
	}
}

func TestARestartPublishesOnlyWhatIsNew(t *testing.T) {
	w := newWorld(t)
	n, head := w.publications(), w.head()
	w.Authority = w.open()
	w.Authority = w.open()
	if w.publications() != n || w.head() != head {
		t.Fatalf("%d publications became %d", n, w.publications())
	}
	// A new program has another management API: its own document goes beside the operator's.
	w.Authority = w.open(func(c *authority.Config) {
		c.Zero = document("Management API", "GET /api/v1/whoami Self whoami", "POST /api/v1/explain Self explainRequest", "GET /api/v1/tokens Tokens listTokens", "GET /api/v1/news News listNews")
	})
	if w.publications() != n+1 {
		t.Errorf("%d publications, want %d", w.publications(), n+1)
	}
	made, err := w.CreateToken(t.Context(), w.admin, agency, api.TokenCreate{Name: "News", API: authority.ZeroAPI, Scopes: []string{"news.list-news"}}, authority.Once{})
	if err != nil || !made.Token.Zero {
		t.Error(err)
	}
	w.create(w.admin, agency, wants("The operator's APIs are there", harmless...))
}

func TestDocumentsThatCannotBePublished(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	n := w.publications()
	twice := small()
	twice["agency3.json"].Data = document("Agency API", "GET /Agencies/{AccountSID}/A Jobs listJobs", "GET /Agencies/{AccountSID}/B Jobs listJobs")
	zero := edited(t, "  brand:\n    title", "  counterfoil:\n    title", "api: brand}", "api: counterfoil}")
	for name, c := range map[string]struct {
		documents []byte
		field     string
	}{
		"nothing":                    {nil, "documents"},
		"no archive":                 {[]byte("hello"), "documents"},
		"two operations of one name": {pack(t, twice), "agency3.json:1"},
		"the management API's name":  {pack(t, zero), "documents"},
	} {
		_, err := w.PublishCatalogue(ctx, w.operator, api.CatalogUpload{Documents: c.documents})
		if err == nil {
			t.Errorf("%s: published", name)
			continue
		}
		e := refusal(t, err)
		if e.Code != api.CodeInvalid || len(e.Fields) == 0 || c.field != "" && e.Fields[0].Name != c.field {
			t.Errorf("%s: %v %v", name, e, e.Fields)
		}
	}
	if w.publications() != n {
		t.Error("something was published")
	}
}

// The sample platform's own catalogue, whole.
func TestTheSampleCatalogue(t *testing.T) {
	w := emptyWorld(t)
	diff := w.publish(catalogue.FS)
	if diff.Fatal || len(diff.APIs) != 4 {
		t.Fatalf("%+v", diff.APIs)
	}
	for _, v := range diff.APIs {
		if v.Operations == 0 || v.Published == 0 || v.Scopes == 0 {
			t.Errorf("%+v", v)
		}
	}
	w.settle()
	ctx := t.Context()
	offer, err := w.Offer(ctx, w.admin, agency)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, a := range offer.APIs {
		if a.Zero {
			continue
		}
		for _, c := range a.Versions[0].Categories {
			for _, s := range c.Scopes {
				if !s.Allowed {
					t.Errorf("an administrator may not give %s: %s", s.Name, s.Reason)
				}
				name := s.Name
				if a.Nested {
					name = a.Name + "/" + s.Name
				}
				all = append(all, name)
			}
		}
	}
	in := wants("Everything", all...)
	in.Reach = api.ReachAll
	made := w.create(w.admin, agency, in).Token
	if got := len(made.Pins[0].Scopes) + len(made.Pins[1].Scopes); got != len(all) || len(all) < 40 {
		t.Errorf("%d of %d boxes", got, len(all))
	}
	callers, err := w.Callers(ctx, w.analyst, agency, "agency", made.Version, 3)
	if err != nil {
		t.Fatal(err)
	}
	agencyAPI := offer.APIs[slices.IndexFunc(offer.APIs, func(a api.OfferAPI) bool { return a.Name == "agency" })]
	for i, o := range agencyAPI.Versions[0].Operations {
		if callers[i].All != 1 || callers[i].Listed[0].SID != made.SID {
			t.Errorf("%s %s can be called by %v", o.Method, o.Path, callers[i])
		}
	}
	_, err = w.Callers(ctx, w.analyst, agency, "agency", "99", 3)
	refused(t, err, api.CodeNotFound)
	rows, err := w.db.Read().FeedAfter(ctx, store.FeedAfterParams{N: 1000})
	if err != nil || len(rows) == 0 {
		t.Error(err)
	}
}
