// Package graft proves that a signed file is what was built, with a signature on it.
//
// Two proofs, and both are needed:
//
//   - the signature's own check holds for the shipped file: its digests are those of the file, its arithmetic fits, and its
//     encoding was read to the last byte, every byte belonging to a field that means something (CVE-2013-3900 is what
//     comes of the rest);
//   - grafting the signature onto our own build gives the shipped bytes. Only the bytes of the signature, and fields that
//     say where it lies, are taken from the shipped file; everything else comes from the build.
//
// Onto makes the second file and judges the signature; whoever calls it compares. Who signed is judged by
// internal/signature under the policy's principals: a signature by a stranger is reported as such and passes nowhere.
package graft

import (
	"context"
	"io"
	"slices"

	"github.com/glassbuild/glassbuild/internal/allow"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/signature"
)

// Content is the content of one file.
type Content interface {
	io.ReaderAt
	Size() int64
}

// A Range is a run of bytes of the shipped file.
type Range struct {
	Offset int64
	Size   int64
}

// A Grafted is our own build with the shipped file's signature on it.
type Grafted struct {
	Content
	Name     string // of the closed list of internal/allow
	Ranges   []Range
	Taken    int64              // bytes of the shipped file that were taken over
	Signers  []signature.Result // one for each signature; none is nothing
	Unsigned bool               // nobody signed: it holds digests and no more
}

// A file is one of two that are compared, and what is asked about it.
type request struct {
	ctx              context.Context
	shipped, rebuilt Content
	opt              signature.Options
}

// format is one kind of signature.
type format struct {
	name string
	onto func(*request) (*Grafted, error) // nil, nil: the shipped file holds none
}

var formats = []format{
	{allow.PESignature, peOnto},
	{allow.DebSignature, debOnto},
	{allow.ModuleSignature, moduleOnto},
	{allow.RPMSignature, rpmOnto},
	{allow.NuGetSignature, nugetOnto},
	{allow.APKSignature, apkOnto},
	{allow.JarSignature, jarOnto},
	{allow.MachOSignature, machoOnto},
	{allow.MachOAdHoc, machoAdHocOnto},
}

// Onto grafts the signature of the shipped file onto the rebuilt one. It returns nil where the shipped file holds no signature
// of the kinds that names lists, and a fault where it holds one that cannot be accepted.
func Onto(ctx context.Context, shipped, rebuilt Content, names []string, opt signature.Options) (*Grafted, error) {
	for _, f := range formats {
		if !slices.Contains(names, f.name) {
			continue
		}
		g, err := f.onto(&request{ctx, shipped, rebuilt, opt})
		if err != nil {
			return nil, err
		}
		if g == nil {
			continue
		}
		g.Name = f.name
		for _, r := range g.Ranges {
			g.Taken += r.Size
		}
		if len(g.Signers) == 0 && !g.Unsigned {
			return nil, fault.Failf(f.name, "nobody signed")
		}
		return g, nil
	}
	return nil, nil
}

// refuse is a signature that cannot be accepted.
func refuse(name, format string, args ...any) error { return fault.Failf(name, format, args...) }

// checked refuses a signature that does not hold. One by a stranger holds; the verdict judges who it is.
func checked(name string, r signature.Result) error {
	switch r.Status {
	case signature.StatusGood, signature.StatusGoodUntrusted, signature.StatusGoodExpiredKey:
		return nil
	}
	return refuse(name, "signature %s: %s", r.Status, r.Detail)
}

// A part is a run of bytes of a file that is put together.
type part struct {
	from io.ReaderAt
	at   int64
	size int64
}

// assembled is a file put together from parts.
type assembled struct {
	parts []part
	ends  []int64 // where each part ends
}

func assemble(parts ...part) *assembled {
	a := &assembled{}
	end := int64(0)
	for _, p := range parts {
		if p.size <= 0 {
			continue
		}
		end += p.size
		a.parts, a.ends = append(a.parts, p), append(a.ends, end)
	}
	return a
}

func (a *assembled) Size() int64 {
	if len(a.ends) == 0 {
		return 0
	}
	return a.ends[len(a.ends)-1]
}

func (a *assembled) ReadAt(p []byte, off int64) (int, error) {
	i, found := slices.BinarySearch(a.ends, off)
	if found {
		i++
	}
	n := 0
	for ; n < len(p) && i < len(a.parts); i++ {
		part := a.parts[i]
		skip := off + int64(n) - (a.ends[i] - part.size)
		want := min(int64(len(p)-n), part.size-skip)
		got, err := part.from.ReadAt(p[n:n+int(want)], part.at+skip)
		n += got
		if int64(got) < want {
			if err == nil || err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return n, err
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// read returns size bytes at an offset.
func read(c io.ReaderAt, at, size int64) ([]byte, error) {
	if size < 0 || size > maxRead {
		return nil, fault.Failf("signature", "exceeds limit: %d bytes", size)
	}
	b := make([]byte, size)
	n, err := c.ReadAt(b, at)
	if int64(n) == size {
		return b, nil
	}
	if err == nil || err == io.EOF {
		err = fault.Failf("signature", "truncated")
	}
	return nil, err
}
