package report

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/markup"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// page writes the parts of a verdict's page.
type page struct{ *markup.Page }

// section writes a part of the page under a heading.
func (p page) section(id, title string, body func()) {
	p.In("section", func() {
		p.El("h2", title, markup.ID(id))
		p.Line()
		body()
	}, markup.LabelledBy(id))
	p.Line()
}

// table writes a table of rows.
func (p page) table(names []string, rows func()) {
	p.In("table", func() {
		p.Head(names...)
		p.In("tbody", rows)
	})
	p.Line()
}

// row writes cells, each by a function or as code.
func (p page) row(cells ...any) {
	p.In("tr", func() {
		for _, c := range cells {
			switch c := c.(type) {
			case func():
				p.In("td", c)
			case asCode:
				p.In("td", func() { p.El("code", string(c)) })
			case string:
				p.El("td", c)
			}
		}
	})
	p.Line()
}

// asCode is a word that a row writes as code.
type asCode string

func digits(n int64) string { return strconv.FormatInt(n, 10) }

func (p page) quoted(s string) { p.El("code", fault.Quote(s)) }

// term writes one pair of a list of terms.
func (p page) term(name string, body func()) {
	p.El("dt", name)
	p.In("dd", body)
}

func (p page) banner(v verdict.Verdict) {
	p.In("header", func() {
		p.In("h1", func() {
			p.El("span", sign(resultStatus(v.Result)), markup.Hidden())
			p.Text(" " + strings.ToUpper(string(v.Result)) + " (" + string(v.Match) + ")")
		})
		p.El("p", printable(v.Summary))
	}, markup.Class("banner "+string(v.Result)))
	p.Line()
	p.In("dl", func() {
		p.term("artefact", func() {
			if v.Subject.Member != "" {
				p.quoted(v.Subject.Member)
				p.Text(" in ")
			}
			p.quoted(v.Subject.Name)
		})
		if v.Subject.SHA256 != "" {
			p.term("sha256", func() { p.El("code", v.Subject.SHA256) })
		}
		if s := v.Source; s != nil {
			p.term("source", func() { p.quoted(s.Repository) })
			p.term("commit", func() {
				p.El("code", s.Commit)
				if s.ChosenBy == verdict.ByArtefact {
					p.Text(", ")
					p.El("strong", "chosen by the artefact, not by you")
				}
			})
		}
		p.term("policy", func() {
			p.quoted(v.Policy.Name)
			p.Text(", sha256 ")
			p.El("code", v.Policy.SHA256)
		})
		if v.Source != nil && v.Source.Roots != nil {
			p.term("trusted roots", func() {
				p.quoted(v.Source.Roots.Name)
				p.Text(", sha256 ")
				p.El("code", v.Source.Roots.SHA256)
			})
		}
	})
	p.Line()
}

func (p page) trouble(v verdict.Verdict) {
	var bad []verdict.Check
	for _, c := range v.Checks {
		if c.Status == verdict.StatusFailed || c.Status == verdict.StatusInconclusive {
			bad = append(bad, c)
		}
	}
	if len(bad) > 0 {
		p.section("why", "What does not hold", func() { p.checks(bad) })
	}
}

func (p page) checks(list []verdict.Check) {
	p.table([]string{"", "check", "what was found"}, func() {
		for _, c := range list {
			p.In("tr", func() {
				p.In("td", func() { p.El("span", sign(c.Status), markup.Hidden()) }, markup.Class("sign "+string(c.Status)))
				p.In("td", func() {
					p.Text(c.ID)
					p.Break()
					p.El("small", string(c.Status), markup.Class(string(c.Status)))
				}, markup.Class("id"))
				p.In("td", func() {
					p.Text(printable(c.Text))
					if c.Hint != "" && c.Status != verdict.StatusPassed {
						p.El("span", printable(c.Hint), markup.Class("hint"))
					}
				})
			})
			p.Line()
		}
	})
}

func (p page) chain(v verdict.Verdict) {
	p.section("chain", "The chain", func() {
		p.In("ol", func() {
			for _, h := range Chain(v) {
				p.In("li", func() {
					p.El("b", sign(h.Status)+" "+h.Name)
					p.El("span", orElse(h.What, "not reached"))
					if h.Digest != "" {
						p.El("code", shortDigest(h.Digest))
					}
				}, markup.Class(string(h.Status)))
				p.Line()
			}
		}, markup.Class("chain"))
	})
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// difference writes one compared file: a map, its parts, and the explanation.
func (p page) difference(m byteMap) {
	d, name := m.Member.Difference, fault.Quote(m.Member.Path)
	p.In("section", func() {
		p.In("h2", func() {
			p.Text("Where ")
			p.El("code", name)
			p.Text(" differs")
		})
		p.El("p", fmt.Sprintf("%d bytes differ between offset %d and %d; %d bytes were rebuilt.", d.Bytes, d.First, d.Last, d.Rebuilt.Size))
		if len(m.Bars) > 0 {
			p.Strip(fmt.Sprintf("map of the shipped file, %d bytes; the list below says the same", m.Member.Size), m.Bars)
		}
		p.parts(m.Rows)
		if len(m.More) > 0 {
			p.In("details", func() {
				p.El("summary", fmt.Sprintf("%d more parts", len(m.More)))
				p.parts(m.More)
			})
		}
		if len(d.Explain) > 0 {
			p.In("details", func() {
				p.El("summary", "Explanation")
				p.In("pre", func() {
					for _, l := range d.Explain {
						p.Text(printable(l) + "\n")
					}
				})
			}, markup.Open())
		}
	}, markup.Label("difference of "+name))
	p.Line()
}

func (p page) parts(rows []row) {
	if len(rows) == 0 {
		return
	}
	p.table([]string{"part", "why", "shipped", "rebuilt"}, func() {
		for _, r := range rows {
			x := r.Region
			why := x.Status
			if x.Cause != "" {
				why += ", " + x.Cause
			}
			if x.Text != "" {
				why += ": " + printable(x.Text)
			}
			p.row(func() {
				p.El("span", "", markup.Class(fmt.Sprintf("key k%d", r.Color)), markup.Hidden())
				p.Text(x.Kind)
				if x.Name != "" {
					p.Text(" ")
					p.quoted(x.Name)
				}
			}, why, func() { p.place(x.Place, r.Shipped) }, func() { p.place(x.RebuiltPlace, r.Rebuilt) })
		}
	})
}

func (p page) place(at, ranges string) {
	if at != "" {
		p.quoted(at)
		p.Break()
	}
	if ranges != "" {
		p.El("code", ranges)
	}
}

func (p page) members(v verdict.Verdict) {
	if v.Comparison == nil || len(v.Comparison.Members) == 0 {
		return
	}
	list, more := sortedMembers(v), 0
	if len(list) > maxRows {
		list, more = list[:maxRows], len(list)-maxRows
	}
	p.section("members", "What was shipped", func() {
		p.table([]string{"state", "member", "bytes", "sha256"}, func() {
			for _, m := range list {
				p.row(m.State, func() {
					p.quoted(m.Path)
					if m.TreePath != "" {
						p.Text(" = ")
						p.quoted(m.TreePath)
						p.Text(" of the tree")
					}
					for _, f := range m.Flags {
						p.Text(" ")
						p.El("strong", fault.Quote(f))
					}
				}, digits(m.Size), asCode(m.SHA256))
			}
		})
		if more > 0 {
			p.El("p", fmt.Sprintf("and %d more; the JSON form lists all", more))
		}
	})
}

// list writes lines under a heading, nothing for none.
func (p page) list(id, title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	p.section(id, title, func() { p.lines(lines) })
}

func (p page) lines(lines []string) {
	p.In("ul", func() {
		for _, l := range lines {
			p.El("li", printable(l))
		}
	})
}

func (p page) byHand(v verdict.Verdict) {
	script, ok := ByHand(v)
	if !ok {
		return
	}
	p.section("hand", "To repeat it by hand", func() {
		p.El("p", "With git, the toolchain and sha256sum alone, for the reader who trusts no tool. It runs what the vendor wrote without a sandbox.")
		p.El("pre", script)
	})
}
