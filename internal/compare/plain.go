package compare

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"unicode/utf8"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/compare/tree"
	"github.com/glassbuild/glassbuild/internal/fault"
)

// plain explains content that is neither archive nor program: text by lines, JSON and XML by values, everything else
// by a map of the bytes that differ.
func (e *explainer) plain(n *tree.Node, m *artifact.Member, a, b Content, d *Difference) error {
	x, okA, err := readText(a)
	if err != nil {
		return err
	}
	y, okB, err := readText(b)
	if err != nil {
		return err
	}
	if okA && okB {
		t := newTextPair(m, x, y)
		if t != nil {
			n.Format = t.format
			n.Causes, n.View = t.explain()
			for i := range n.Causes {
				if t.where != "" {
					n.Causes[i].Text += ", " + t.where
				}
			}
			return nil
		}
	}
	n.Causes = append(n.Causes, known(m, a, b, d)...)
	if len(n.Causes) == 0 {
		n.Causes = append(n.Causes, tree.Cause{ID: tree.CauseBytes, Text: d.String() + entropies(a, b)})
	}
	view, err := hexView(a, b, d.First)
	n.View = view
	return err
}

// readText returns the content where it is small enough to be compared as text.
func readText(c Content) ([]byte, bool, error) {
	if c.Size() > maxText {
		return nil, false, nil
	}
	b := make([]byte, c.Size())
	if n, err := c.ReadAt(b, 0); n < len(b) {
		return nil, false, fault.Inconclusivef("comparison", "cannot read: %w", err)
	}
	return b, true, nil
}

// entropies says how random the differing files are, where that tells something: packed or encrypted content.
func entropies(a, b Content) string {
	x, y := entropy(a), entropy(b)
	if max(x, y) < packedEntropy {
		return ""
	}
	return fmt.Sprintf("; compressed or encrypted, as %.1f and %.1f bits of entropy in a byte say", x, y)
}

// entropy returns the entropy in bits of a byte in the first part of a content.
func entropy(c Content) float64 {
	buf := make([]byte, min(c.Size(), entropySample))
	n, err := c.ReadAt(buf, 0)
	if n == 0 || err != nil && err != io.EOF {
		return 0
	}
	var count [256]int
	for _, x := range buf[:n] {
		count[x]++
	}
	sum := 0.0
	for _, k := range count {
		if k > 0 {
			p := float64(k) / float64(n)
			sum -= p * math.Log2(p)
		}
	}
	return sum
}

// hexView shows both sides around the first difference.
func hexView(a, b Content, first int64) ([]tree.Line, error) {
	var lines []tree.Line
	start := max(first&^(hexRow-1)-hexRow, 0)
	for off := start; off < start+hexRows*hexRow; off += hexRow {
		var row [2]string
		for i, c := range []Content{a, b} {
			buf := make([]byte, hexRow)
			n, err := c.ReadAt(buf, off)
			if err != nil && err != io.EOF {
				return nil, fault.Inconclusivef("comparison", "cannot read: %w", err)
			}
			if n > 0 {
				row[i] = hexLine(off, buf[:n])
			}
		}
		if row[0] != "" || row[1] != "" {
			lines = append(lines, tree.Line{Shipped: row[0], Rebuilt: row[1], Same: row[0] == row[1]})
		}
	}
	return lines, nil
}

// hexLine is one row of a hex view.
func hexLine(off int64, b []byte) string {
	text := bytes.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '.'
		}
		return r
	}, latin(b))
	return fmt.Sprintf("%08x %x %s", off, b, text)
}

// latin turns every byte into one character.
func latin(b []byte) []byte {
	var out []byte
	for _, c := range b {
		out = utf8.AppendRune(out, rune(c))
	}
	return out
}
