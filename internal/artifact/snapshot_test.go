package artifact

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// shifting is a file whose Stat changes after it was read.
type shifting struct {
	io.Reader
	infos []info
}

func (s *shifting) Stat() (fs.FileInfo, error) {
	i := s.infos[0]
	if len(s.infos) > 1 {
		s.infos = s.infos[1:]
	}
	return i, nil
}

type info struct {
	size int64
	when int64
	mode fs.FileMode
}

func (i info) Name() string       { return "f" }
func (i info) Size() int64        { return i.size }
func (i info) Mode() fs.FileMode  { return i.mode }
func (i info) ModTime() time.Time { return time.Unix(i.when, 0) }
func (i info) IsDir() bool        { return false }
func (i info) Sys() any           { return nil }

func TestChangedDuringSnapshot(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		listed info
		opened []info
		body   string
		ok     bool
	}{
		"unchanged":   {info{3, 1, 0o644}, []info{{3, 1, 0o644}}, "abc", true},
		"grew":        {info{3, 1, 0o644}, []info{{3, 1, 0o644}, {4, 1, 0o644}}, "abcd", false},
		"touched":     {info{3, 1, 0o644}, []info{{3, 1, 0o644}, {3, 2, 0o644}}, "abc", false},
		"shorter":     {info{3, 1, 0o644}, []info{{3, 1, 0o644}}, "ab", false},
		"replaced":    {info{3, 1, 0o644}, []info{{5, 1, 0o644}}, "abcde", false},
		"became FIFO": {info{3, 1, 0o644}, []info{{3, 1, fs.ModeNamedPipe}}, "abc", false},
	} {
		var out bytes.Buffer
		sum, n, err := copyStable(context.Background(), &out, &shifting{strings.NewReader(c.body), c.opened}, c.listed)
		if c.ok {
			if err != nil || n != 3 || sum != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" || out.String() != "abc" {
				t.Errorf("%s: %v %d %s", name, err, n, sum)
			}
			continue
		}
		if err == nil || named("a.bin", err).Error() != "a.bin: changed during snapshot" || fault.ClassOf(err) != fault.Failed {
			t.Errorf("%s: %v", name, err)
		}
	}
}
