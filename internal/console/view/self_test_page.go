package view

// SelfTestPage is GET PathOperatorSelfTest; its form posts url, host, account and mirror to it.
type SelfTestPage struct {
	Frame   Frame
	URL     string
	Host    string
	Hosts   []string // of the catalogue
	Account string   // number of the account that the run's token is made for
	Mirror  string   // host:port
	Errors  Errors   // fields: url, host, account, mirror

	Asked  string // what was asked; "" before a run
	Checks []SelfTestCheck
	Faults int
	Unseen int
	Call   string // the one call that reached the API, or the mirror; "" without a token
}

// SelfTestCheck is one thing that was looked at.
type SelfTestCheck struct {
	Title, Words string
	Kind         string // "fine", "fault", "not seen"
	Fixes        []SelfTestFix
}

// SelfTestFix is a line of a snippet.
type SelfTestFix struct{ Proxy, Line string }

func (c SelfTestCheck) class() string {
	switch c.Kind {
	case "fine":
		return "badge-good"
	case "not seen":
		return "badge-quiet"
	}
	return "badge-bad"
}

func hostChoices(hosts []string, chosen string) []Choice {
	out := make([]Choice, 0, len(hosts))
	for _, h := range hosts {
		out = append(out, Choice{Value: h, Label: h, Selected: h == chosen})
	}
	return out
}
