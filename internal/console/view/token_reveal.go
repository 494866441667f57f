package view

// TokenRevealPage is the answer to the POST that made a secret (create, duplicate, reset, enable with
// reset): never a redirect, always with Cache-Control: no-store. It is the only page that draws a
// Secret. app.js polls TokenPath(sid, "first-call") and turns the status green.
type TokenRevealPage struct {
	Frame     Frame
	Token     TokenCard
	Act       string // "created", "duplicated", "reset", "enabled"
	AuthToken Secret
	Call      Call   // a call that this token passes; an empty URL draws no command
	CallNote  string // when there is none: why; else "" or a note on it
	InForce   string // "In force on 3 of 3 verifiers", or ""
}
