// Package pass judges whether two files differ only in what may be declared: a budget, not a blur.
//
// Both files are split by a strict reader into runs of bytes that cover them to the last one. A run is
//
//   - exact: it must be the same on both sides. Everything is, unless a reader says otherwise;
//   - a field: one of the closed list of internal/allow, with a maximum and a grammar that both values must obey;
//   - derived: a checksum, size or offset that its format's reader has verified against the rest of the file, and that
//     holds no information of its own;
//   - content: a member, which is the same or is judged as a file of its own;
//   - packed: a deflate stream whose content is the same or is judged so, and whose every bit is accounted for.
//
// The shipped file is then determined by the rebuilt one, the values of the fields, and the order of members: nothing can
// hide in what was not looked at. The sums are kept for every layer, and a layer whose runs do not add up to its size
// is different (F10). Code, modes, owners, names, links, attributes and comments are never fields.
//
// The zero Outcome is not equivalent.
package pass

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/allow"
	"github.com/glassbuild/glassbuild/internal/archive"
	"github.com/glassbuild/glassbuild/internal/compare/graft"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/signature"
)

// Content is the content of one file.
type Content interface {
	io.ReaderAt
	Size() int64
}

// Options say how two files are judged.
type Options struct {
	Dir    string // private folder for expanded content
	Name   string // what messages call the pair
	Limits archive.Limits
	Keys   signature.Options // what embedded signatures are judged against
}

// A Range is one forgiven field on both sides; a size of 0 means that it is not there.
type Range struct {
	Offset        int64 `json:"offset"`
	Size          int64 `json:"size"`
	RebuiltOffset int64 `json:"rebuilt_offset"`
	RebuiltSize   int64 `json:"rebuilt_size"`
}

// A Layer is one file or expanded member that differs, and the sums of its shipped bytes: all of them together are its
// Size.
type Layer struct {
	Path     string `json:"path"` // "" for the pair itself
	Size     int64  `json:"size"`
	Same     int64  `json:"same"`
	Forgiven int64  `json:"forgiven"`
	Derived  int64  `json:"derived"` // checksums, sizes, offsets and padding that follow from the rest
	Inner    int64  `json:"inner"`   // members that are judged as layers of their own
	Signed   int64  `json:"signed"`  // an embedded signature
}

// Signed is an embedded signature in one layer, whose own check holds and which, grafted onto our build, gives the shipped
// bytes, but for what other passes forgave.
type Signed struct {
	Pass    string
	Layer   string
	Bytes   int64
	Ranges  []graft.Range
	Signers []signature.Result
}

// Forgiven is what one pass forgave in one layer.
type Forgiven struct {
	Pass   string  `json:"pass"`
	Layer  string  `json:"layer"`
	Fields int     `json:"fields"`
	Bytes  int64   `json:"bytes"`
	Ranges []Range `json:"ranges,omitempty"` // the first ones
}

// Outcome says whether and how two files are equivalent.
type Outcome struct {
	Equivalent bool
	Reason     string // why not: the first difference that nothing forgives
	Forgiven   []Forgiven
	Layers     []Layer
	Signed     []Signed
}

// Needs lists the passes that were used, sorted.
func (o Outcome) Needs() []string {
	var names []string
	for _, f := range o.Forgiven {
		names = append(names, f.Pass)
	}
	for _, s := range o.Signed {
		names = append(names, s.Pass)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Judge compares two files with the passes that names lists. A file that differs in anything else is different.
func Judge(ctx context.Context, shipped, rebuilt Content, names []string, opt Options) (Outcome, error) {
	for _, n := range names {
		if _, ok := allow.Lookup(n); !ok {
			return Outcome{}, fault.Usagef(fault.Quote(n), "unknown difference")
		}
	}
	j := &judge{ctx: ctx, names: names, opt: opt, buf: buffers(max(shipped.Size(), rebuilt.Size()))}
	meters := [2]*archive.Meter{archive.NewMeter(opt.Name, shipped.Size(), opt.Limits), archive.NewMeter(opt.Name, rebuilt.Size(), opt.Limits)}
	err := j.layer("", "", shipped, rebuilt, meters)
	out := Outcome{Forgiven: j.forgiven, Layers: j.layers, Signed: j.signed}
	var d different
	switch {
	case err == nil:
		out.Equivalent = len(out.Forgiven)+len(out.Signed) > 0
		if !out.Equivalent {
			out.Reason = "the files are the same"
		}
		return out, nil
	case asDifferent(err, &d):
		out.Reason = string(d)
		return out, nil
	case refused(err) && ctx.Err() == nil: // a reader cannot or will not read one of the two
		out.Reason = err.Error()
		return out, nil
	}
	return Outcome{}, err
}

// noSpace is trouble of this machine, which says nothing about the files.
type noSpace struct{ error }

func (e noSpace) Unwrap() error { return e.error }

func refused(err error) bool {
	var f *fault.Error
	var trouble noSpace
	return errors.As(err, &f) && !errors.As(err, &trouble)
}

// buffers are as large as the files need, up to what is read at once.
func buffers(size int64) [2][]byte {
	n := min(max(size, 512), chunk)
	return [2][]byte{make([]byte, n), make([]byte, n)}
}

// different is the error that ends a judgement: nothing forgives this.
type different string

func (d different) Error() string { return string(d) }

func asDifferent(err error, d *different) bool {
	v, ok := err.(different)
	*d = v
	return ok
}

func differ(path, format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	if path != "" {
		text = fault.Quote(path[:min(len(path), maxReason)]) + ": " + text
	}
	return different(text)
}

type judge struct {
	ctx      context.Context
	names    []string
	opt      Options
	buf      [2][]byte
	forgiven []Forgiven
	layers   []Layer
	signed   []Signed
}

// use notes that a pass is needed at a field, and ends the judgement when it was not named.
func (j *judge) use(pass, layer string, r Range) error {
	if !slices.Contains(j.names, pass) {
		return differ(layer, "%s differs, which was not declared and allowed", pass)
	}
	i := slices.IndexFunc(j.forgiven, func(f Forgiven) bool { return f.Pass == pass && f.Layer == layer })
	if i < 0 {
		i = len(j.forgiven)
		j.forgiven = append(j.forgiven, Forgiven{Pass: pass, Layer: layer})
	}
	f := &j.forgiven[i]
	f.Fields++
	f.Bytes += max(r.Size, r.RebuiltSize)
	if len(f.Ranges) < maxRanges && max(r.Size, r.RebuiltSize) > 0 {
		f.Ranges = append(f.Ranges, r)
	}
	return nil
}

// layer judges two files that differ.
func (j *judge) layer(path, kind string, shipped, rebuilt Content, meters [2]*archive.Meter) error {
	var taken, digests int64
	g, err := graft.Onto(j.ctx, shipped, rebuilt, j.names, j.opt.Keys)
	if err != nil {
		return err
	}
	if g != nil {
		rebuilt = g.Content
		if g.Unsigned {
			digests = g.Taken
			for _, x := range g.Ranges {
				if err := j.use(g.Name, path, Range{Offset: x.Offset, Size: x.Size}); err != nil {
					return err
				}
			}
		} else {
			taken = g.Taken
			j.signed = append(j.signed, Signed{Pass: g.Name, Layer: path, Bytes: g.Taken, Ranges: g.Ranges, Signers: g.Signers})
		}
		same, err := j.equal(io.NewSectionReader(shipped, 0, shipped.Size()), io.NewSectionReader(rebuilt, 0, rebuilt.Size()))
		if err != nil {
			return err
		}
		if same {
			j.layers = append(j.layers, Layer{Path: path, Size: shipped.Size(), Same: shipped.Size() - taken - digests, Forgiven: digests, Signed: taken})
			return nil
		}
	}
	a, err := shapeOf(kind, shipped, meters[0])
	if err != nil {
		return err
	}
	b, err := shapeOf(kind, rebuilt, meters[1])
	if err != nil {
		return err
	}
	if a == nil || b == nil || a.format() != b.format() {
		return differ(path, "content differs")
	}
	w := &pairing{j: j, path: path, a: side{a, shipped, meters[0]}, b: side{b, rebuilt, meters[1]}}
	w.sum = Layer{Path: path, Size: shipped.Size()}
	at := len(j.layers)
	j.layers = append(j.layers, w.sum)
	if err := w.units(); err != nil {
		return err
	}
	if got := w.sum.Same + w.sum.Forgiven + w.sum.Derived + w.sum.Inner; got != shipped.Size() || w.rebuilt != rebuilt.Size() {
		return differ(path, "%d of %d bytes are accounted for", got, shipped.Size())
	}
	w.sum.Same, w.sum.Forgiven, w.sum.Signed = w.sum.Same-taken-digests, w.sum.Forgiven+digests, taken
	j.layers[at] = w.sum
	return nil
}

// below names a member of a layer.
func below(path, name string) string {
	name = strings.TrimPrefix(name, "\x00")
	if path == "" || name == "" {
		return path + name
	}
	return path + "/" + name
}
