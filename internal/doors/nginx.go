package doors

import (
	"encoding/json"
	"net/http"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/verify"
)

// Headers that carry to nginx what auth_request would drop: the status that the client should get, and
// the problem document as one line of ASCII.
const (
	StatusHeader  = "X-Counterfoil-Status"
	ProblemHeader = "X-Counterfoil-Problem"
)

// maxProblem bounds the problem header: nginx reads all headers of an answer into one buffer of 4 KiB.
const maxProblem = 2 << 10

// explainToNginx sets the headers of a refusal from which the snippet makes the client's answer.
func (h *Handler) explainToNginx(w http.ResponseWriter, d *verify.Decision) {
	problem := h.verifier.Problem(d)
	status := d.Status(verify.Gateway)
	problem.Status = status
	header := w.Header()
	header[StatusHeader] = []string{strconv.Itoa(status)}
	header[ProblemHeader] = []string{oneLine(problem)}
	if d.Public() == api.CodeMethodNotAllowed { // the snippet makes it a 405, which must name the methods (RFC 9110, section 15.5.6)
		header["Allow"] = []string{d.Methods()}
	}
}

// oneLine writes a problem in at most 2 KiB of printable ASCII. What does not fit is left out, long words
// and lists first: code, title and status always fit.
func oneLine(problem *api.Error) string {
	short := *problem
	for {
		text, err := json.Marshal(&short)
		if err == nil {
			if line := asciiJSON(text); len(line) <= maxProblem {
				return line
			}
		}
		switch {
		case len(short.Detail) > maxProblem/4:
			short.Detail = ""
		case len(short.Missing) > 1:
			short.Missing = short.Missing[:len(short.Missing)/2]
		case short.Missing != nil:
			short.Missing = nil
		case short.Fix != "":
			short.Fix = ""
		case short.Detail != "":
			short.Detail = ""
		default:
			return `{"code":"` + string(problem.Code) + `","status":` + strconv.Itoa(problem.Status) + `}`
		}
	}
}

// asciiJSON escapes every character beyond ASCII. Inside of JSON they occur in strings alone, and controls
// are escaped already.
func asciiJSON(text []byte) string {
	out := make([]byte, 0, len(text)+32)
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		text = text[size:]
		switch {
		case r < 0x7f:
			out = append(out, byte(r))
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = escape(escape(out, high), low)
		default:
			out = escape(out, r)
		}
	}
	return string(out)
}

func escape(out []byte, r rune) []byte {
	const digits = "0123456789abcdef"
	return append(out, '\\', 'u', digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15])
}
