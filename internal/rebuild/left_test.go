package rebuild

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/sandbox"
	"github.com/glassbuild/glassbuild/internal/source"
)

// ended is a sandbox whose steps have ended, as far as it is looked at then.
type ended struct {
	sandbox.Session
	files map[string]string
	times map[string]int64
	sizes map[string]int64 // of files that are larger than what is at hand
	err   error
	read  int
}

func (e *ended) List(context.Context, string, int) ([]sandbox.Output, error) {
	var list []sandbox.Output
	for name, text := range e.files {
		o := sandbox.Output{Path: name, Kind: sandbox.OutputFile, Size: int64(len(text)), ModTime: 1000 + e.times[name]}
		if n := e.sizes[name]; n > 0 {
			o.Size = n
		}
		list = append(list, o)
	}
	list = append(list, sandbox.Output{Path: "build", Kind: sandbox.OutputDirectory}, sandbox.Output{Path: "link.c", Kind: sandbox.OutputLink})
	slices.SortFunc(list, func(a, b sandbox.Output) int { return strings.Compare(a.Path, b.Path) })
	return list, e.err
}

func (e *ended) Read(_ context.Context, name string, limit int64) ([]byte, error) {
	e.read++
	rel := strings.TrimPrefix(name, "/src/")
	if int64(len(e.files[rel])) > limit {
		return nil, errors.New("more than was asked for")
	}
	return []byte(e.files[rel]), nil
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func TestLeavings(t *testing.T) {
	t.Parallel()
	o := &Outcome{Tree: &source.Tree{}}
	tree := map[string]string{"kept.c": "as it was", "touched.c": "only its time", "altered.c": "before", "data.bin": "blob"}
	for name, text := range tree {
		o.Tree.Files = append(o.Tree.Files, source.Entry{Path: name, Size: int64(len(text)), SHA256: digest(text)})
	}
	s := &ended{files: map[string]string{"kept.c": "as it was", "touched.c": "only its time", "altered.c": "later.", "data.bin": "blob", "build/gen.c": "made", "build/gen.o": "object",
		"build/gen.d": "gen.o: gen.c\n", ".git/HEAD": "x", "node_modules/a/index.js": "x", "node_modules/a/lib/b.js": "y", "node_modules/@s/p/x.js": "z", "huge.c": "?"},
		times: map[string]int64{"touched.c": 5, "altered.c": 5, "build/gen.c": 5}, sizes: map[string]int64{"huge.c": leftFile + 1}}
	left := o.leavings(t.Context(), s, "/src", 1000)
	want := []LeftFile{{"altered.c", 6, digest("later.")}, {"build/gen.c", 4, digest("made")}, {"build/gen.d", 13, digest("gen.o: gen.c\n")}, {"build/gen.o", 6, ""}, {"huge.c", leftFile + 1, ""},
		{"node_modules/@s/p/", 0, ""}, {"node_modules/a/", 0, ""}}
	if left.Why != "" || !slices.Equal(left.Files, want) {
		t.Errorf("%q\n%+v", left.Why, left.Files)
	}
	if len(left.Depfiles) != 1 || string(left.Depfiles["build/gen.d"]) != "gen.o: gen.c\n" {
		t.Errorf("%q", left.Depfiles)
	}
	s.err = errors.New("limit reached: more than 3 entries")
	if left := o.leavings(t.Context(), s, "/src", 1000); left.Why != s.err.Error() || len(left.Files) > 0 {
		t.Errorf("%+v", left)
	}
}

// TestLeavingsAreBounded: a build that leaves very many files is not read to the end.
func TestLeavingsAreBounded(t *testing.T) {
	t.Parallel()
	s := &ended{files: map[string]string{}}
	for i := range leftRead + 100 {
		s.files[path.Join("gen", fmt.Sprintf("%05d.c", i))] = "x"
	}
	left := (&Outcome{Tree: &source.Tree{}}).leavings(t.Context(), s, "/src", 1000)
	if s.read != leftRead || len(left.Files) != leftRead+100 || left.Files[leftRead].SHA256 != "" {
		t.Errorf("%d read, %d files", s.read, len(left.Files))
	}
}
