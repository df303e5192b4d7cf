package compare

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/hex"
	"io"
	"os"
	"strings"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/fault"
)

// decoded hands on what a file that is base64 or hexadecimal as a whole decodes to. Lines of PEM around it are left
// out. Anything that does not decode to its end is no such file.
func decoded(ctx context.Context, in *artifact.Artifact, m *artifact.Member, opt CopyOptions, each func(found) error) error {
	if m.Size < minTextBlob || m.Size > maxTextBlob || m.Format != "" {
		return nil
	}
	head, err := in.Head(m, textBlobHead)
	if err != nil {
		return err
	}
	kind := alphabet(head)
	if kind == "" {
		return nil
	}
	c, err := in.Content(m)
	if err != nil {
		return err
	}
	defer c.Close()
	f, err := os.CreateTemp(opt.Dir, "decoded-*")
	if err != nil {
		return fault.Inconclusivef(fault.Quote(opt.Dir), "no space writing: %w", err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	var r io.Reader = &letters{r: bufio.NewReader(io.NewSectionReader(c, 0, m.Size))}
	if kind == "hex" {
		r = hex.NewDecoder(r)
	} else {
		r = base64.NewDecoder(base64.StdEncoding.WithPadding(base64.NoPadding), r)
	}
	n, err := io.Copy(f, r)
	if err != nil || n < minCopied {
		return nil
	}
	sec := io.NewSectionReader(f, 0, n)
	a, err := artifact.Inspect(ctx, sec, n, artifact.Options{Dir: opt.Dir, Name: kind})
	if err != nil {
		return err
	}
	defer a.Close()
	return a.Walk(func(inner *artifact.Member) error {
		if inner.Type != artifact.File {
			return nil
		}
		x, err := newFound(a, inner)
		if err != nil {
			return err
		}
		moved := *inner
		moved.Path = join(join(m.Path, kind), inner.Path)
		x.m = &moved
		return each(x)
	})
}

// alphabet tells whether all of head could be hexadecimal or base64.
func alphabet(head []byte) string {
	isHex, long := true, 0
	for line := range strings.Lines(string(head)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "-----") {
			continue
		}
		for _, c := range []byte(line) {
			switch {
			case c >= '0' && c <= '9', c >= 'a' && c <= 'f', c >= 'A' && c <= 'F':
			case c >= 'g' && c <= 'z', c >= 'G' && c <= 'Z', c == '+', c == '/', c == '-', c == '_', c == '=':
				isHex = false
			default:
				return ""
			}
		}
		long = max(long, len(line))
	}
	switch {
	case long < 32: // a list of words
		return ""
	case isHex:
		return "hex"
	}
	return "base64"
}

// letters drops white space, padding and PEM's border lines, and turns the URL alphabet of base64 into the standard one.
type letters struct {
	r    *bufio.Reader
	line bool // within a line whose start was looked at
}

func (l *letters) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if !l.line {
			if start, _ := l.r.Peek(5); string(start) == "-----" {
				if err := l.skipLine(); err != nil {
					return n, err
				}
				continue
			}
			l.line = true
		}
		c, err := l.r.ReadByte()
		if err != nil {
			return n, err
		}
		switch c {
		case '\n':
			l.line = false
			continue
		case '\r', ' ', '\t', '=':
			continue
		case '-':
			c = '+'
		case '_':
			c = '/'
		}
		p[n] = c
		n++
	}
	return n, nil
}

func (l *letters) skipLine() error {
	for {
		_, err := l.r.ReadSlice('\n')
		if err != bufio.ErrBufferFull {
			return err
		}
	}
}
