package remote

import (
	"errors"
	"io"
	"io/fs"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Shelf holds bytes by the names that protocols give them, such as "go/example.org/m/@v/v1.0.0.zip", whatever server they came from. A
// shelf that is being filled stands in front of the network; a sealed one stands in its place. It supplies bytes: whoever asks
// judges them as if a server had sent them.
type Shelf interface {
	// Open opens what is there under a name. What is not there is fs.ErrNotExist; what a server said not to have is Absent.
	Open(name string) (io.ReadCloser, error)
	// Keep returns body, and has it under its name once it was read to its end.
	Keep(name string, body io.ReadCloser) io.ReadCloser
	// KeepAbsent notes that a server does not have it.
	KeepAbsent(name string) error
	// Sealed tells that nothing is added any more, and that no server is asked.
	Sealed() bool
}

// ErrAbsent is what a shelf says of a name that a server did not have when the shelf was filled. It is fs.ErrNotExist, as the
// server's own answer is.
var ErrAbsent error = absent{}

type absent struct{}

func (absent) Error() string        { return "the server did not have it" }
func (absent) Is(target error) bool { return target == fs.ErrNotExist }

// Sealed tells whether a sealed shelf stands in the place of the network.
func (c *Client) Sealed() bool { return c.opts.Shelf != nil && c.opts.Shelf.Sealed() }

// Shelved tells whether what is fetched has to be had by its name: by a shelf that is filled or read.
func (c *Client) Shelved() bool { return c.opts.Shelf != nil }

// Named opens what has that name: from the shelf, else with fetch.
func (c *Client) Named(name string, fetch func() (io.ReadCloser, error)) (io.ReadCloser, error) {
	s := c.opts.Shelf
	if s == nil {
		return fetch()
	}
	r, err := s.Open(name)
	switch {
	case err == nil || errors.Is(err, ErrAbsent):
		return r, err
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	case s.Sealed():
		// not fs.ErrNotExist: that it is not here says nothing of what a server has
		return nil, fault.Inconclusivef(fault.Quote(name), "is not in the kit").WithHint("pack the kit anew; glassbuild kit inspect lists what it holds")
	}
	r, err = fetch()
	if errors.Is(err, fs.ErrNotExist) {
		if kept := s.KeepAbsent(name); kept != nil {
			return nil, kept
		}
	}
	if err != nil {
		return nil, err
	}
	return s.Keep(name, r), nil
}
