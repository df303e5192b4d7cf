package compare

import (
	"context"
	"iter"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/compare/code"
	"github.com/glassbuild/glassbuild/internal/fault"
)

// Origin says where an input of a build came from.
type Origin string

// The origins of inputs.
const (
	FromSource  Origin = "source"
	FromFetch   Origin = "fetch"
	FromBuilder Origin = "builder"
)

// Input is one file that a build could read. Content must stay readable until the next Input is asked for.
type Input struct {
	Name    string
	Origin  Origin
	Content Content
}

// A Place is where a digest was found: in an input, or in a member nested in it.
type Place struct {
	Origin Origin
	Input  string
	Member string // path inside the input; "" for the input itself
}

// An Index holds the digests of inputs and of everything nested in them. It is a plain value: one for a builder's
// layers can be stored beside them and used again. Keys are "file:", "loaded:" or "machine:" and a SHA-256.
type Index struct {
	Places map[string][]Place
}

// How a copy was recognised.
type How string

// Ways in which a copy is recognised, the surest first.
const (
	SameBytes   How = "the same bytes"
	SameLoaded  How = "the same loaded content" // stripped, other debug data, other build id
	SameMachine How = "the same machine code"   // data differs too
)

// A Copy is an executable or opaque output, or a member nested in one, that equals an input.
type Copy struct {
	Output string         `json:"output"`
	Member string         `json:"member,omitempty"` // path inside the output; "" for the output itself
	Class  artifact.Class `json:"class"`
	SHA256 string         `json:"sha256"`
	How    How            `json:"how"`
	Places []Place        `json:"places"` // the inputs that it equals, each with its origin
}

// Output is one output of a build.
type Output struct {
	Name    string
	Content Content
}

// CopyOptions give the private folder into which nested content is expanded.
type CopyOptions struct{ Dir string }

// IndexInputs reads every input once, with what is nested in archives and compressed streams, and what a file that is
// base64 or hexadecimal as a whole decodes to.
func IndexInputs(ctx context.Context, inputs iter.Seq2[Input, error], opt CopyOptions) (*Index, error) {
	x := &Index{Places: make(map[string][]Place)}
	for in, err := range inputs {
		if err != nil {
			return nil, err
		}
		if in.Content.Size() < minCopied {
			continue
		}
		err := eachFile(ctx, in.Name, in.Content, opt, func(f found) error {
			x.add(f, Place{in.Origin, in.Name, f.m.Path})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return x, nil
}

func (x *Index) add(f found, p Place) {
	for _, key := range f.keys() {
		have := x.Places[key]
		for _, h := range have {
			if h.Origin == p.Origin {
				return // one place for each origin says enough
			}
		}
		if len(have) < maxPlaces {
			x.Places[key] = append(have, p)
		}
	}
}

// Add puts what is in other into x, for example the stored index of a builder.
func (x *Index) Add(other *Index) {
	for key, places := range other.Places {
		for _, p := range places {
			if len(x.Places[key]) < maxPlaces {
				x.Places[key] = append(x.Places[key], p)
			}
		}
	}
}

// Copied names every output that is no text and that equals something in one of the indexes, also when it lies nested
// in an output. It gives facts: whether a copy is allowed (a picture, a class of a bundled library) is not its question.
func Copied(ctx context.Context, outputs []Output, indexes []*Index, opt CopyOptions) ([]Copy, error) {
	var all []Copy
	for _, o := range outputs {
		whole := false
		err := eachFile(ctx, o.Name, o.Content, opt, func(f found) error {
			if whole || f.m.Size < minCopied {
				return nil
			}
			class, err := f.class()
			if err != nil || !class.Opaque() {
				return err
			}
			if c, ok := lookup(f, indexes); ok {
				c.Output, c.Member, c.Class = o.Name, f.m.Path, class
				all = append(all, c)
				whole = f.m.Path == ""
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// lookup returns the surest way in which a file equals an input.
func lookup(f found, indexes []*Index) (Copy, bool) {
	for i, key := range f.keys() {
		c := Copy{SHA256: f.m.SHA256, How: f.how(i)}
		for _, x := range indexes {
			c.Places = append(c.Places, x.Places[key]...)
		}
		if len(c.Places) > 0 {
			return c, true
		}
	}
	return Copy{}, false
}

// found is one file in an input or output.
type found struct {
	m       *artifact.Member
	in      *artifact.Artifact // that it is a member of
	code    []code.Digest
	archive bool // an expanded stream, which is not kept as a file of its own; it has no content here
}

// newFound reads the content of executables only: whatever else is a member has its digest already.
func newFound(a *artifact.Artifact, m *artifact.Member) (found, error) {
	f := found{m: m, in: a}
	if !m.Executable() || m.Format == "script" {
		return f, nil
	}
	c, err := a.Content(m)
	if err != nil {
		return f, err
	}
	defer c.Close()
	f.code = code.Digests(c, m.Size)
	return f, nil
}

func (f found) class() (artifact.Class, error) {
	if f.archive {
		return artifact.Archive, nil
	}
	c, err := f.in.Content(f.m)
	if err != nil {
		return "", err
	}
	defer c.Close()
	return artifact.Classify(c, f.m.Size)
}

func (f found) keys() []string {
	keys := []string{"file:" + f.m.SHA256}
	for _, d := range f.code {
		keys = append(keys, d.Kind+":"+d.SHA256)
	}
	return keys
}

func (f found) how(i int) How {
	switch {
	case i == 0:
		return SameBytes
	case f.code[i-1].Kind == code.Loaded:
		return SameLoaded
	}
	return SameMachine
}

// eachFile calls each for a file, for everything nested in it, and for what encoded text in it decodes to. Nested
// content that cannot be listed is passed over: the container itself still counts.
func eachFile(ctx context.Context, name string, c Content, opt CopyOptions, each func(found) error) error {
	a, err := artifact.Inspect(ctx, c, c.Size(), artifact.Options{Dir: opt.Dir, Name: name})
	if err != nil {
		return err
	}
	defer a.Close()
	return a.Walk(func(m *artifact.Member) error {
		for _, s := range m.Streams { // the archive without its compression, "a.tar" of "a.tar.gz"
			sum, err := s.Sum()
			if err != nil {
				return err
			}
			stream := &artifact.Member{Path: join(m.Path, s.Format), SHA256: sum, Size: s.Size}
			if err := each(found{m: stream, archive: true}); err != nil {
				return err
			}
		}
		if m.Type != artifact.File {
			return nil
		}
		f, err := newFound(a, m)
		if err != nil {
			return err
		}
		if err := each(f); err != nil {
			return err
		}
		return decoded(ctx, a, m, opt, each)
	})
}

func join(a, b string) string {
	switch {
	case a == "":
		return b
	case b == "":
		return a
	}
	return a + "/" + b
}

// Fault returns the refusal of a copy.
func (c Copy) Fault() *fault.Error {
	object := fault.Quote(c.Output)
	if c.Member != "" {
		object = fault.Quote(join(c.Output, c.Member))
	}
	if len(c.Places) == 0 {
		return fault.Failf(object, "output is a copied input")
	}
	p := c.Places[0]
	return fault.Failf(object, "output is a copied input: %s as %s (%s)", c.How, fault.Quote(join(p.Input, p.Member)), p.Origin)
}
