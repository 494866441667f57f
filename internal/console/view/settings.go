package view

// SettingsPage is GET PathSettings: columns of groups of links. The Account column with its Technical
// group leads to the tokens.
type SettingsPage struct {
	Frame Frame
}

// ProblemPage answers what cannot be done: 403, 404 (the same for what does not exist and what is
// another account's), 409, 500 and the rest. With a zero Frame.Person it is drawn without menu.
type ProblemPage struct {
	Frame  Frame
	Status int
	Code   string // the stable code, linked to its heading in the docs; "" for none
	Title  string
	Detail string
	Fix    Link // where to go on; zero: back to the tokens
}
