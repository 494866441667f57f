package catalog

import (
	"regexp"
	"strconv"
	"time"
)

// civil is how dates are written, in the file and in the presentation.
const civil = "2006-01-02"

// relative is today, or so many days before or after: the sample catalogue must not grow old.
var relative = regexp.MustCompile(`^today(?:([+-][0-9]{1,5})d)?$`)

// fileDate is a date of the catalogue file: YYYY-MM-DD, today, today-30d or today+100d.
type fileDate struct {
	place
	text string
}

func (r *fileReader) intoDate(to *fileDate, what string) field {
	return func(n *node) {
		d := fileDate{r.at(n), r.text(n, what)}
		if _, ok := d.on(time.Time{}); !ok {
			r.fatal(d.place, "%s is %q; a date is YYYY-MM-DD, or today, today-30d, today+100d", what, d.text)
			return
		}
		*to = d
	}
}

// on resolves the date; now says what today is (its day in UTC). No date is the zero time.
func (d fileDate) on(now time.Time) (time.Time, bool) {
	if d.text == "" {
		return time.Time{}, true
	}
	if m := relative.FindStringSubmatch(d.text); m != nil {
		days := 0
		if m[1] != "" {
			n, err := strconv.Atoi(m[1])
			if err != nil {
				return time.Time{}, false
			}
			days = n
		}
		y, mo, day := now.UTC().Date()
		return time.Date(y, mo, day+days, 0, 0, 0, 0, time.UTC), true
	}
	t, err := time.Parse(civil, d.text)
	return t, err == nil && t.Year() >= 1970 && t.Year() < 10000
}

// dates are the three of a version, resolved.
type dates struct{ released, deprecated, sunset time.Time }

func (v *fileVersion) dates(now time.Time) dates {
	var out dates
	out.released, _ = v.released.on(now)
	out.deprecated, _ = v.deprecated.on(now)
	out.sunset, _ = v.sunset.on(now)
	return out
}

// written is the civil date, "" for none.
func written(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(civil)
}

// micros is the first microsecond of the day, 0 for no date.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// checkDates holds the order that RFC 8594 and RFC 9745 section 4 ask for: a version is deprecated
// before it goes.
func checkDates(r report, v *fileVersion, d dates) {
	switch {
	case !d.sunset.IsZero() && !d.deprecated.IsZero() && d.sunset.Before(d.deprecated):
		r.fatal(v.sunset.place, "sunset %s is before deprecated %s", written(d.sunset), written(d.deprecated))
	case !d.released.IsZero() && !d.deprecated.IsZero() && d.deprecated.Before(d.released):
		r.trouble(v.deprecated.place, "deprecated %s is before released %s", written(d.deprecated), written(d.released))
	case !d.released.IsZero() && !d.sunset.IsZero() && d.sunset.Before(d.released):
		r.trouble(v.sunset.place, "sunset %s is before released %s", written(d.sunset), written(d.released))
	}
	switch v.state {
	case "deprecated":
		if d.sunset.IsZero() {
			r.trouble(v.place, "version %s is deprecated but has no sunset date", v.name)
		}
		if d.deprecated.IsZero() {
			r.note(v.place, "version %s is deprecated but does not say since when", v.name)
		}
	case "preview", "current", "supported":
		if !d.sunset.IsZero() && d.deprecated.IsZero() {
			r.trouble(v.sunset.place, "version %s has a sunset date but no deprecation date", v.name)
		}
	}
}
