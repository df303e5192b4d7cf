package rebuild

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"path"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/recipe"
	"github.com/glassbuild/glassbuild/internal/sandbox"
	"github.com/glassbuild/glassbuild/internal/source"
)

// Left is what the steps of the first run left in the folder of the source beside the files of the tree: what a compiler
// names and no commit holds was made by a step, and stands here.
type Left struct {
	Files    []LeftFile        `json:"files"`
	Why      string            `json:"why,omitempty"`      // not all of them are known
	Depfiles map[string][]byte `json:"depfiles,omitempty"` // rules for make that compilers wrote, by path
}

// LeftFile is one of them.
type LeftFile struct {
	Path   string `json:"path"` // below the folder of the source; of an installed package its folder, ending in a slash
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256,omitempty"` // of what may be source, and within limits; else ""
}

// leavings lists what the steps left and reads what may be source. It never makes a build fail: what cannot be listed is
// said to be unknown.
func (o *Outcome) leavings(ctx context.Context, s sandbox.Session, dir string, when int64) *Left {
	left := &Left{Files: []LeftFile{}, Depfiles: map[string][]byte{}}
	all, err := s.List(ctx, dir, leftFiles)
	if err != nil {
		left.Why = firstLine(err)
		return left
	}
	tree := make(map[string]source.Entry, len(o.Tree.Files))
	for _, e := range o.Tree.Files {
		tree[e.Path] = e
	}
	r := leftReader{ctx, s, dir, leftBytes, leftRead}
	for _, f := range all {
		e, known := tree[f.Path]
		if f.Kind != sandbox.OutputFile || strings.HasPrefix(f.Path, ".git/") || known && e.Size == f.Size && f.ModTime == when {
			continue
		}
		if dir := packageDir(f.Path); dir != "" {
			if n := len(left.Files); n == 0 || left.Files[n-1].Path != dir {
				left.Files = append(left.Files, LeftFile{Path: dir})
			}
			continue
		}
		l := LeftFile{Path: f.Path, Size: f.Size}
		if wanted(f.Path) {
			data, ok := r.read(f)
			if ok {
				sum := sha256.Sum256(data)
				l.SHA256 = hex.EncodeToString(sum[:])
			}
			if ok && path.Ext(f.Path) == ".d" {
				left.Depfiles[f.Path] = data
			}
		}
		if known && l.SHA256 == e.SHA256 { // only its time is another
			continue
		}
		left.Files = append(left.Files, l)
	}
	slices.SortFunc(left.Files, func(a, b LeftFile) int { return strings.Compare(a.Path, b.Path) })
	left.Files = slices.CompactFunc(left.Files, func(a, b LeftFile) bool { return a.Path == b.Path })
	return left
}

// leftReader reads files until it has read enough.
type leftReader struct {
	ctx   context.Context
	s     sandbox.Session
	dir   string
	bytes int64
	files int
}

func (r *leftReader) read(f sandbox.Output) ([]byte, bool) {
	if f.Size > r.bytes || f.Size > leftFile || r.files == 0 {
		return nil, false
	}
	data, err := r.s.Read(r.ctx, path.Join(r.dir, f.Path), leftFile)
	r.files, r.bytes = r.files-1, r.bytes-f.Size
	return data, err == nil
}

// packageDir returns the folder of the installed package of somebody else that a file belongs to, ending in a slash; ""
// for a file of none. Their files are accounted for as what was fetched.
func packageDir(name string) string {
	parts := strings.Split(name, "/")
	for i, p := range parts {
		n := i + 2
		if n < len(parts) && strings.HasPrefix(parts[i+1], "@") {
			n++
		}
		if p == "node_modules" && n < len(parts) {
			return strings.Join(parts[:n], "/") + "/"
		}
	}
	return ""
}

// wanted tells whether a file may be source that a step made, by its name, or says what a compiler read.
func wanted(name string) bool { return slices.Contains(sourceNames, path.Ext(name)) }

var sourceNames = []string{".c", ".cc", ".cpp", ".cxx", ".h", ".hh", ".hpp", ".hxx", ".inc", ".ipp", ".s", ".S", ".asm", ".m", ".mm", ".go", ".rs", ".java", ".kt", ".scala",
	".groovy", ".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs", ".map", ".y", ".l", ".f", ".f90", ".swift", ".py", ".proto", ".d"}

// leave looks at what the first run left.
func (o *Outcome) leave(ctx context.Context, req Request, s sandbox.Session, v Variation) *Left {
	when := req.Commit.Facts().Committer.When
	if v.Source != recipe.SourceDir {
		return &Left{Files: []LeftFile{}, Why: "the source lay elsewhere"}
	}
	return o.leavings(ctx, s, v.Source, when)
}
