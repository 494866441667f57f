package view

// MinPassword is the least number of characters of a password (ASVS 5.0, 6.2.1 asks for 8 and
// recommends 15).
const MinPassword = 15

// SignInPage is GET and POST PathSignIn. Posted fields: email, password, next, and Kept.
type SignInPage struct {
	Public Public
	Email  string
	Next   string // where to go afterwards: a path of ours, checked by the handler
	Errors Errors // fields: email, password; a wrong pair is one message on email, whoever exists (41a)
	// Expired says that a session ended while a form was being sent. What was typed is in Kept and is
	// carried through the sign-in; then Resubmit offers to send it.
	Expired bool
	Kept    []Kept // names as [KeptName] spells them
}

// KeptName is the name under which a field of an interrupted form travels through the sign-in, so
// that it cannot collide with email, password or csrf.
func KeptName(name string) string { return "kept." + name }

// SetUpPage is GET and POST PathSetUp: the first operator. Posted fields: key, name, email, password.
type SetUpPage struct {
	Public Public
	Key    string // the one-time secret of the link, carried in a hidden field and spent by the POST
	Name   string
	Email  string
	Errors Errors // fields: name, email, password
}

// InvitationPage is GET and POST PathInvitation. Posted fields: key, name, password; with Known only
// key and password, of the person that exists already.
type InvitationPage struct {
	Public  Public
	Key     string
	Account string // who invites
	By      string // "" when it is not known
	Role    Role
	Email   string // of the invited; not asked
	Name    string
	Known   bool   // a person with this address exists: they join with the password they have
	Errors  Errors // fields: name, password
}

// ForgotPage is GET and POST PathForgot. Posted field: email. The answer is the same whoever exists.
type ForgotPage struct {
	Public Public
	Email  string
	Sent   bool
	Lasts  string // how long the link works, when Sent: "30 minutes"
	Errors Errors
}

// ResetPasswordPage is GET and POST PathReset. Posted fields: key, password.
type ResetPasswordPage struct {
	Public Public
	Key    string
	Errors Errors // fields: password
}

// LinkExpiredPage answers a link that was spent, is too old or never was: one page for all.
type LinkExpiredPage struct {
	Public Public
	What   string // "invitation", "set-up link", "password link"
}

// SignedOutPage follows a sign-out.
type SignedOutPage struct {
	Public     Public
	Everywhere bool
}

// ResubmitPage follows a sign-in that interrupted a form: it offers to send what was typed.
type ResubmitPage struct {
	Frame  Frame
	Action string // a path of ours, checked by the handler
	What   string // "Create Access Token", the page that was left
	Kept   []Kept
}
