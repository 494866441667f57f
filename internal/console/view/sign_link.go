package view

// SignInLinkPage is GET and POST of a one-time sign-in link (the demo's). Posted field: key. The GET only
// shows the button: a preview of the link in a chat does not spend it.
type SignInLinkPage struct {
	Public Public
	Key    string
	Action string
}
