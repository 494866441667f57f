package authority_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/authority"
	"counterfoil.dev/counterfoil/internal/token"
)

func TestATokenIsWhatWasAskedFor(t *testing.T) {
	w := newWorld(t)
	end := w.now().Add(30 * 24 * time.Hour).Truncate(time.Microsecond)
	in := api.TokenCreate{
		Name: "  Nightly export ", Description: "Line one\r\nLine two", Version: "3", Expires: &end,
		Reach: api.ReachList, Brands: []int64{brandB, brandA, brandB}, BrandVersion: "7",
		PrimaryContact: "TESS@people.example", DeveloperEmails: []string{"dev@müller.example", "DEV@xn--mller-kva.example", " ops@people.example "},
		Scopes: []string{"jobs.read", "agency/jobs.get-job", "jobs.read", "brand/ads.read"},
	}
	out := w.create(w.specialist, agency, in)
	got := out.Token
	want := api.Token{
		SID: got.SID, Account: agency, Name: "Nightly export", Description: "Line one\nLine two",
		State: api.StateEnabled, StateSince: w.now(), StateBy: "sam", API: "agency", Version: "3",
		Pins: []api.TokenPin{
			{API: "agency", APITitle: "Agency API", Version: "3", VersionState: "current", Latest: true, Scopes: []string{"jobs.get-job", "jobs.read"}},
			{API: "brand", APITitle: "Brand API", Version: "7", VersionState: "supported", LatestName: "8", Scopes: []string{"ads.read"}},
		},
		Reach: api.ReachList, Brands: []int64{brandA, brandB}, Expires: &end,
		PrimaryContact:  &api.PersonRef{Person: w.trusted.Person, Name: "tess", Email: "tess@people.example", Active: true},
		DeveloperEmails: []string{"dev@müller.example", "ops@people.example"},
		Created:         w.now(), CreatedBy: "sam", Revision: 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	parsed, fault := w.Prefix().Parse(out.Secret.Reveal())
	if fault != token.NoFault || parsed.SID.String() != got.SID {
		t.Fatalf("the secret: fault %v, SID %s", fault, parsed.SID)
	}
	if diff := cmp.Diff([]string{parsed.Digest().String()}, w.digests(got.SID)); diff != "" {
		t.Errorf("what is kept of the secret:\n%s", diff)
	}
	if int64(out.Seq) != w.head() {
		t.Errorf("position %d, head %d", out.Seq, w.head())
	}
}

func TestNames(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	try := func(name string) error {
		_, err := w.CreateToken(ctx, w.specialist, agency, wants(name), authority.Once{})
		return err
	}
	for _, good := range []string{
		"a", strings.Repeat("é", 100), "O'Brien \"x\" <b> & 100 %", "Zu\u0308rich", "日本語のトークン", "👩\u200d💻 laptop", "=SUM(A1)", "{{7*7}}", "نام", "x\u00a0y",
	} {
		if err := try(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "   ", "\u2003\t", strings.Repeat("é", 101), strings.Repeat("x", 10_000), "a\nb", "a\rb", "a\x00b", "a\x1b[31mb", "a\u007fb", "a\u0085b",
		"a\u202eb", "a\u2066b", "a\u200fb", "a\u200eb", "a\u061cb", "a\u2028b", "a\u2029b", "a\ufeffb", "a\u00adb", "a\u200bb", "a\ue000b", "a\U000e0041b",
		"\xff", "a\ufffdb", "\u3164", "a\u115fb", "a\u034fb", "a\ufe0e\u17b4b",
	} {
		refused(t, try(bad), api.CodeInvalid, "name")
	}
	// Equal without regard to case, to composition and to compatibility forms.
	for _, taken := range []string{"A", " a ", "ZÜRICH", "zürich", "ｚürich", "o'brien \"X\" <B> & 100 %"} {
		e := refused(t, try(taken), api.CodeInvalid, "name")
		if !strings.Contains(e.Error(), "taken") {
			t.Errorf("%q: %v", taken, e)
		}
	}
	if got, err := w.Tokens(ctx, w.analyst, agency, authority.TokenQuery{Search: "zürich"}); err != nil || len(got.Items) != 1 || got.Items[0].Name != "Zürich" {
		t.Errorf("search %v: %v", got.Items, err)
	}
	refused(t, w.NameFree(ctx, w.analyst, agency, "A", ""), api.CodeInvalid, "name")
	if err := w.NameFree(ctx, w.analyst, agency, "free", ""); err != nil {
		t.Error(err)
	}
	first := slices.IndexFunc(w.list(), func(x api.Token) bool { return x.Name == "a" })
	a := w.list()[first]
	if err := w.NameFree(ctx, w.analyst, agency, "A", a.SID); err != nil {
		t.Errorf("a token's own name: %v", err)
	}
	// Deleting frees the name; disabling does not.
	if _, err := w.DisableToken(ctx, w.admin, agency, a.SID, ""); err != nil {
		t.Fatal(err)
	}
	refused(t, try("A"), api.CodeInvalid, "name")
	if _, err := w.DeleteToken(ctx, w.admin, agency, a.SID, ""); err != nil {
		t.Fatal(err)
	}
	if err := try("A"); err != nil {
		t.Errorf("the name of a deleted token: %v", err)
	}
	if _, err := w.CreateToken(ctx, w.rivalAdmin, rival, wants("A"), authority.Once{}); err != nil {
		t.Errorf("the same name in another account: %v", err)
	}
}

func (w *world) list() []api.Token {
	w.t.Helper()
	page, err := w.Tokens(w.t.Context(), w.admin, agency, authority.TokenQuery{Limit: 200})
	if err != nil {
		w.t.Fatal(err)
	}
	return page.Items
}

func TestDescriptions(t *testing.T) {
	w := newWorld(t)
	for text, ok := range map[string]bool{
		"": true, strings.Repeat("ü", 500): true, strings.Repeat("ü", 501): false, "two\nlines": true, "a\tb": false, "a\u202eb": false, "\x00": false, "\xff": false,
	} {
		in := wants(fmt.Sprint("D", len(text), ok))
		in.Description = text
		_, err := w.CreateToken(t.Context(), w.admin, agency, in, authority.Once{})
		if ok && err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if !ok {
			refused(t, err, api.CodeInvalid, "description")
		}
	}
}

func TestDeveloperEmails(t *testing.T) {
	w := newWorld(t)
	ctx, n := t.Context(), 0
	try := func(list ...string) ([]string, error) {
		n++
		in := wants(fmt.Sprint("E", n))
		in.DeveloperEmails = list
		out, err := w.CreateToken(ctx, w.admin, agency, in, authority.Once{})
		return out.Token.DeveloperEmails, err
	}
	many := func(n int) (list []string) {
		for i := range n {
			list = append(list, fmt.Sprintf("dev%d@people.example", i))
		}
		return list
	}
	for _, c := range [][2][]string{
		{nil, {}},
		{{"Dev@People.Example"}, {"Dev@people.example"}},
		{{"dev@people.example", "DEV@PEOPLE.EXAMPLE", "dev@people.example "}, {"dev@people.example"}},
		{{"dev@bücher.example", "dev@xn--bcher-kva.example", "dev@BÜCHER.example"}, {"dev@bücher.example"}},
		{{"o'brien+tag@sub.people.example", "用户@例子.example"}, {"o'brien+tag@sub.people.example", "用户@例子.example"}},
		{many(20), many(20)},
		{append(many(20), "DEV3@people.example"), many(20)},
	} {
		got, err := try(c[0]...)
		if err != nil {
			t.Errorf("%v: %v", c[0], err)
		}
		if diff := cmp.Diff(c[1], got); diff != "" {
			t.Errorf("%v:\n%s", c[0], diff)
		}
	}
	for _, bad := range []string{
		"", "dev", "dev@", "@people.example", "dev@localhost", "dev@people..example", "dev@.example", "dev@people.example.", "dev@-people.example",
		"dev@people.example\r\nBcc: x@y.example", "dev@people.example\n", "d\rev@people.example", "dev@people.example, other@people.example", "dev@people.example;x@y.example",
		"Dev <dev@people.example>", "<dev@people.example>", `"dev"@people.example`, `"d v"@people.example`, "d v@people.example", "dev@[127.0.0.1]", "dev@peo\u202eple.example",
		"dev(comment)@people.example", "dev@people.example(comment)", strings.Repeat("a", 65) + "@people.example", "dev@" + strings.Repeat("a", 64) + ".example",
		"dev@" + strings.Repeat("abcdefgh.", 30) + "example", "dev@exa mple.com", "dev@people_x.example", "a@b@people.example", "dev\x00@people.example",
	} {
		// A line break at the very end is trimmed like a blank; within, it is refused.
		if _, err := try(bad); strings.TrimSpace(bad) == "dev@people.example" {
			if err != nil {
				t.Errorf("%q: %v", bad, err)
			}
		} else if e := refused(t, err, api.CodeInvalid, "developer_emails"); strings.ContainsAny(e.Error(), "\r\n\x00\u202e") {
			t.Errorf("the refusal of %q holds what it refuses: %q", bad, e.Error())
		}
	}
	_, err := try(many(21)...)
	refused(t, err, api.CodeInvalid, "developer_emails")
}

func TestPastedListsAreSplit(t *testing.T) {
	for in, want := range map[string][]string{
		"":            nil,
		"a@b.example": {"a@b.example"},
		"a@b.example, c@d.example;e@f.example g@h.example\ni@j.example": {"a@b.example", "c@d.example", "e@f.example", "g@h.example", "i@j.example"},
		`Ada Byron <a@b.example>, "Hopper, Grace" <g@h.example>`:        {"a@b.example", "g@h.example"},
		" ,;\t ":   nil,
		"nonsense": {"nonsense"},
	} {
		if diff := cmp.Diff(want, authority.SplitEmails(in)); diff != "" {
			t.Errorf("%q:\n%s", in, diff)
		}
	}
}

func TestThePrimaryContactIsAnActiveMember(t *testing.T) {
	w := newWorld(t)
	ctx, n := t.Context(), 0
	invited, err := w.InviteMember(ctx, w.admin, agency, api.MemberInvite{Email: "ivy@people.example", Name: "Ivy", Role: api.RoleAnalyst})
	if err != nil {
		t.Fatal(err)
	}
	try := func(by authority.Actor, who string) (*api.PersonRef, error) {
		n++
		in := wants(fmt.Sprint("C", n))
		in.PrimaryContact = who
		out, err := w.CreateToken(ctx, by, agency, in, authority.Once{})
		return out.Token.PrimaryContact, err
	}
	for who, want := range map[string]string{
		"": w.specialist.Person, w.analyst.Person: w.analyst.Person, "ann@people.example": w.analyst.Person, "ANN@PEOPLE.EXAMPLE": w.analyst.Person,
	} {
		if got, err := try(w.specialist, who); err != nil || got.Person != want {
			t.Errorf("%q: %v, %v", who, got, err)
		}
	}
	for _, bad := range []string{invited.Person, "ivy@people.example", w.rivalAdmin.Person, "rob@people.example", "nobody", "nobody@people.example"} {
		_, err := try(w.specialist, bad)
		refused(t, err, api.CodeInvalid, "primary_contact")
	}
	_, err = try(w.operator, "") // an operator is nobody's member
	refused(t, err, api.CodeInvalid, "primary_contact")
}

func TestExpiry(t *testing.T) {
	w := newWorld(t)
	ctx, n := t.Context(), 0
	set := func(def, most int64) {
		now, err := w.Account(ctx, w.operator, agency)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.EditAccount(ctx, w.operator, agency, api.AccountEdit{ExpiryDefault: &def, ExpiryMax: &most, Revision: now.Revision}); err != nil {
			t.Fatal(err)
		}
	}
	try := func(after time.Duration, never bool) (time.Duration, error) {
		n++
		in := wants(fmt.Sprint("X", n))
		in.NeverExpires = never
		if after != 0 {
			in.Expires = ptr(w.now().Add(after))
		}
		out, err := w.CreateToken(ctx, w.admin, agency, in, authority.Once{})
		if err != nil || out.Token.Expires == nil {
			return 0, err
		}
		return out.Token.Expires.Sub(w.now()), nil
	}
	const day = 24 * time.Hour
	for _, c := range []struct {
		def, most int64
		after     time.Duration
		never     bool
		want      time.Duration // 0: no end
		bad       bool
	}{
		{0, 0, 0, false, 0, false},
		{0, 0, 0, true, 0, false},
		{0, 0, 3650 * day, false, 3650 * day, false},
		{0, 0, -time.Second, false, 0, true},
		{0, 0, time.Hour, true, 0, true},
		{90, 0, 0, false, 90 * day, false},
		{90, 0, 0, true, 0, false},
		{90, 0, 365 * day, false, 365 * day, false},
		{0, 30, 0, false, 30 * day, false},
		{0, 30, 0, true, 0, true},
		{0, 30, 31 * day, false, 31 * day, false}, // a day of grace
		{0, 30, 31*day + time.Microsecond, false, 0, true},
		{90, 30, 0, false, 30 * day, false},
		{7, 30, 0, false, 7 * day, false},
		{7, 30, time.Microsecond, false, time.Microsecond, false},
	} {
		set(c.def, c.most)
		got, err := try(c.after, c.never)
		if c.bad {
			refused(t, err, api.CodeInvalid, "expires")
		} else if err != nil || got != c.want {
			t.Errorf("default %d, most %d, after %v, never %v: %v, %v", c.def, c.most, c.after, c.never, got, err)
		}
	}
	set(-1, -1) // the installation's own
	w.Authority = w.open(func(c *authority.Config) { c.ExpiryDefault, c.ExpiryMax = 10, 20 })
	if got, err := try(0, false); err != nil || got != 10*day {
		t.Errorf("the installation's own: %v, %v", got, err)
	}
	_, err := try(0, true)
	refused(t, err, api.CodeInvalid, "expires")
}

func TestATokenExpiresByItself(t *testing.T) {
	w := newWorld(t)
	in := wants("Short")
	in.Expires = ptr(w.now().Add(time.Hour))
	sid := w.create(w.admin, agency, in).Token.SID
	w.pass(time.Hour - time.Microsecond)
	if got := w.token(sid); got.State != api.StateEnabled {
		t.Errorf("before its end it is %s", got.State)
	}
	w.pass(time.Microsecond)
	if got := w.token(sid); got.State != api.StateExpired || !got.StateSince.Equal(*in.Expires) {
		t.Errorf("at its end it is %s since %v", got.State, got.StateSince)
	}
	for state, want := range map[api.State]int64{api.StateExpired: 1, api.StateEnabled: 0, api.StateDisabled: 0, "": 1} {
		page, err := w.Tokens(t.Context(), w.admin, agency, authority.TokenQuery{State: state})
		if err != nil || page.Total != want || len(page.Items) != int(want) {
			t.Errorf("filter %q: %d, %v", state, page.Total, err)
		}
	}
	_, err := w.Tokens(t.Context(), w.admin, agency, authority.TokenQuery{State: "deleted"})
	refused(t, err, api.CodeInvalid, "state")
}

func TestReach(t *testing.T) {
	w := newWorld(t)
	ctx, n := t.Context(), 0
	try := func(by authority.Actor, account int64, reach api.Reach, brands []int64, version string, scopes ...string) (api.Token, error) {
		n++
		out, err := w.CreateToken(ctx, by, account, api.TokenCreate{Name: fmt.Sprint("R", n), Reach: reach, Brands: brands, BrandVersion: version, Scopes: scopes}, authority.Once{})
		return out.Token, err
	}
	for _, reach := range []api.Reach{"", api.ReachNone} {
		got, err := try(w.admin, agency, reach, nil, "", "jobs.read")
		if err != nil || got.Reach != api.ReachNone || len(got.Pins) != 1 || len(got.Brands) != 0 {
			t.Errorf("%q: %+v, %v", reach, got, err)
		}
	}
	got, err := try(w.admin, agency, api.ReachAll, nil, "", "brand/ads.read")
	if err != nil || got.Reach != api.ReachAll || len(got.Pins) != 2 || got.Pins[1].Version != "8" {
		t.Errorf("all: %+v, %v", got, err)
	}
	got, err = try(w.admin, agency, api.ReachList, []int64{brandB, brandA}, "7", "brand/ads.read")
	if err != nil || !slices.Equal(got.Brands, []int64{brandA, brandB}) || got.Pins[1].Version != "7" {
		t.Errorf("list: %+v, %v", got, err)
	}
	for _, c := range []struct {
		name   string
		by     authority.Actor
		at     int64
		reach  api.Reach
		brands []int64
		brandV string
		scopes []string
		field  string
	}{
		{"a brand that is not managed", w.admin, agency, api.ReachList, []int64{brandA, foreign}, "", nil, "brands"},
		{"no such brand", w.admin, agency, api.ReachList, []int64{unknown}, "", nil, "brands"},
		{"an agency as a brand", w.admin, agency, api.ReachList, []int64{agency}, "", nil, "brands"},
		{"an empty list", w.admin, agency, api.ReachList, nil, "", nil, "brands"},
		{"brands without reach", w.admin, agency, api.ReachNone, []int64{brandA}, "", nil, "brands"},
		{"brands beside all", w.admin, agency, api.ReachAll, []int64{brandA}, "", nil, "brands"},
		{"an unknown reach", w.admin, agency, "some", nil, "", nil, "reach"},
		{"a brand's own token", w.brandAdmin, brandA, api.ReachAll, nil, "", nil, "reach"},
		{"brand scopes without reach", w.admin, agency, api.ReachNone, nil, "", []string{"brand/ads.read"}, "scopes"},
		{"a scope of an API that is not nested", w.admin, agency, api.ReachAll, nil, "", []string{"counterfoil/tokens.list-tokens"}, "scopes"},
		{"a scope of no API", w.admin, agency, api.ReachAll, nil, "", []string{"nothing/ads.read"}, "scopes"},
		{"a brand scope unqualified", w.admin, agency, api.ReachAll, nil, "", []string{"ads.read"}, "scopes"},
		{"a newer brand scope in the older version", w.admin, agency, api.ReachAll, nil, "7", []string{"brand/ads.make-ad"}, "scopes"},
		{"no such brand version", w.admin, agency, api.ReachAll, nil, "99", nil, "brand_version"},
		{"a rival's reach", w.rivalAdmin, rival, api.ReachList, []int64{brandA}, "", nil, "brands"},
	} {
		_, err := try(c.by, c.at, c.reach, c.brands, c.brandV, c.scopes...)
		if err == nil {
			t.Errorf("%s: passed", c.name)
			continue
		}
		refused(t, err, api.CodeInvalid, c.field)
	}
}

func TestVersionsThatCanBeChosen(t *testing.T) {
	w := newWorld(t)
	n := 0
	try := func(apiName, version string, scopes ...string) (api.Token, error) {
		n++
		out, err := w.CreateToken(t.Context(), w.admin, agency, api.TokenCreate{Name: fmt.Sprint("V", n), API: apiName, Version: version, Scopes: scopes}, authority.Once{})
		return out.Token, err
	}
	for version, want := range map[string]string{"": "3", "2": "2", "3": "3", "4": "4"} {
		if got, err := try("", version); err != nil || got.Version != want || got.API != "agency" {
			t.Errorf("%q: %s, %v", version, got.Version, err)
		}
	}
	for _, c := range [][3]string{
		{"agency", "1", "version"}, {"agency", "9", "version"}, {"agency", "3\n", "version"}, {"brand", "8", "api"}, {"nothing", "", "api"},
	} {
		_, err := try(c[0], c[1])
		refused(t, err, api.CodeInvalid, c[2])
	}
	_, err := try("agency", "2", "jobs.run-job") // only version 3 has it
	refused(t, err, api.CodeInvalid, "scopes")
	_, err = try("agency", "3", "jobs.cancel-job") // only version 2 has it
	refused(t, err, api.CodeInvalid, "scopes")

	// A version is over on the day of its sunset, without anybody's act.
	w.pass(time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC).Sub(w.now()) - time.Microsecond)
	old, err := try("agency", "2")
	if err != nil {
		t.Fatal(err)
	}
	w.pass(time.Microsecond)
	_, err = try("agency", "2")
	refused(t, err, api.CodeInvalid, "version")
	if got := w.token(old.SID); got.Pins[0].VersionState != "retired" || got.Pins[0].LatestName != "3" {
		t.Errorf("%+v", got.Pins[0])
	}
	_, err = w.DuplicateToken(t.Context(), w.admin, agency, old.SID, api.TokenDuplicate{Name: "Copy of the old"}, authority.Once{})
	refused(t, err, api.CodeInvalid, "version")
}

// A token may open hundreds of operations, and its history still says which.
func TestATokenWithHundredsOfScopes(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	var operations []string
	for n := range 900 {
		operations = append(operations, fmt.Sprintf("GET /Agencies/{AccountSID}/Thing%03d Things%d readThingNumber%03d", n, n%9, n))
	}
	folder := small()
	folder["agency3.json"].Data = document("Agency API", operations...)
	text := strings.Replace(smallFile, "    scopes:\n      keys.get-key: {sensitive: \"shows the keys of every brand\"}\n", "", 1)
	folder["catalog.yaml"].Data = []byte(text)
	w.publish(folder)
	var all []string
	for n := range 900 {
		all = append(all, fmt.Sprintf("things%d.read-thing-number%03d", n%9, n))
	}
	made := w.create(w.admin, agency, wants("Everything", all...))
	if len(made.Token.Pins[0].Scopes) != 900 {
		t.Fatalf("%d scopes", len(made.Token.Pins[0].Scopes))
	}
	if _, err := w.EditToken(ctx, w.admin, agency, made.Token.SID, api.TokenEdit{Scopes: &[]string{}, Revision: 1}); err != nil {
		t.Fatal(err)
	}
	page, err := w.History(ctx, w.admin, agency, authority.HistoryQuery{Subject: made.Token.SID})
	if err != nil || len(page.Items) != 2 {
		t.Fatalf("%d events: %v", len(page.Items), err)
	}
	for i, side := range []func(api.HistoryPair) string{func(p api.HistoryPair) string { return p.Before }, func(p api.HistoryPair) string { return p.After }} {
		var told strings.Builder
		for _, d := range page.Items[i].Details {
			told.WriteString(side(d) + ", ")
		}
		for _, s := range all {
			if !strings.Contains(told.String(), s) {
				t.Fatalf("event %d does not tell of %s", i, s)
			}
		}
	}
}
