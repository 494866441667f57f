package rest

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/authority"
	"counterfoil.dev/counterfoil/internal/httpx"
	"counterfoil.dev/counterfoil/internal/verify"
)

// Base is the path below which everything here lies.
const Base = "/api/v1"

const (
	documentPath = Base + "/openapi.json"
	maxBody      = 1 << 20  // octets of a body
	maxUpload    = 64 << 20 // octets of a body that carries a catalogue
)

// Config is what the management API stands on.
type Config struct {
	Authority *authority.Authority // required
	Verifier  *verify.Verifier     // required: judges every credential
	Nodes     []Node               // verifiers elsewhere that may follow the feed; nil: none
	Ending    <-chan struct{}      // closed when the listener stops: long answers end then; nil means never
	Log       *slog.Logger         // nil means slog.Default
}

// server has one method per operation.
type server struct {
	authority *authority.Authority
	verifier  *verify.Verifier
	nodes     []Node
	ending    <-chan struct{}
	log       *slog.Logger
	uploads   chan struct{} // one place: a catalogue under work takes hundreds of megabytes
}

// New is the handler for everything below [Base]. It bounds its bodies itself, to 1 MiB, and to 64 MiB
// where a catalogue is uploaded; a listener around it must let that much pass.
func New(c Config) http.Handler {
	s := &server{authority: c.Authority, verifier: c.Verifier, nodes: c.Nodes, ending: c.Ending, log: c.Log, uploads: make(chan struct{}, 1)}
	if s.log == nil {
		s.log = slog.Default()
	}
	mux := http.NewServeMux()
	document := encode(s.register(mux))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		httpx.WriteError(w, r, api.NotFound("operation"))
	})
	guarded := s.guard(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if r.RequestURI == documentPath && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
			w.Header().Set("Content-Type", "application/json")
			if _, err := w.Write(document); err != nil {
				s.log.DebugContext(r.Context(), "the caller was gone before the answer", "error", err)
			}
			return
		}
		if isFeed(r) {
			s.feed(w, r)
			return
		}
		guarded.ServeHTTP(w, r)
	})
}

// Document is the OpenAPI 3.1 document of the management API, indented, the same octets at every call.
func Document() []byte {
	return encode((&server{}).register(http.NewServeMux()))
}

func encode(document *huma.OpenAPI) []byte {
	raw, err := json.Marshal(document)
	if err != nil {
		panic("rest: the document is plain data: " + err.Error())
	}
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", "  "); err != nil {
		panic("rest: the document was just encoded: " + err.Error())
	}
	out.WriteByte('\n')
	return out.Bytes()
}

// register declares all operations on mux and returns their document.
func (s *server) register(mux *http.ServeMux) *huma.OpenAPI {
	setUpHuma()
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	h := humago.New(mux, huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Counterfoil management API", Version: authority.ZeroVersion,
				Description: "Everything that the console does, for scripts and infrastructure tools. Calls carry an API-zero token, " +
					"which opens this API and nothing else. What an operation needs ticked is the scope of its name.",
			},
			Components: &huma.Components{
				Schemas:   registry,
				Responses: map[string]*huma.Response{"Problem": problemResponse(registry)},
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"basic":  {Type: "http", Scheme: "basic", Description: "The SID as user name, the Auth Token as password."},
					"bearer": {Type: "http", Scheme: "bearer", Description: "The Auth Token."},
				},
			},
			Tags: categories,
		},
		Formats:                      map[string]huma.Format{"application/json": strictJSON, "json": strictJSON},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
	})
	s.routes(h)
	return h.OpenAPI()
}
