package markup_test

import (
	"encoding/xml"
	"io"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/markup"
)

// FuzzPage: whatever the words are, the page has the elements that the program wrote, no more and in that order.
func FuzzPage(f *testing.F) {
	for _, s := range []string{"", "plain", `"><script>alert(1)</script>`, "</title></style>", "'\" onload=x", "&lt;", "\x00\xff", "]]>", "-->"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p := markup.New(s, "b{color:red}")
		p.In("p", func() {
			p.Text(s)
			p.El("code", s, markup.Class(s), markup.Label(s))
		}, markup.ID(s))
		p.Strip(s, []markup.Bar{{X: 1, Width: 2, Class: s, Title: s}})
		page := string(p.Bytes())
		body := page[strings.Index(page, "<title>"):strings.Index(page, "</body>")]
		d := xml.NewDecoder(strings.NewReader("<x>" + strings.Map(visible, strings.ReplaceAll(body, "</head>\n<body>", "")) + "</x>"))
		d.Strict, d.Entity = false, xml.HTMLEntity
		var got []string
		for {
			tok, err := d.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%q: %v", s, err)
			}
			if e, ok := tok.(xml.StartElement); ok {
				got = append(got, e.Name.Local)
				for _, a := range e.Attr {
					if strings.HasPrefix(a.Name.Local, "on") || a.Name.Local == "href" || a.Name.Local == "src" {
						t.Errorf("%q: attribute %s", s, a.Name.Local)
					}
				}
			}
		}
		if want := "x title style p code svg rect title"; strings.Join(got, " ") != want {
			t.Errorf("%q: elements %v, want %s", s, got, want)
		}
	})
}

// visible leaves out what XML, unlike HTML, cannot hold.
func visible(r rune) rune {
	if r < ' ' && r != '\n' && r != '\t' || r == 0xFFFD || r >= 0xFFFE {
		return -1
	}
	return r
}
