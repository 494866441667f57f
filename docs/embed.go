// Package docs carries those pages of this folder that the desk shows.
package docs

import _ "embed"

// Errors is errors.md: a heading for every code.
//
//go:embed errors.md
var Errors []byte
