package console

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// draw renders a page whole before the first octet goes out, so that a fault is never half a page.
func (v *visit) draw(status int, page drawing) error {
	return draw(v.w, v.r, status, page)
}

// drawSecret is draw for the one page that shows a secret: as it is, never compressed.
func (v *visit) drawSecret(page drawing) error {
	body, err := rendered(v.r, page)
	if err != nil {
		return err
	}
	return answer(v.w, v.r, http.StatusOK, body)
}

func draw(w http.ResponseWriter, r *http.Request, status int, page drawing) error {
	body, err := rendered(r, page)
	if err != nil {
		return err
	}
	w.Header().Add("Vary", "Accept-Encoding")
	if mayCompress(r) && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		if body, err = compressed(body); err != nil {
			return err
		}
		w.Header().Set("Content-Encoding", "gzip")
	}
	return answer(w, r, status, body)
}

func rendered(r *http.Request, page drawing) ([]byte, error) {
	var b bytes.Buffer
	if err := page.Render(r.Context(), &b); err != nil {
		return nil, fmt.Errorf("drawing a page: %w", err)
	}
	return b.Bytes(), nil
}

func answer(w http.ResponseWriter, r *http.Request, status int, body []byte) error {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return nil
	}
	_, err := w.Write(body)
	return gone(err)
}

// gone drops the error of a reader who left before the answer: there is nobody to tell, and nothing of
// ours is wrong.
func gone(error) error { return nil }

// mayCompress says whether the length of a compressed page can tell nothing to somebody on the wire. It
// would, if they could have the browser ask for a page with words of their choice beside the form token
// and the account's data, and watch which words compress best (BREACH). So a page is compressed only when
// no other site can have asked for it: the browser says so, or, where it says nothing, the address has no
// query that could hold such words. A POST of another site is refused before it gets here.
func mayCompress(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return true
	case "":
		return r.URL.RawQuery == ""
	default:
		return false
	}
}

// gzips keeps the writers, whose tables are large, for the next page.
var gzips = sync.Pool{New: func() any {
	w, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil {
		panic("console: the level is one of gzip's own: " + err.Error())
	}
	return w
}}

func compressed(body []byte) ([]byte, error) {
	w, ok := gzips.Get().(*gzip.Writer)
	if !ok {
		return nil, errors.New("compressing a page: the pool holds something else")
	}
	defer gzips.Put(w)
	var b bytes.Buffer
	w.Reset(&b)
	if _, err := w.Write(body); err != nil {
		return nil, fmt.Errorf("compressing a page: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("compressing a page: %w", err)
	}
	return b.Bytes(), nil
}
