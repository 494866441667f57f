package console

import (
	"archive/zip"
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"mime/multipart"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"testing/fstest"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/authority"
	"counterfoil.dev/counterfoil/internal/console/view"
)

func (c *Console) catalogue(v *visit) error { return c.drawCatalogue(v, nil) }

func (c *Console) drawCatalogue(v *visit, errs view.Errors) error {
	state, err := c.authority.Catalogue(v.r.Context(), v.by)
	if err != nil {
		return err
	}
	offer, err := c.authority.Published(v.r.Context(), v.by)
	if err != nil {
		return err
	}
	p := view.CataloguePage{Frame: v.frame(), APIs: released(catalogueAPIs(state.APIs), offer), Published: state.Published, By: state.By, Hash: state.Hash, Errors: errs}
	return v.draw(statusOf(errs), view.Catalogue(p))
}

func catalogueAPIs(list []api.CatalogAPI) []view.CatalogueAPI {
	var out []view.CatalogueAPI
	for _, a := range list {
		if a.Version == "" {
			continue
		}
		ver := view.CatalogueVersion{
			Version:    view.Version{API: a.API, Title: a.Title, Name: a.Version, Standing: view.Standing(a.State)},
			Operations: a.Published, Read: a.Operations, Scopes: a.Scopes, Tokens: int(a.Tokens), Problems: len(a.Problems),
		}
		if a.Deprecated != nil {
			ver.Deprecated = *a.Deprecated
		}
		if a.Sunset != nil {
			ver.Version.Sunset = *a.Sunset
		}
		i := slices.IndexFunc(out, func(x view.CatalogueAPI) bool { return x.Name == a.API })
		if i < 0 {
			i = len(out)
			out = append(out, view.CatalogueAPI{Name: a.API, Title: a.Title})
		}
		out[i].Versions = append(out[i].Versions, ver)
	}
	return out
}

// released adds what the catalogue says of each API and version beside the counts.
func released(list []view.CatalogueAPI, offer api.Offer) []view.CatalogueAPI {
	for i := range list {
		for j := range list[i].Versions {
			o, ok := findVersion(offer, list[i].Name, list[i].Versions[j].Version.Name)
			if !ok {
				continue
			}
			list[i].Base = o.api.Base
			if o.version.Released != nil {
				list[i].Versions[j].Released = *o.version.Released
			}
		}
	}
	return list
}

// maxUpload bounds the files of one upload, in octets.
const maxUpload = 64 << 20

// uploads keeps packed catalogues between the page that shows the differences and the one that
// publishes: a few, for an hour, in memory.
type uploads struct {
	mu   sync.Mutex
	kept map[string]upload
}

type upload struct {
	person string
	packed []byte
	hash   string // of the catalogue that the differences were shown against
	at     time.Time
}

const (
	uploadLife = time.Hour
	uploadsMax = 8
)

func newUploads() *uploads { return &uploads{kept: map[string]upload{}} }

func (u *uploads) keep(one upload) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	oldest := ""
	for id, k := range u.kept {
		if one.at.Sub(k.at) > uploadLife {
			delete(u.kept, id)
		} else if oldest == "" || k.at.Before(u.kept[oldest].at) {
			oldest = id
		}
	}
	if len(u.kept) >= uploadsMax {
		delete(u.kept, oldest)
	}
	id := rand.Text()
	u.kept[id] = one
	return id
}

// shown notes the catalogue that the differences were shown against: publishing over another one is a
// conflict.
func (u *uploads) shown(id, hash string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if one, ok := u.kept[id]; ok {
		one.hash = hash
		u.kept[id] = one
	}
}

func (u *uploads) get(id, person string, now time.Time) (upload, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	one, ok := u.kept[id]
	return one, ok && one.person == person && now.Sub(one.at) <= uploadLife
}

// parseUpload reads a multipart form: its files stay in memory up to a bound, then go to temporary files.
func parseUpload(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxUpload+1<<20)
	if err := r.ParseMultipartForm(8 << 20); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return err
		}
		return api.Invalid("file", "could not be read; choose the files again")
	}
	return nil
}

// uploadedFolder is what was uploaded: one zip, or the catalogue file with its documents.
func uploadedFolder(files []*multipart.FileHeader) (fs.FS, error) {
	folder := fstest.MapFS{}
	for _, header := range files {
		data, err := readPart(header)
		if err != nil {
			return nil, err
		}
		if len(files) == 1 && strings.HasSuffix(header.Filename, ".zip") {
			return zipFolder(data)
		}
		folder[path.Clean(strings.TrimPrefix(header.Filename, "/"))] = &fstest.MapFile{Data: data}
	}
	return rooted(folder)
}

func readPart(header *multipart.FileHeader) (_ []byte, err error) {
	f, err := header.Open()
	if err != nil {
		return nil, api.Invalid("file", "could not be read; choose the files again")
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return io.ReadAll(io.LimitReader(f, maxUpload))
}

func zipFolder(data []byte) (fs.FS, error) {
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, api.Invalid("file", "is no zip archive that can be read")
	}
	return rooted(archive)
}

// rooted finds the folder of catalog.yaml: at the root, or one folder down, as archives often have it.
func rooted(folder fs.FS) (fs.FS, error) {
	for _, pattern := range []string{"catalog.yaml", "*/catalog.yaml"} {
		found, err := fs.Glob(folder, pattern)
		if err == nil && len(found) == 1 {
			return fs.Sub(folder, path.Dir(found[0]))
		}
	}
	return nil, api.Invalid("file", "must hold one catalog.yaml, at the top or one folder down")
}

// catalogueDiff shows what publishing the uploaded documents would change. Nothing is changed yet.
func (c *Console) catalogueDiff(v *visit) error {
	if v.r.MultipartForm == nil {
		return c.again(v, nil)
	}
	files := v.r.MultipartForm.File["file"]
	if len(files) == 0 {
		return c.drawCatalogue(v, view.Errors{{Field: "file", Message: "Choose a zip archive, or the catalogue file with its documents."}})
	}
	folder, err := uploadedFolder(files)
	if err == nil {
		var packed []byte
		if packed, err = authority.DocumentsFrom(folder); err == nil {
			id := c.uploads.keep(upload{person: v.by.Person, packed: packed, at: v.now})
			return c.drawDiff(v, id, packed, nil, nil)
		}
		err = api.Invalid("file", err.Error())
	}
	if errs, ok := fieldErrors(err, nil); ok {
		return c.drawCatalogue(v, errs)
	}
	return err
}

// again shows the differences of an upload that is kept.
func (c *Console) again(v *visit, errs view.Errors) error {
	id := v.form.Get("upload")
	kept, ok := c.uploads.get(id, v.by.Person, v.now)
	if !ok {
		return c.drawCatalogue(v, view.Errors{{Field: "file", Message: "The upload is no longer kept. Choose the files again."}})
	}
	return c.drawDiff(v, id, kept.packed, v.form["public"], errs)
}

func (c *Console) drawDiff(v *visit, id string, packed []byte, confirmed []string, errs view.Errors) error {
	diff, err := c.authority.DiffCatalogue(v.r.Context(), v.by, api.CatalogUpload{Documents: packed, Confirmed: confirmed})
	if fe, ok := fieldErrors(err, map[string]string{"documents": "file"}); ok {
		return c.drawCatalogue(v, fe)
	} else if err != nil {
		return err
	}
	c.uploads.shown(id, diff.Hash)
	p := view.CatalogueDiffPage{
		Frame: v.frame(), Upload: id, APIs: catalogueAPIs(diff.APIs), Fatal: diff.Fatal, Problems: documentProblems(diff.APIs), Errors: errs,
	}
	for _, change := range diff.Changes {
		p.Changes = append(p.Changes, scopeChange(change))
	}
	for _, t := range diff.Tokens {
		row, err := c.tokenChange(v, t)
		if err != nil {
			return err
		}
		p.Tokens = append(p.Tokens, row)
	}
	for _, value := range slices.Concat(confirmed, diff.Unanswered) {
		p.Public = append(p.Public, publicOperation(value, slices.Contains(confirmed, value)))
	}
	return v.draw(statusOf(errs), view.CatalogueDiff(p))
}

func documentProblems(list []api.CatalogAPI) []view.DocumentProblem {
	var out []view.DocumentProblem
	for _, a := range list {
		for _, p := range a.Problems {
			out = append(out, view.DocumentProblem{File: p.File, Line: p.Line, Severity: p.Severity, Text: p.Text})
		}
	}
	return out
}

func scopeChange(change api.CatalogChange) view.ScopeChange {
	out := view.ScopeChange{
		Version: view.Version{API: change.API, Title: change.API, Name: change.Version},
		Scope:   change.Scope, Label: change.Text, Kind: strings.TrimPrefix(change.Kind, "scope-"),
	}
	for _, d := range change.Details {
		method, p, _ := strings.Cut(d, " ")
		out.Details = append(out.Details, view.Operation{Method: method, Path: p})
	}
	return out
}

func (c *Console) tokenChange(v *visit, t api.TokenChange) (view.TokenChange, error) {
	token, err := c.authority.Token(v.r.Context(), v.by, t.Account, t.SID)
	if err != nil {
		return view.TokenChange{}, err
	}
	out := view.TokenChange{Token: v.card(token, api.Offer{}), Gains: t.Grows, Loses: t.Shrinks}
	if t.Account != 0 {
		a, err := c.authority.Account(v.r.Context(), v.by, t.Account)
		if err != nil {
			return out, err
		}
		out.Account = accountWords(a)
	}
	return out, nil
}

// publicOperation takes "api/version METHOD /path" apart.
func publicOperation(value string, confirmed bool) view.PublicOperation {
	at, rest, _ := strings.Cut(value, " ")
	apiName, version, _ := strings.Cut(at, "/")
	method, p, _ := strings.Cut(rest, " ")
	return view.PublicOperation{
		Value: value, Version: view.Version{API: apiName, Title: apiName, Name: version},
		Operation: view.Operation{Method: method, Path: p}, Confirmed: confirmed,
	}
}

// cataloguePublish makes an upload the live catalogue.
func (c *Console) cataloguePublish(v *visit) error {
	kept, ok := c.uploads.get(v.form.Get("upload"), v.by.Person, v.now)
	if !ok {
		return c.again(v, nil)
	}
	diff, err := c.authority.PublishCatalogue(v.r.Context(), v.by, api.CatalogUpload{Documents: kept.packed, Confirmed: v.form["public"], Hash: kept.hash})
	if _, invalid := fieldErrors(err, nil); invalid {
		return c.again(v, nil) // the fatal findings are on the page
	} else if errs, conflict := conflictOr(err, "tokens-h"); conflict {
		return c.again(v, errs)
	} else if err != nil {
		return err
	}
	word := "published"
	if diff.Hash == diff.NewHash {
		word = "same"
	}
	return v.redirect(said(view.PathOperatorCatalogue, word))
}

// operatorPeople lists the operators.
func (c *Console) operatorPeople(v *visit) error { return c.drawPeople(v, "", nil) }

func (c *Console) drawPeople(v *visit, email string, errs view.Errors) error {
	people, err := c.authority.Operators(v.r.Context(), v.by)
	if err != nil {
		return err
	}
	p := view.PeoplePage{Frame: v.frame(), Query: strings.TrimSpace(v.r.URL.Query().Get("q")), Email: email, Errors: errs}
	query := strings.ToLower(p.Query)
	for _, one := range people {
		if !strings.Contains(strings.ToLower(one.Name+"\n"+one.Email), query) {
			continue
		}
		p.People = append(p.People, view.PersonRow{Person: view.Person{ID: one.Person, Name: one.Name, Email: one.Email}, Operator: true})
	}
	p.Pager = view.Pager{First: min(1, len(p.People)), Last: len(p.People), Total: len(p.People)}
	return v.draw(statusOf(errs), view.People(p))
}

func (c *Console) operatorInvite(v *visit) error {
	email := strings.TrimSpace(v.form.Get("email"))
	err := c.authority.InviteOperator(v.r.Context(), v.by, email)
	if errs, ok := conflictOr(err, "email"); ok {
		return c.drawPeople(v, email, errs)
	} else if err != nil {
		return err
	}
	return v.redirect(said(view.PathOperatorPeople, "invited"))
}
