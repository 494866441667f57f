package console

import (
	"net/http"
	"strconv"
	"strings"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/console/view"
)

// home leads to where a person works.
func (c *Console) home(v *visit) error {
	if v.account == 0 {
		return v.redirect(view.PathOperator)
	}
	return v.redirect(view.PathTokens)
}

// switchAccount changes the account at the top of the menu.
func (c *Console) switchAccount(v *visit) error {
	account, err := strconv.ParseInt(v.form.Get("account"), 10, 64)
	if err != nil {
		return api.NotFound("account")
	}
	if err := c.people.Choose(v.r.Context(), v.session, account); err != nil {
		return err
	}
	return v.redirect(view.PathTokens)
}

func (c *Console) settings(v *visit) error {
	return v.draw(http.StatusOK, view.Settings(view.SettingsPage{Frame: v.frame()}))
}

// nothing answers every path that is none of ours.
func (c *Console) nothing(v *visit) error {
	if v.r.Method != http.MethodGet && v.r.Method != http.MethodHead {
		return &api.Error{
			Code: api.CodeUnsupported, Status: http.StatusMethodNotAllowed, Title: "Method not allowed",
			Detail: "This address does not take the method " + strings.ToUpper(v.r.Method) + ".",
		}
	}
	return api.NotFound("page")
}

// serveAsset answers a file whose name holds the hash of its content.
func serveAsset(w http.ResponseWriter, r *http.Request) {
	f, ok := view.Assets()[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.Type)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Vary", "Accept-Encoding")
	body := f.Bytes
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = f.Gzip
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodHead {
		return
	}
	if _, err := w.Write(body); err != nil {
		return // the reader left; there is nobody to tell
	}
}
