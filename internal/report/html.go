package report

import (
	_ "embed"
	"fmt"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/markup"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

//go:embed page.css
var pageStyle string

// HTML renders the verdict as one page that needs nothing else: no script, no font, no image, nothing from a network. Its
// Content-Security-Policy allows its own style by hash and nothing more, and every foreign name is text.
func HTML(v verdict.Verdict) ([]byte, error) {
	p := page{markup.New(string(v.Result)+": "+fault.Quote(v.Subject.Name), pageStyle)}
	p.In("main", func() {
		p.banner(v)
		if text := leftOut(v); text != "" {
			p.El("p", text)
		}
		p.trouble(v)
		p.chain(v)
		for _, m := range byteMaps(v) {
			p.difference(m)
		}
		p.section("checks", "Every check", func() { p.checks(v.Checks) })
		p.release(v.Release)
		p.members(v)
		p.source(v.Source)
		p.section("build", "The build", func() { p.build(v) })
		p.list("exceptions", "Exceptions that the policy made", v.Exceptions)
		p.byHand(v)
	})
	p.El("footer", "Written by "+fault.Quote(v.Tool.Name)+" "+fault.Quote(v.Tool.Version)+" from one verdict. A pass says that what was shipped is what the commit gives under the policy named above; it says nothing about what the source does.")
	return p.Bytes(), nil
}

// block leaves the lines of a text and makes what a reader could not see visible in each.
func block(s string) string {
	var b strings.Builder
	for l := range strings.Lines(s) {
		b.WriteString(quoteLine(strings.TrimSuffix(l, "\n")) + "\n")
	}
	return b.String()
}

// shortDigest is enough of a digest to compare by eye; the whole one stands further below.
func shortDigest(s string) string {
	if len(s) > 16 {
		return s[:16] + "…"
	}
	return s
}

// byteMap is one compared file: where it differs, coloured by cause, and the same as rows.
type byteMap struct {
	Member verdict.MemberResult
	Bars   []markup.Bar
	Rows   []row
	More   []row // folded away
}

type row struct {
	Region           verdict.Region
	Color            int
	Shipped, Rebuilt string
}

const (
	mapWidth = 1000 // units of a map's width
	leastBar = 1.5  // units of a bar that can still be seen
	openRows = 8    // parts of one file that are listed without being asked for
	colors   = 6    // of page.css; causes beyond share the last
)

func byteMaps(v verdict.Verdict) []byteMap {
	if v.Comparison == nil {
		return nil
	}
	var list []byteMap
	for _, m := range v.Comparison.Members {
		if m.Difference != nil {
			list = append(list, mapOf(m))
		}
	}
	return list
}

// mapOf draws the regions of a difference; one that nothing is known of is drawn from its first byte to its last.
func mapOf(m verdict.MemberResult) byteMap {
	b := byteMap{Member: m}
	d := m.Difference
	seen := map[string]int{}
	for _, r := range d.Regions {
		c, ok := seen[r.Cause]
		if !ok {
			c = min(len(seen), colors-1)
			seen[r.Cause] = c
		}
		b.Rows = append(b.Rows, row{r, c, spans(r.Ranges), spans(r.RebuiltRanges)})
		for _, x := range r.Ranges {
			b.Bars = append(b.Bars, barOf(x, m.Size, c, strings.TrimSpace(fault.Quote(r.Name)+" "+r.Cause)))
		}
	}
	if len(b.Rows) > openRows {
		b.Rows, b.More = b.Rows[:openRows], b.Rows[openRows:]
	}
	if len(b.Bars) == 0 && d.Last >= d.First && d.First < m.Size {
		b.Bars = append(b.Bars, barOf(verdict.ByteRange{Offset: d.First, Size: d.Last - d.First + 1}, m.Size, 0, "differs"))
	}
	return b
}

func barOf(r verdict.ByteRange, size int64, color int, title string) markup.Bar {
	if size <= 0 {
		size = 1
	}
	x := min(float64(r.Offset)/float64(size)*mapWidth, mapWidth-leastBar)
	w := min(max(float64(r.Size)/float64(size)*mapWidth, leastBar), mapWidth-x)
	return markup.Bar{X: x, Width: w, Class: fmt.Sprintf("c%d", color), Title: fmt.Sprintf("%s, offset %d, %d bytes", title, r.Offset, r.Size)}
}

// spans writes ranges as offset+size, a few of them.
func spans(list []verdict.ByteRange) string {
	const few = 4
	var words []string
	for i, r := range list {
		if i == few {
			words = append(words, fmt.Sprintf("and %d more", len(list)-few))
			break
		}
		words = append(words, fmt.Sprintf("%d+%d", r.Offset, r.Size))
	}
	return strings.Join(words, ", ")
}
