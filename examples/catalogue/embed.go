// Package catalogue carries the sample catalogue: catalog.yaml and the OpenAPI documents of the
// platform that examples/agencyapi plays, so that the demo needs no file beside the binary.
package catalogue

import "embed"

// FS holds catalog.yaml and, below agency and brand, one folder of documents for each version.
//
//go:embed catalog.yaml agency brand
var FS embed.FS
