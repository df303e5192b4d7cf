package compare

import (
	"fmt"
	"sort"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/compare/tree"
	"github.com/glassbuild/glassbuild/internal/fault"
)

// streams compares the compressed streams around two containers. The compression itself is only to blame when what
// was compressed is the same.
func streams(a, b *artifact.Member, rest bool) []tree.Cause {
	var causes []tree.Cause
	if len(a.Streams) != len(b.Streams) {
		return []tree.Cause{{ID: tree.CauseCompression, Text: fmt.Sprintf("compressed as %s shipped, %s rebuilt", a.Format, b.Format)}}
	}
	for i := range a.Streams {
		x, y := a.Streams[i], b.Streams[i]
		if x.Format != y.Format {
			causes = append(causes, tree.Cause{
				ID: tree.CauseCompression, Text: fmt.Sprintf("compressed with %s shipped, %s rebuilt", x.Format, y.Format),
				Remedy: "compress with the same program",
			})
			continue
		}
		causes = append(causes, gzipHeader(x, y)...)
		if rest && len(causes) == 0 && sameStream(x, y) {
			causes = append(causes, tree.Cause{
				ID: tree.CauseCompression, Remedy: "compress with the same library, version and level",
				Text: fmt.Sprintf("the same content compressed differently: %d bytes shipped, %d rebuilt", x.Packed, y.Packed),
			})
		}
	}
	return causes
}

// sameStream tells whether two streams expand to the same bytes. One that cannot be read again says no.
func sameStream(x, y artifact.Stream) bool {
	if x.Size != y.Size {
		return false
	}
	a, errA := x.Sum()
	b, errB := y.Sum()
	return errA == nil && errB == nil && a == b
}

func gzipHeader(x, y artifact.Stream) []tree.Cause {
	if x.Gzip == nil || y.Gzip == nil {
		return nil
	}
	var causes []tree.Cause
	for _, f := range []struct {
		name string
		a, b any
	}{
		{"operating system byte", osName(x.Gzip.OS), osName(y.Gzip.OS)},
		{"time", x.Gzip.ModTime, y.Gzip.ModTime},
		{"file name", fault.Quote(x.Gzip.Name), fault.Quote(y.Gzip.Name)},
		{"comment", fault.Quote(x.Gzip.Comment), fault.Quote(y.Gzip.Comment)},
		{"extra field", fmt.Sprintf("%x", x.Gzip.Extra), fmt.Sprintf("%x", y.Gzip.Extra)},
		{"compression level byte", x.Gzip.XFL, y.Gzip.XFL},
		{"flags", x.Gzip.Flags, y.Gzip.Flags},
	} {
		if f.a != f.b {
			causes = append(causes, tree.Cause{
				ID: tree.CauseGzipHeader, Text: fmt.Sprintf("gzip header: %s is %s shipped, %s rebuilt", f.name, clipped(f.a), clipped(f.b)),
				Remedy: "pack with the same tool, on the same system, with gzip -n",
			})
		}
	}
	return causes
}

// clipped returns a field for one line.
func clipped(v any) string {
	s := fmt.Sprint(v)
	if len(s) > 200 {
		s = s[:200] + "..."
	}
	return s
}

// osName names the operating system byte of RFC 1952; 19 is what zlib writes on macOS.
func osName(b byte) string {
	names := map[byte]string{0: "FAT", 3: "Unix", 7: "Macintosh", 10: "NTFS", 19: "macOS", 255: "unknown"}
	if n := names[b]; n != "" {
		return fmt.Sprintf("%d (%s)", b, n)
	}
	return fmt.Sprint(b)
}

// packing gathers zip members of one content that are stored in other bytes.
type packing struct {
	count int
	first string
}

func (p *packing) add(a, b *artifact.Member) {
	x, y := a.Packed, b.Packed
	if a.SHA256 != b.SHA256 || x == nil && y == nil {
		return
	}
	switch {
	case x == nil || y == nil || x.Method != y.Method:
		p.note(a, fmt.Sprintf("%s shipped, %s rebuilt", method(a), method(b)))
	case x.Size != y.Size:
		p.note(a, fmt.Sprintf("%d bytes shipped, %d rebuilt", x.Size, y.Size))
	}
}

func (p *packing) note(m *artifact.Member, what string) {
	if p.count++; p.count == 1 {
		p.first = fault.Quote(m.Path) + " " + what
	}
}

func method(m *artifact.Member) string {
	if m.Packed == nil {
		return "stored"
	}
	return fmt.Sprintf("method %d", m.Packed.Method)
}

func (p *packing) causes() []tree.Cause {
	if p.count == 0 {
		return nil
	}
	c := tree.Cause{ID: tree.CauseCompression, Text: "the same content compressed differently: " + p.first, Remedy: "compress with the same library, version and level"}
	if p.count > 1 {
		c.Text = fmt.Sprintf("the same content of %d members compressed differently, first %s", p.count, p.first)
	}
	return []tree.Cause{c}
}

// metadataGroups gathers metadata that differ by property, so that 5,000 times make one line.
type metadataGroups struct {
	first map[string]string
	count map[string]int
}

func newMetadataGroups() *metadataGroups {
	return &metadataGroups{first: make(map[string]string), count: make(map[string]int)}
}

func (g *metadataGroups) add(a, b *artifact.Member) {
	for _, d := range Metadata(a, b) {
		if g.count[d.Property]++; g.count[d.Property] == 1 {
			g.first[d.Property] = fmt.Sprintf("%s %s shipped, %s rebuilt", fault.Quote(a.Path), fault.Quote(d.Shipped), fault.Quote(d.Rebuilt))
		}
	}
}

func (g *metadataGroups) causes() []tree.Cause {
	var properties []string
	for p := range g.count {
		properties = append(properties, p)
	}
	sort.Slice(properties, func(i, j int) bool { // times last: they are the most harmless
		return properties[i] != "mtime" && (properties[j] == "mtime" || properties[i] < properties[j])
	})
	var causes []tree.Cause
	for _, p := range properties {
		c := tree.Cause{ID: tree.CauseMetadata, Text: fmt.Sprintf("%s differs: %s", fault.Quote(p), g.first[p])}
		if g.count[p] > 1 {
			c.Text = fmt.Sprintf("%s of %d members differs, first %s", fault.Quote(p), g.count[p], g.first[p])
		}
		switch p {
		case "mtime":
			c.ID, c.Remedy = tree.CauseMTime, "set all times from the commit (SOURCE_DATE_EPOCH) when packing"
		case "owner":
			c.Remedy = "pack with fixed owners (tar --owner=0 --group=0 --numeric-owner)"
		case "mode":
			c.Remedy = "pack under a fixed umask, or with fixed modes"
		}
		causes = append(causes, c)
	}
	return causes
}
