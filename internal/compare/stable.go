package compare

import (
	"context"
	"io"
)

// Stability says what two runs of a build that do not agree with each other still prove about what was shipped.
//
// Where both runs have the same bytes and what was shipped has others, the release was not made by this build, however
// much the build varies elsewhere. A varying field (a time, an id) often has bytes that happen to agree in two runs
// made on one day; so bytes within 32 of a varying one count as part of that field and prove nothing. That errs towards
// "cannot be decided", never towards equal.
//
// Offsets only mean the same thing on both sides of uncompressed content: ask about members, not about compressed
// containers.
type Stability struct {
	Varying int64 `json:"varying"` // offsets at which the runs differ
	Stable  int64 `json:"stable"`  // offsets at which the runs agree, away from varying ones, and the shipped file differs
	First   int64 `json:"first"`   // the first such offset; -1 for none
	// Size tells that both runs have one size and that the shipped file has another.
	Size bool `json:"size"`
	// Tail tells that the runs differ in size, and that Stable counts what precedes their first difference and what
	// follows their last one, seen from the end.
	Tail bool `json:"tail"`
}

// Differs tells whether there is a stable difference.
func (s Stability) Differs() bool { return s.Stable > 0 || s.Size }

// Stable compares what was shipped with two runs.
func Stable(ctx context.Context, shipped, run1, run2 Content) (Stability, error) {
	s := Stability{First: -1, Size: run1.Size() == run2.Size() && run1.Size() != shipped.Size()}
	t := &tracker{s: &s, lastVarying: -1 << 40}
	if run1.Size() == run2.Size() {
		err := t.run(ctx, shipped, run1, run2, run1.Size(), false)
		return s, err
	}
	s.Tail = true
	n := min(run1.Size(), run2.Size())
	if err := t.run(ctx, shipped, run1, run2, n, true); err != nil {
		return s, err
	}
	s.Varying += max(run1.Size(), run2.Size()) - n
	back := &tracker{s: &s, lastVarying: -1 << 40}
	// Seen from the end, up to where the front pass stopped on the shorter side.
	err := back.run(ctx, reversed{shipped}, reversed{run1}, reversed{run2}, n-t.stopped, true)
	return s, err
}

// tracker walks three files in step.
type tracker struct {
	s           *Stability
	lastVarying int64
	pending     []int64 // stable differences that a varying byte right after may still claim
	stopped     int64
}

// run compares n offsets; with untilVarying it ends at the first offset at which the runs differ.
func (t *tracker) run(ctx context.Context, shipped, run1, run2 Content, n int64, untilVarying bool) error {
	bufs := [3][]byte{make([]byte, chunkSize), make([]byte, chunkSize), make([]byte, chunkSize)}
	for off := int64(0); off < n; off += chunkSize {
		if err := ctx.Err(); err != nil {
			return err
		}
		var c [3][]byte
		for i, f := range []Content{shipped, run1, run2} {
			var err error
			if c[i], err = chunk(f, bufs[i], off); err != nil {
				return err
			}
		}
		end := int(min(n-off, chunkSize))
		for i := range end {
			t.stopped = off + int64(i)
			if c[1][i] != c[2][i] {
				t.varying(t.stopped)
				if untilVarying {
					return nil
				}
				continue
			}
			if i >= len(c[0]) || c[0][i] != c[1][i] {
				t.differs(t.stopped)
			}
		}
	}
	t.stopped = n
	t.settle(n + 2*neighbourhood)
	return nil
}

func (t *tracker) varying(at int64) {
	t.s.Varying++
	t.settle(at)
	t.pending = t.pending[:0]
	t.lastVarying = at
}

func (t *tracker) differs(at int64) {
	if at-t.lastVarying <= neighbourhood {
		return
	}
	t.settle(at)
	t.pending = append(t.pending, at)
}

// settle counts the pending offsets that are too far from at to belong to a varying field there.
func (t *tracker) settle(at int64) {
	i := 0
	for ; i < len(t.pending) && at-t.pending[i] > neighbourhood; i++ {
		if t.s.First < 0 {
			t.s.First = t.pending[i]
		}
		t.s.Stable++
	}
	t.pending = append(t.pending[:0], t.pending[i:]...)
}

// reversed reads a file from its end.
type reversed struct{ c Content }

func (r reversed) Size() int64 { return r.c.Size() }

func (r reversed) ReadAt(p []byte, off int64) (int, error) {
	n := min(int64(len(p)), r.c.Size()-off)
	if n <= 0 {
		return 0, io.EOF
	}
	got, err := r.c.ReadAt(p[:n], r.c.Size()-off-n)
	if int64(got) < n {
		return 0, err
	}
	for i, j := 0, int(n)-1; i < j; i, j = i+1, j-1 {
		p[i], p[j] = p[j], p[i]
	}
	return int(n), nil
}
