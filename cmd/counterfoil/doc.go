// Command counterfoil is the whole product in one binary: the desk, its verifier and doors, the sample,
// and the client commands.
//
// main.go runs a command and turns its error into an exit code: 0 done, 1 refused or failed, 2 wrong usage.
// command.go is the table of all commands. Each noun has a file of its own that begins with the list of
// its verbs.
//
// Client commands (token, whoami, member, account, catalog, audit) speak to the management API through
// api.Client and to nothing else; connect.go finds out where it is and with which token. A token comes
// from the environment or from a profile, never from an argument, which every user of the machine could
// read. output.go writes what people read and, with --json, what programs read; confirm.go asks before
// what cannot be undone.
//
// serve reads the one configuration file (config.go has its keys, config_read.go tells all faults with their
// lines), takes the database's lock (lock.go), builds the desk and its verifier (wire.go, verifier_node.go)
// and listens. demo is the same on a folder of its own, with sample data that it makes through the acts of
// the desk (demo_seed.go): what it writes last, demo.json, says that all is there.
//
// What lives elsewhere: everything. This package wires, and holds the only flags, environment and
// configuration file of the product.
package main
