// Package progress carries how much of a long step is done from wherever it is done to whoever shows it.
//
// It is telemetry and nothing else: no result depends on it, and where nobody looks it costs nothing.
package progress

import (
	"context"
	"io"
	"sync/atomic"
)

// Sink is told what was done. Its methods are called by several goroutines at once and return at once.
type Sink interface {
	// Expect says that n more bytes belong to the step that is under way.
	Expect(n int64)
	// Done says that n more bytes of it are done.
	Done(n int64)
}

type key struct{}

// With returns a context below which s is told.
func With(ctx context.Context, s Sink) context.Context { return context.WithValue(ctx, key{}, s) }

// Reader returns r, of which size bytes are expected (none or fewer: unknown), so that the sink of ctx is told what is read.
// Without a sink it is r itself.
func Reader(ctx context.Context, r io.Reader, size int64) io.Reader {
	s, ok := ctx.Value(key{}).(Sink)
	if !ok || size <= 0 {
		return r
	}
	s.Expect(size)
	return &reader{r: r, s: s}
}

type reader struct {
	r io.Reader
	s Sink
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if n > 0 {
		r.s.Done(int64(n))
	}
	return n, err
}

// Meter is a Sink that counts.
type Meter struct{ expected, done atomic.Int64 }

// Expect and Done add up what they are told.
func (m *Meter) Expect(n int64) { m.expected.Add(n) }
func (m *Meter) Done(n int64)   { m.done.Add(n) }

// Read returns how many bytes are done and expected since the last Reset.
func (m *Meter) Read() (done, expected int64) { return m.done.Load(), m.expected.Load() }

// Reset begins a new step.
func (m *Meter) Reset() {
	m.done.Store(0)
	m.expected.Store(0)
}
