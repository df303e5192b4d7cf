package report

import (
	"fmt"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// source writes what is known of the commit.
func (p page) source(s *verdict.Source) {
	if s == nil {
		return
	}
	p.section("source", "The source", func() {
		p.In("dl", func() {
			p.term("tree, exported", func() {
				p.Text(fmt.Sprintf("%d files, %d bytes, sha256 ", s.Files, s.Bytes))
				p.El("code", s.TreeSHA256)
			})
			p.term("git tree", func() { p.El("code", s.GitTree) })
			p.term("signature", func() { p.signature(s.Signature) })
			for _, t := range s.Tags {
				p.term("tag "+fault.Quote(t.Name), func() { p.signature(t.Signature) })
			}
			p.term("reached from", func() {
				for _, r := range s.Refs {
					p.quoted(r)
					p.Text(" ")
				}
			})
		})
		p.Line()
		p.about(s)
	})
}

func (p page) signature(s verdict.Signature) {
	p.Text(s.Status)
	if s.Signer != "" {
		p.Text(", ")
		p.El("strong", fault.Quote(s.Signer))
	}
	if s.Kind != "" {
		p.Text(", " + s.Kind)
	}
	if s.Key != "" {
		p.Text(", key ")
		p.quoted(s.Key)
	}
	if s.Detail != "" {
		p.Text(": " + printable(s.Detail))
	}
	if s.Platform {
		p.Text(" (a forge's own key: it proves the forge, not the author)")
	}
}

// about writes what a reader should know of the tree.
func (p page) about(s *verdict.Source) {
	if len(s.Findings) > 0 {
		p.El("h3", "To know about the tree")
		p.In("ul", func() {
			for _, f := range s.Findings {
				p.In("li", func() {
					p.Text(f.Kind + ": ")
					p.quoted(f.Path)
					p.Text(" " + printable(f.Text))
				})
			}
		})
	}
	if len(s.Transformed) > 0 {
		p.El("h3", "Files that attributes changed")
		p.table([]string{"file", "by", "before", "after"}, func() {
			for _, c := range s.Transformed {
				p.row(asCode(fault.Quote(c.Path)), printable(c.Why), asCode(c.Before), asCode(c.After))
			}
		})
	}
	if len(s.Opaque) > 0 {
		p.In("details", func() {
			p.El("summary", fmt.Sprintf("%d files that nobody can read", len(s.Opaque)))
			p.table([]string{"file", "kind", "bytes", "sha256"}, func() {
				for _, o := range s.Opaque {
					p.row(asCode(fault.Quote(o.Path)), o.Kind, digits(o.Size), asCode(o.SHA256))
				}
			})
		})
	}
}

// build writes builder, inputs, runs and recipe.
func (p page) build(v verdict.Verdict) {
	if b := v.Builder; b != nil {
		p.El("h3", "Builder")
		p.table([]string{"part", "digest", "vouched for by"}, func() {
			for _, l := range b.Layers {
				p.row(asCode(fault.Quote(l.Name)+" "+fault.Quote(l.Version)), asCode(l.Digest), printable(orElse(l.Voucher.Kind, "nobody")))
			}
		})
	}
	if in := v.Inputs; in != nil {
		p.El("h3", "Fetched inputs")
		p.El("p", fmt.Sprintf("%d files, %d bytes", in.Files, in.Bytes))
		p.modules(in.Modules)
	}
	for _, r := range rebuilds(v) {
		p.account(r.Account)
		p.origins(r)
	}
	if r := v.Rebuild; r != nil {
		p.El("h3", "Runs")
		text := fmt.Sprintf("%d runs", r.Runs)
		if r.Agree {
			text += ", which agree byte for byte"
		}
		if r.Cached {
			text += "; taken from the cache"
		}
		p.El("p", text)
		p.table([]string{"output", "bytes", "sha256"}, func() {
			for _, o := range r.Outputs {
				p.row(asCode(fault.Quote(o.Name)), digits(o.Size), asCode(o.SHA256))
			}
		})
	}
	if r := v.Recipe; r != nil {
		p.El("h3", "Recipe, chosen by the "+r.ChosenBy)
		p.El("p", "sha256 "+r.SHA256)
		if r.Text != "" {
			p.El("pre", block(r.Text))
		}
		if len(r.Unknown) > 0 {
			p.El("p", "Not known:")
			p.lines(r.Unknown)
		}
	}
}

func (p page) modules(list []verdict.Module) {
	if len(list) == 0 {
		return
	}
	p.In("details", func() {
		p.El("summary", fmt.Sprintf("%d modules", len(list)))
		p.table([]string{"module", "version", "status", "hash"}, func() {
			for _, m := range list {
				p.row(asCode(fault.Quote(m.Path)), asCode(fault.Quote(m.Version)), m.Status, asCode(m.Hash))
			}
		})
	})
}
