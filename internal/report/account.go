package report

import (
	"fmt"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// account lists the files of the source that went into the build: what there is to read, and what not.
func (p page) account(a *verdict.Account) {
	if a == nil {
		return
	}
	p.El("h3", "What the build read")
	p.El("p", accountLine(a))
	p.In("details", func() {
		p.El("summary", fmt.Sprintf("%d of %d files of the source", len(a.Source), a.Of))
		p.table([]string{"file", "bytes", "sha256"}, func() {
			for _, f := range a.Source {
				p.row(asCode(fault.Quote(f.Name)), digits(f.Size), asCode(f.SHA256))
			}
		})
	})
	if len(a.Fetched) > 0 {
		p.In("details", func() {
			p.El("summary", fmt.Sprintf("%d of %d fetched files", len(a.Fetched), a.FetchedOf))
			p.table([]string{"file", "bytes", "sha256"}, func() {
				for _, f := range a.Fetched {
					p.row(asCode(fault.Quote(f.Name)), digits(f.Size), asCode(f.SHA256))
				}
			})
		})
	}
}

// accountLine says what is known of the account, and what stands in it that a reader has to look at otherwise.
func accountLine(a *verdict.Account) string {
	text := "Proved: a run that was shown nothing else gave the same bytes. "
	if !a.Proved {
		text = "Not proved: " + printable(a.Why) + ". "
	}
	return text + fmt.Sprintf("%d of the files are opaque, %d generated, %d vendored.", len(a.Opaque), a.Generated, a.Vendored)
}

// markdownAccount lists the files of the source that were read.
func markdownAccount(b *strings.Builder, v verdict.Verdict) {
	for _, r := range rebuilds(v) {
		if r.Account != nil {
			markdownRead(b, r.Account)
		}
		markdownOrigins(b, r)
	}
}

func markdownRead(b *strings.Builder, a *verdict.Account) {
	fmt.Fprintf(b, "\n<details><summary>What the build read: %d of %d files of the source</summary>\n\n%s\n\n| file | sha256 |\n| --- | --- |\n", len(a.Source), a.Of, code(accountLine(a)))
	for i, f := range a.Source {
		if i == maxRows {
			fmt.Fprintf(b, "| … | %d more; the JSON form lists all |\n", len(a.Source)-maxRows)
			break
		}
		fmt.Fprintf(b, "| %s | %s |\n", cell(f.Name), code(f.SHA256))
	}
	b.WriteString("\n</details>\n")
}
