package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/source/gitobj"
)

// Export writes the commit's tree, with its submodules, to dir, which must be empty or not there. Directories and
// executables have mode 0755, files 0644; the time of everything is the commit's. When it fails, dir is empty again.
func (c *Commit) Export(ctx context.Context, dir string) (tree *Tree, err error) {
	made, err := prepare(dir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			undo(dir, made)
		}
	}()
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, cannotWrite(dir, err)
	}
	defer root.Close()
	w, err := newWriter(root, c.object.Committer.When)
	if err != nil {
		return nil, cannotWrite(dir, err)
	}
	defer w.close()
	x := &export{commit: c, w: w, tree: &Tree{}}
	if err := x.run(ctx); err != nil {
		return nil, err
	}
	return x.tree, nil
}

// prepare makes dir, or demands that it is empty.
func prepare(dir string) (made bool, err error) {
	err = os.Mkdir(dir, 0o755)
	if err == nil {
		// whatever the umask says
		if err = os.Chmod(dir, 0o755); err != nil {
			return true, cannotWrite(dir, err)
		}
		return true, nil
	}
	if !errors.Is(err, fs.ErrExist) {
		return false, cannotWrite(dir, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false, cannotWrite(dir, err)
	}
	if len(entries) > 0 {
		return false, fault.Usagef(fault.Quote(dir), "not empty").WithHint("name a directory that is not there yet")
	}
	return false, nil
}

// undo removes what a failed export wrote.
func undo(dir string, made bool) {
	if made {
		os.RemoveAll(dir)
		return
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return
	}
	defer root.Close()
	entries, _ := fs.ReadDir(root.FS(), ".")
	for _, e := range entries {
		root.RemoveAll(e.Name())
	}
}

func cannotWrite(name string, err error) error {
	if errors.Is(err, fs.ErrExist) {
		// everything is made once: the file system takes two names for one
		return fault.Failf(fault.Quote(name), "colliding names on this file system: %w", err).WithCheck(CheckTree)
	}
	if isNoSpace(err) {
		return fault.Inconclusivef(fault.Quote(name), "no space writing the tree: %w", err).WithCheck(CheckTree)
	}
	return fault.Inconclusivef(fault.Quote(name), "cannot be written: %w", err).WithCheck(CheckTree)
}

// export is one run of Export.
type export struct {
	commit *Commit
	w      writer
	mu     sync.Mutex // guards tree while several workers write
	tree   *Tree
	bytes  atomic.Int64
	opened int // submodules
	dirs   []string
	count  int // entries of all parts

	missing []largeFile // of the part that is being written
}

// writer puts files into a fresh directory. Regular files come first and links last, so that no path can lead through
// a link; every file is made anew (O_EXCL). Its file method may be called by several goroutines.
type writer interface {
	mkdir(path string) error
	file(path string, data []byte, executable bool) error
	link(path, target string) error
	finish(dirs []string) error // sets the times of directories
	close()
}

// run writes one part after the other: the commit's own tree, then what it pins. Links come last of all.
func (x *export) run(ctx context.Context) (err error) {
	c := x.commit
	queue := []part{{repo: c.repo, commit: c.id, tree: c.object.Tree, chain: []gitobj.ID{c.id}}}
	var done []part
	var links [][]file
	defer func() {
		// the first part is the caller's
		for _, p := range append(done, queue...) {
			if p.repo != c.repo {
				p.repo.Close()
			}
		}
	}()
	for len(queue) > 0 {
		p := queue[0]
		queue, done = queue[1:], append(done, p)
		list, symlinks, err := x.writePart(ctx, p)
		if err != nil {
			return err
		}
		links = append(links, symlinks)
		if c.opt.Attributes == AttributesArchive {
			x.leaveOut(list.links)
			continue
		}
		subs, err := x.submodules(ctx, p, list.links)
		queue = append(queue, subs...)
		if err != nil {
			return err
		}
	}
	for i, p := range done {
		if err := x.writeLinks(p.repo, links[i]); err != nil {
			return err
		}
	}
	if err := x.w.finish(x.dirs); err != nil {
		return cannotWrite(".", err)
	}
	x.tree.Bytes = x.bytes.Load()
	x.tree.seal()
	return nil
}

// writePart writes the directories and regular files of one part, and returns its links. The listing gives up its files: of
// hundreds of thousands there is never a second list.
func (x *export) writePart(ctx context.Context, p part) (list *listing, symlinks []file, err error) {
	if list, err = p.repo.listTree(ctx, p.tree, p.base); err != nil {
		return nil, nil, err
	}
	if x.count += len(list.files) + len(list.dirs); x.count > maxFiles {
		return nil, nil, tooMuch(p.base, "entries", maxFiles)
	}
	job := &partJob{part: p}
	if job.attributes, err = loadAttributes(p.repo, list, p.base); err != nil {
		return nil, nil, err
	}
	if err := x.plan(job, list); err != nil {
		return nil, nil, err
	}
	for _, d := range list.dirs {
		if err := x.w.mkdir(d); err != nil {
			return nil, nil, cannotWrite(d, err)
		}
	}
	x.dirs = append(x.dirs, list.dirs...)
	regular, symlinks := list.takeFiles()
	entries, err := x.writeFiles(ctx, job, regular)
	if err != nil {
		return nil, nil, err
	}
	if x.tree.Files == nil {
		x.tree.Files = entries
	} else {
		x.tree.Files = append(x.tree.Files, entries...)
	}
	x.tree.Findings = append(x.tree.Findings, list.findings...)
	return list, symlinks, x.writeMissing(ctx, job)
}

const (
	batchFiles = 64       // files that a worker takes at a time
	nearby     = 32 << 10 // a gap between two wanted objects that is read rather than skipped
	maxAhead   = 512 << 10
)

// writeFiles writes the regular files. They are ordered by where they lie, so that a pack is read from front to back
// and the objects of one chain of deltas follow each other; several workers take them in batches. Content that stands
// at several paths is read and hashed once.
func (x *export) writeFiles(ctx context.Context, job *partJob, regular []file) ([]Entry, error) {
	slices.SortFunc(regular, func(a, b file) int {
		if c := a.at.Compare(b.at); c != 0 {
			return c
		}
		if c := a.id.Compare(b.id); c != 0 {
			return c
		}
		return strings.Compare(a.path, b.path)
	})
	entries := make([]Entry, len(regular))
	var next atomic.Int64
	var failed atomic.Bool
	var once sync.Once
	var first error
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), 1+len(regular)/batchFiles) {
		workers.Go(func() {
			reader := job.repo.objects.NewReader()
			for !failed.Load() {
				from := int(next.Add(batchFiles)) - batchFiles
				if from >= len(regular) {
					return
				}
				to := min(from+batchFiles, len(regular))
				err := ctx.Err()
				if err == nil {
					err = x.writeBatch(job, reader, regular, entries, from, to)
				}
				if err != nil {
					once.Do(func() { first = err })
					failed.Store(true)
				}
			}
		})
	}
	workers.Wait()
	return slices.DeleteFunc(entries, func(e Entry) bool { return e.Path == "" }), first
}

// writeBatch writes files[from:to].
func (x *export) writeBatch(job *partJob, r *gitobj.Reader, files []file, entries []Entry, from, to int) error {
	var data []byte
	var hex256 string
	for i := from; i < to; i++ {
		f := &files[i]
		if i == from || f.id != files[i-1].id {
			var err error
			data, err = r.ReadAt(f.id, f.at, gitobj.Blob, readAhead(files[i:to]))
			if err != nil {
				return at(f.path, err)
			}
			hex256 = hexSum(data)
		}
		e := Entry{Path: f.path, Mode: uint32(f.mode), Size: int64(len(data)), SHA256: hex256, Blob: f.id.String()}
		if f.ignored {
			x.ignore(e)
			continue
		}
		out, err := x.content(job, f, data, &e)
		if errors.Is(err, errLater) {
			continue
		}
		if err == nil {
			err = x.writeFile(f, out)
		}
		if err != nil {
			return err
		}
		entries[i] = e
	}
	return nil
}

func (x *export) writeFile(f *file, data []byte) error {
	if x.bytes.Add(int64(len(data))) > maxExportBytes {
		return tooMuch(f.path, "bytes in all files", maxExportBytes)
	}
	if err := x.w.file(f.path, data, f.mode == gitobj.ModeExecutable); err != nil {
		return cannotWrite(f.path, err)
	}
	return nil
}

func hexSum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// readAhead returns how many bytes from the first file on hold objects that are wanted, without a wide gap.
func readAhead(files []file) int64 {
	var ahead int64
	for i := 1; i < len(files); i++ {
		gap := files[i-1].at.Distance(files[i].at)
		if gap < 0 || gap > nearby || ahead+gap > maxAhead {
			break
		}
		ahead += gap
	}
	return ahead
}

// takeFiles empties a listing of its files and symbolic links.
func (o *listing) takeFiles() (regular, symlinks []file) {
	isLink := func(f file) bool { return f.mode == gitobj.ModeLink }
	for _, f := range o.files {
		if isLink(f) {
			symlinks = append(symlinks, f)
		}
	}
	regular = slices.DeleteFunc(o.files, isLink)
	o.files = nil
	return regular, symlinks
}

// writeLinks writes the symbolic links, after everything else. Their text is checked, and never followed.
func (x *export) writeLinks(repo *repository, files []file) error {
	for _, f := range files {
		data, err := repo.objects.Read(f.id, gitobj.Blob)
		if err != nil {
			return at(f.path, err)
		}
		if f.ignored {
			x.ignore(newEntry(f.path, gitobj.TreeEntry{ID: f.id, Mode: f.mode}, data))
			continue
		}
		target := string(data)
		if target == "" || len(target) > maxLinkTarget || strings.IndexByte(target, 0) >= 0 {
			return fault.Failf(fault.Quote(f.path), "invalid tree entry: link of %d bytes", len(target)).WithCheck(CheckTree)
		}
		if escapes(f.path, target) {
			x.tree.Findings = append(x.tree.Findings, Finding{EscapingLink, f.path, "link escapes tree: " + fault.Quote(target)})
		}
		if err := x.w.link(f.path, target); err != nil {
			return cannotWrite(f.path, err)
		}
		x.tree.Files = append(x.tree.Files, newEntry(f.path, gitobj.TreeEntry{ID: f.id, Mode: f.mode}, data))
	}
	return nil
}
