package pass

import (
	"bytes"
	"errors"
	"io"
	"slices"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/glassbuild/glassbuild/internal/archive"
)

// side is one of two files.
type side struct {
	shape shape
	c     Content
	meter *archive.Meter
}

// pairing holds two files of one format against each other.
type pairing struct {
	j       *judge
	path    string
	a, b    side
	sum     Layer
	rebuilt int64 // bytes of the rebuilt side that are accounted for
}

// units pairs the units of both sides.
func (w *pairing) units() error {
	ua, ub := w.a.shape.units(), w.b.shape.units()
	if !covered(ua, w.a.c.Size()) || !covered(ub, w.b.c.Size()) {
		return differ(w.path, "the members do not cover the file")
	}
	ordered, err := w.align(ua, ub)
	if err != nil {
		return err
	}
	for i := range ua {
		if err := w.j.ctx.Err(); err != nil {
			return err
		}
		if err := w.unit(ua[i], ordered[i]); err != nil {
			return err
		}
	}
	return nil
}

// covered tells whether the spans of the units cover size bytes exactly.
func covered(list []unit, size int64) bool {
	spans := make([]span, 0, len(list)*2)
	for _, u := range list {
		for _, s := range u.spans {
			if s.size > 0 {
				spans = append(spans, s)
			}
		}
	}
	slices.SortFunc(spans, func(x, y span) int {
		if x.at < y.at {
			return -1
		}
		return 1
	})
	at := int64(0)
	for _, s := range spans {
		if s.at != at {
			return false
		}
		at += s.size
	}
	return at == size
}

// align returns the rebuilt units in the order of the shipped ones. Another order needs a pass, and names that differ on
// every file system: sorting must not decide which of two members wins.
func (w *pairing) align(ua, ub []unit) ([]unit, error) {
	same := len(ua) == len(ub)
	for i := 0; same && i < len(ua); i++ {
		same = ua[i].name == ub[i].name
	}
	if same {
		return ub, nil
	}
	by := make(map[string]int, len(ub))
	for i, u := range ub {
		by[u.name] = i
	}
	folded, folder := make(map[string]bool, len(ua)), cases.Fold()
	ordered := make([]unit, len(ua))
	for i, u := range ua {
		k, ok := by[u.name]
		if !ok {
			return nil, differ(below(w.path, u.name), "only shipped")
		}
		ordered[i] = ub[k]
		f := folder.String(norm.NFKC.String(u.name))
		if folded[f] {
			return nil, differ(below(w.path, u.name), "order differs, and another member has this name in other letters")
		}
		folded[f] = true
	}
	if len(ua) != len(ub) {
		names := make(map[string]bool, len(ua))
		for _, u := range ua {
			names[u.name] = true
		}
		for _, u := range ub {
			if !names[u.name] {
				return nil, differ(below(w.path, u.name), "only rebuilt")
			}
		}
		return nil, differ(w.path, "another number of members")
	}
	if w.a.shape.order() == "" || w.b.shape.order() == "" {
		return nil, differ(w.path, "order of members differs")
	}
	return ordered, w.j.use(w.a.shape.order(), w.path, Range{})
}

// unit pairs the pieces of two units. An optional one may stand alone.
func (w *pairing) unit(ua, ub unit) error {
	pa, err := w.cut(w.a.shape, ua)
	if err != nil {
		return err
	}
	pb, err := w.cut(w.b.shape, ub)
	if err != nil {
		return err
	}
	for len(pa)+len(pb) > 0 {
		switch {
		case len(pa) > 0 && len(pb) > 0 && pa[0].what == pb[0].what:
			if err := w.piece(ua.name, pa[0], pb[0]); err != nil {
				return err
			}
			pa, pb = pa[1:], pb[1:]
		case len(pa) > 0 && pa[0].optional:
			if err := w.alone(ua.name, pa[0].pass, pa[0], piece{valid: true}); err != nil {
				return err
			}
			pa = pa[1:]
		case len(pb) > 0 && pb[0].optional:
			if err := w.alone(ua.name, pb[0].pass, piece{valid: true}, pb[0]); err != nil {
				return err
			}
			pb = pb[1:]
		default:
			return differ(below(w.path, ua.name), "%s differs", first(pa, pb))
		}
	}
	return nil
}

func first(pa, pb []piece) string {
	if len(pa) > 0 {
		return pa[0].what
	}
	return pb[0].what
}

// cut returns the pieces of a unit, which must cover its spans in order.
func (w *pairing) cut(s shape, u unit) ([]piece, error) {
	list, err := s.pieces(u)
	if err != nil {
		return nil, err
	}
	i := 0
	for _, sp := range u.spans {
		at := sp.at
		for ; i < len(list) && at < sp.at+sp.size || i < len(list) && list[i].size == 0; i++ {
			if list[i].size == 0 {
				continue
			}
			if list[i].at != at || list[i].size < 0 {
				return nil, differ(below(w.path, u.name), "its parts do not cover it")
			}
			at += list[i].size
		}
		if at != sp.at+sp.size {
			return nil, differ(below(w.path, u.name), "its parts do not cover it")
		}
	}
	if i != len(list) {
		return nil, differ(below(w.path, u.name), "its parts do not cover it")
	}
	return list, nil
}

// alone forgives a field that stands on one side only.
func (w *pairing) alone(name, pass string, x, y piece) error {
	if !x.valid || !y.valid {
		return differ(below(w.path, name), "%s differs, and not as %s may", x.what+y.what, pass)
	}
	w.sum.Forgiven += x.size
	w.rebuilt += y.size
	return w.j.use(pass, w.path, Range{x.at, x.size, y.at, y.size})
}

// piece judges one pair.
func (w *pairing) piece(name string, x, y piece) error {
	w.rebuilt += y.size
	same, err := w.equal(x, y)
	if err != nil {
		return err
	}
	if same {
		w.sum.Same += x.size
		return nil
	}
	if x.rule != y.rule || x.pass != y.pass || x.kind != y.kind || x.member != y.member {
		return differ(below(w.path, name), "%s differs", x.what)
	}
	switch x.rule {
	case derived:
		w.sum.Derived += x.size
		return nil
	case field:
		if !x.valid || !y.valid {
			return differ(below(w.path, name), "%s differs, and not as %s may", x.what, x.pass)
		}
		w.sum.Forgiven += x.size
		return w.j.use(x.pass, w.path, Range{x.at, x.size, y.at, y.size})
	case content:
		w.sum.Inner += x.size
		a, b := io.NewSectionReader(w.a.c, x.at, x.size), io.NewSectionReader(w.b.c, y.at, y.size)
		return w.inner(x, a, b)
	case packed:
		w.sum.Forgiven += x.size
		return w.packed(x, y)
	}
	return differ(below(w.path, name), "%s differs", x.what)
}

// equal compares two runs byte for byte.
func (w *pairing) equal(x, y piece) (bool, error) {
	if x.size != y.size {
		return false, nil
	}
	return w.j.equal(io.NewSectionReader(w.a.c, x.at, x.size), io.NewSectionReader(w.b.c, y.at, y.size))
}

func (j *judge) equal(x, y io.Reader) (bool, error) {
	for {
		if err := j.ctx.Err(); err != nil {
			return false, err
		}
		n, err := io.ReadFull(x, j.buf[0])
		m, merr := io.ReadFull(y, j.buf[1])
		if !ended(err) || !ended(merr) {
			return false, errors.Join(notEnd(err), notEnd(merr))
		}
		if !bytes.Equal(j.buf[0][:n], j.buf[1][:m]) {
			return false, nil
		}
		if err != nil || merr != nil {
			return (err == nil) == (merr == nil), nil
		}
	}
}

func ended(err error) bool { return err == nil || err == io.EOF || err == io.ErrUnexpectedEOF }

func notEnd(err error) error {
	if ended(err) {
		return nil
	}
	return err
}

// inner judges a member as a file of its own.
func (w *pairing) inner(p piece, a, b Content) error {
	path := below(w.path, p.member)
	var meters [2]*archive.Meter
	for i, s := range []side{w.a, w.b} {
		m, err := s.meter.Nested(path, max(a.Size(), b.Size()))
		if err != nil {
			return err
		}
		meters[i] = m
	}
	return w.j.layer(path, p.kind, a, b, meters)
}
