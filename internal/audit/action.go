package audit

// Action is what was done. The list is closed; names are never changed or reused, since they are in
// the history for ever. An attempt that was refused has the same action and the outcome [Refused].
type Action string

// Actions.
const (
	SetUpOperator  Action = "operator.set_up"
	InviteOperator Action = "operator.invite"

	CreateAccount  Action = "account.create"
	EditAccount    Action = "account.edit"
	SuspendAccount Action = "account.suspend"
	ResumeAccount  Action = "account.resume"

	CreateManagement Action = "management.create"
	EndManagement    Action = "management.end"

	InviteMember         Action = "member.invite"
	JoinMember           Action = "member.join"
	ChangeRole           Action = "member.role"
	ChangeAllowSensitive Action = "member.allow_sensitive"
	RemoveMember         Action = "member.remove"

	SignIn            Action = "person.sign_in"
	SignOut           Action = "person.sign_out"
	SignOutEverywhere Action = "person.sign_out_everywhere"
	ForgetPassword    Action = "person.password_forgotten"
	ResetPassword     Action = "person.password_reset"
	ChangePassword    Action = "person.password_change"
	DisablePerson     Action = "person.disable"
	EnablePerson      Action = "person.enable"
	RenamePerson      Action = "person.rename"

	CreateToken    Action = "token.create"
	EditToken      Action = "token.edit"
	DuplicateToken Action = "token.duplicate"
	ResetToken     Action = "token.reset"
	DisableToken   Action = "token.disable"
	EnableToken    Action = "token.enable"
	UpgradeToken   Action = "token.upgrade"
	DeleteToken    Action = "token.delete"
	FirstCall      Action = "token.first_call"

	PublishCatalogue Action = "catalogue.publish"
	WithholdScope    Action = "scope.withhold"
	ReleaseScope     Action = "scope.release"
	EditPolicy       Action = "policy.edit"
)

// actionWords is the closed list, in the order in which a filter offers it. The words follow a name:
// "Ada Byron created the access token".
var actionWords = []struct {
	action        Action
	done, refused string
}{
	{CreateToken, "created the access token", "create an access token"},
	{EditToken, "changed the access token", "change the access token"},
	{DuplicateToken, "duplicated the access token", "duplicate the access token"},
	{ResetToken, "reset the secret of the access token", "reset the secret of the access token"},
	{DisableToken, "disabled the access token", "disable the access token"},
	{EnableToken, "enabled the access token", "enable the access token"},
	{UpgradeToken, "upgraded the version of the access token", "upgrade the version of the access token"},
	{DeleteToken, "deleted the access token", "delete the access token"},
	{FirstCall, "saw the first call of the access token", "report a first call of the access token"},

	{InviteMember, "invited a member", "invite a member"},
	{JoinMember, "accepted the invitation", "accept an invitation"},
	{ChangeRole, "changed the role of a member", "change the role of a member"},
	{ChangeAllowSensitive, "changed whether a member may give sensitive scopes", "change whether a member may give sensitive scopes"},
	{RemoveMember, "removed a member", "remove a member"},

	{SignIn, "signed in", "sign in"},
	{SignOut, "signed out", "sign out"},
	{SignOutEverywhere, "signed out everywhere", "sign out everywhere"},
	{ForgetPassword, "asked for a new password", "ask for a new password"},
	{ResetPassword, "set a new password from a link", "set a new password from a link"},
	{ChangePassword, "changed the password", "change the password"},
	{DisablePerson, "disabled a person", "disable a person"},
	{EnablePerson, "enabled a person", "enable a person"},
	{RenamePerson, "changed their name", "change their name"},

	{CreateAccount, "created the account", "create an account"},
	{EditAccount, "changed the account", "change the account"},
	{SuspendAccount, "suspended the account", "suspend the account"},
	{ResumeAccount, "resumed the account", "resume the account"},
	{CreateManagement, "let an agency manage a brand", "let an agency manage a brand"},
	{EndManagement, "ended the management of a brand", "end the management of a brand"},

	{PublishCatalogue, "published the catalogue", "publish the catalogue"},
	{WithholdScope, "withheld a scope from the account", "withhold a scope from the account"},
	{ReleaseScope, "released a scope to the account", "release a scope to the account"},
	{EditPolicy, "changed the token policy", "change the token policy"},
	{SetUpOperator, "set up the first operator", "set up the first operator"},
	{InviteOperator, "invited an operator", "invite an operator"},
}

// Actions lists every action, in the order in which a filter offers them.
func Actions() []Action {
	all := make([]Action, len(actionWords))
	for i, a := range actionWords {
		all[i] = a.action
	}
	return all
}

// Words says what was done, as it reads after a name: "created the access token". An unknown action
// reads as its own name.
func (a Action) Words() string { return a.WordsFor(Done) }

// WordsFor is [Action.Words] for an outcome: a refused attempt reads "was refused: create an access
// token".
func (a Action) WordsFor(o Outcome) string {
	for _, w := range actionWords {
		switch {
		case w.action != a:
		case o == Done:
			return w.done
		default:
			return "was refused: " + w.refused
		}
	}
	return string(a)
}

func (a Action) known() bool {
	for _, w := range actionWords {
		if w.action == a {
			return true
		}
	}
	return false
}
