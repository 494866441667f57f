package console

import (
	"regexp"
	"strings"

	"counterfoil.dev/counterfoil/internal/console/view"
)

// markdownLink is [text](target), of which a page keeps the text.
var markdownLink = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)

// parseErrors reads docs/errors.md, which a test keeps complete: a line in bold begins a group, "## code"
// a code, and the paragraphs that begin with "Status:", "Never sent:" and "What to do:" are what they
// say. All other paragraphs tell the meaning.
func parseErrors(doc string) []view.ErrorGroup {
	var groups []view.ErrorGroup
	for _, paragraph := range strings.Split(strings.ReplaceAll(doc, "\r\n", "\n"), "\n\n") {
		text := plainText(paragraph)
		switch {
		case text == "":
		case strings.HasPrefix(paragraph, "**"):
			groups = append(groups, view.ErrorGroup{Title: strings.Trim(text, "*")})
		case len(groups) == 0:
			// The head of the document is for readers of the repository.
		case strings.HasPrefix(text, "## "):
			code := strings.TrimPrefix(text, "## ")
			words := strings.ReplaceAll(code, "_", " ")
			g := &groups[len(groups)-1]
			g.Codes = append(g.Codes, view.ErrorCode{Code: code, Title: strings.ToUpper(words[:1]) + words[1:]})
		default:
			addParagraph(&groups[len(groups)-1], text)
		}
	}
	return groups
}

func plainText(paragraph string) string {
	text := markdownLink.ReplaceAllString(strings.TrimSpace(paragraph), "$1")
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "`", "")
}

func addParagraph(g *view.ErrorGroup, text string) {
	if len(g.Codes) == 0 {
		g.About = strings.TrimSpace(g.About + " " + text)
		return
	}
	code := &g.Codes[len(g.Codes)-1]
	if status, ok := strings.CutPrefix(text, "Status: "); ok {
		code.Status = strings.TrimSuffix(status, ".")
	} else if remedy, ok := strings.CutPrefix(text, "What to do: "); ok {
		code.Remedy = append(code.Remedy, strings.ToUpper(remedy[:1])+remedy[1:])
	} else {
		code.Meaning = append(code.Meaning, text)
	}
}
