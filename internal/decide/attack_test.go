package decide_test

import (
	"testing"

	"counterfoil.dev/counterfoil/internal/decide"
)

// TestATextAroundTheBrandDoesNotHideIt: SECURITY.md, class 35. An agency's own operation on a brand, spelt
// /Advertisers/{AdvertiserId}:end, was not judged for management and reach, because a colon in the brand's
// place was taken for a path that no brand is in.
func TestATextAroundTheBrandDoesNotHideIt(t *testing.T) {
	table := compile(t, parseCatalogue(t, `
		api agency /A/{SID} sid
		  through /A/{SID}/B/{Brand} brand
		  version 1 current
		    POST /B/{Brand}:end = x.y
		    POST /B/{Brand}:end/Jobs = x.y
		    POST /B/all:end = x.y
		api brand /B/{SID} sid
		  version 1 current
		    GET /Jobs = x.y`))
	caller := callerLine{pins: []pinLine{{"agency", "1", []string{"x.y"}}}}.in(table)
	caller.SID, caller.Managed, caller.Reach = "S", []int64{12, 13}, []int64{12}
	for path, want := range map[string]decide.Reason{
		"12:end": decide.Allow, "13:end": decide.BrandOutOfReach, "99:end": decide.BrandNotManaged, "012:end": decide.NoRoute,
		"12:end/Jobs": decide.Allow, "13:end/Jobs": decide.BrandOutOfReach, "all:end": decide.Allow,
	} {
		if got, _, v := ask(table, &decide.Request{Method: "POST", Target: "/A/S/B/" + path}, caller); got != want {
			t.Errorf("%s: %v for brand %d, want %v", path, got, v.Brand, want)
		}
	}
}

// TestAFormatDoesNotHideTextAroundAParameter: SECURITY.md, class 4. Beside /Jobs/{Id}, a server that cuts a
// format runs /Jobs/run-{Id}-now for /Jobs/run-7-now.json, which was judged as a plain /Jobs/{Id}.
func TestAFormatDoesNotHideTextAroundAParameter(t *testing.T) {
	table := compile(t, parseCatalogue(t, `
		api a /A/{SID} sid
		  version 1 current
		    GET /Jobs/{Id} = jobs.get
		    GET /Jobs/run-{Id}-now = jobs.run
		    GET /Jobs/in-{Id}-only/deep = jobs.deep`))
	caller := callerLine{pins: []pinLine{{"a", "1", []string{"jobs.get"}}}}.in(table)
	caller.SID = "S"
	for path, want := range map[string]decide.Reason{
		"run-7-now.json": decide.MalformedRequest, "RUN-7-now.csv": decide.MalformedRequest, "run-7-now": decide.InsufficientScope,
		"run-7.json": decide.Allow, "7.json": decide.Allow, "in-7-only.json": decide.Allow, "run--now.json": decide.Allow,
	} {
		if got, _, _ := ask(table, &decide.Request{Method: "GET", Target: "/A/S/Jobs/" + path}, caller); got != want {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
}

// TestALiteralThatEndsNowhereStillLooksAlike: SECURITY.md, class 4. Below a literal that no parameter stands
// beside, another spelling of a literal was not looked at, and the path was judged by a wider template:
// /Jobs/EXPORT as /{Kind}/{Id}, where a server that folds case runs /Jobs/export.
func TestALiteralThatEndsNowhereStillLooksAlike(t *testing.T) {
	table := compile(t, parseCatalogue(t, `
		api a /A/{SID} sid
		  version 1 current
		    GET /{Kind}/{Id} = any.get
		    GET /{Kind}/{Id}/{Part} = any.get
		    GET /Jobs/export = jobs.export
		    GET /Runs/v{Id}/all = jobs.all`))
	caller := callerLine{pins: []pinLine{{"a", "1", []string{"any.get"}}}}.in(table)
	caller.SID = "S"
	for path, want := range map[string]decide.Reason{
		"Jobs/EXPORT": decide.MalformedRequest, "Jobs/export.json": decide.MalformedRequest, "jobs/EXPORT": decide.MalformedRequest,
		"Runs/V7/all": decide.MalformedRequest, "Runs/v7/ALL": decide.MalformedRequest,
		"Jobs/7": decide.Allow, "Ads/EXPORT": decide.Allow, "Runs/7/all": decide.Allow, "Jobs/export": decide.InsufficientScope,
	} {
		if got, _, _ := ask(table, &decide.Request{Method: "GET", Target: "/A/S/" + path}, caller); got != want {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
}

// TestNoFormatHidesADotSegment: SECURITY.md, classes 1 and 4. To a server that cuts a format, /Jobs/...json is
// /Jobs/.., whether the API declares the format or not.
func TestNoFormatHidesADotSegment(t *testing.T) {
	for _, suffix := range []string{"", "suffix .json"} {
		table := compile(t, parseCatalogue(t, `
			api a /A/{SID} sid
			  `+suffix+`
			  version 1 current
			    GET /Jobs/{Id} = jobs.get
			    GET /.well-known/{Id} = jobs.get`))
		caller := callerLine{pins: []pinLine{{"a", "1", []string{"jobs.get"}}}}.in(table)
		caller.SID = "S"
		for path, want := range map[string]decide.Reason{
			"Jobs/...json": decide.MalformedRequest, "Jobs/..json": decide.MalformedRequest, "Jobs/...": decide.MalformedRequest,
			"Jobs/..a": decide.MalformedRequest, "Jobs/.a": decide.Allow, "Jobs/a..json": decide.Allow, ".well-known/x": decide.Allow,
		} {
			if got, _, _ := ask(table, &decide.Request{Method: "GET", Target: "/A/S/" + path}, caller); got != want {
				t.Errorf("%s%s: %v, want %v", suffix, path, got, want)
			}
		}
	}
}
