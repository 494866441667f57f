package console

import "net/http"

// Routes are the patterns of every page and form, for the table of who may open what.
func Routes() []string {
	var out []string
	(&Console{}).routes(func(pattern string, _ http.Handler) { out = append(out, pattern) })
	return out
}
