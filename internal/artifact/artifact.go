// Package artifact opens what was shipped, once, as a tree of members.
//
// Open copies a file or directory into a private folder while it hashes it and never opens the path again, so that what
// is judged is what was hashed. Archives and compressed streams inside are listed by internal/archive, nested to
// a limit; their format is told from their bytes, never from their names. Every member has its SHA-256. Memory does
// not grow with sizes: content stays in the private folder, as it lay in the snapshot or expanded into one spool file.
//
// An archive that is malformed or hostile does not make Open fail: the member keeps its digest as an opaque file, so that
// it can still be compared bit for bit, and the refusal stands in Member.Problem and in Artifact.Hostile. Whoever lists
// members must not overlook it: the members of such an archive are incomplete.
//
// The digest of a directory is the SHA-256 over "glassbuild-tree-v1\n" and one line per entry, sorted by the bytes of
// its path:
//
//	type SP mode(octal, 4 digits) SP size SP sha256-of-content-or-link-target SP path NUL
//
// with "-" for the digest of directories. Owners and times are not part of it.
package artifact

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/glassbuild/glassbuild/internal/archive"
	"github.com/glassbuild/glassbuild/internal/fault"
)

// MemberType is the type of a member.
type MemberType = archive.Type

// The types of members.
const (
	File      = archive.File
	Directory = archive.Directory
	Symlink   = archive.Symlink
	Hardlink  = archive.Hardlink
)

// Options say where and within which bounds an artefact is opened.
type Options struct {
	Dir      string // private folder for the snapshot; it must exist, and Close removes only what Open put there
	Name     string // what messages call the artefact; the last element of the path when empty
	Limits   archive.Limits
	SHA256   string // for Inspect, of the content where the caller has read all of it already: it is not hashed again
	Unhashed bool   // for Inspect: nobody asks for the digest of the content itself, so that it has none
}

// An Artifact is a snapshot of what was shipped.
type Artifact struct {
	Name    string
	SHA256  string // of the file, or the tree digest of a directory
	Size    int64
	Kind    string // "file" or "directory"
	Root    *Member
	Hostile []Problem // what could not be listed, in the order in which it was met

	dir    string
	snap   *os.File
	spool  *spool
	mu     sync.Mutex // guards spool, buffer, bins and the location of packed members
	buffer []byte
	bins   map[*Member]map[string]bool // of npm packages, what their package.json names
}

// A Member is one file, directory or link of what was shipped, and a container when it has Members.
type Member struct {
	Path    string // from the artefact down, through nested archives; "" for the artefact itself
	Name    string // inside its container
	Type    MemberType
	Mode    uint32
	UID     int
	GID     int
	User    string
	Group   string
	ModTime int64
	Size    int64
	SHA256  string // of the content; a hard link has that of its target; "" for directories and symlinks
	Link    string // target of a symlink, or name of a hard link's target in the same container
	Xattrs  map[string]string
	Format  string           // told from the bytes: "elf", "zip", "tar+gzip", …, "" when unknown
	Packed  *archive.Packed  // how a compressed zip member is stored
	Streams []Stream         // the compressed streams around a container such as "tar+gzip", outermost first
	Regions []archive.Region // bytes of a container that belong to no member
	Members []*Member        // in the order of the archive
	View    []*Member        // of an image: its parts and its file system under names of their own, see image.go
	Problem *Problem         // why the members are missing or incomplete

	at     location
	rooted bool // names in it may begin with a slash: the payload of an RPM package is installed at the root
}

// A Stream is a compressed stream and what it expanded to.
type Stream struct {
	Format string
	Packed int64 // bytes as stored
	Size   int64 // bytes expanded
	Gzip   *archive.GzipHeader

	sum string // of the expanded bytes, where they are one file
	at  location
}

// A Problem is a refusal that belongs to one member.
type Problem struct {
	Path string
	Err  error // classified by internal/fault
}

// Error returns the refusal's text.
func (p Problem) Error() string { return p.Err.Error() }

// location tells where the content of a member lies.
type location struct {
	file   io.ReaderAt
	offset int64
	packed *archive.Entry // when set, the content is compressed in file at packed.Packed
}

// Open copies the file or directory at path into opt.Dir and lists it.
func Open(ctx context.Context, path string, opt Options) (*Artifact, error) {
	if opt.Dir == "" {
		return nil, errors.New("artifact: Options.Dir is empty")
	}
	a := &Artifact{Name: opt.Name, dir: opt.Dir, spool: &spool{dir: opt.Dir}}
	if a.Name == "" {
		a.Name = filepath.Base(path)
	}
	if err := a.open(ctx, path, opt); err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

func (a *Artifact) open(ctx context.Context, path string, opt Options) error {
	st, err := os.Stat(path)
	if err != nil {
		return fault.Inconclusivef(fault.Quote(path), "cannot read: %w", reason(err))
	}
	if a.snap, err = create(a.dir, "snapshot-*"); err != nil {
		return err
	}
	switch {
	case st.IsDir():
		err = a.openTree(ctx, path, opt.Limits)
	case st.Mode().IsRegular():
		err = a.openFile(ctx, path, st, opt.Limits)
	default:
		err = fault.Failf(fault.Quote(path), "unsupported type: %s", kindOf(st.Mode()))
	}
	return err
}

func (a *Artifact) openFile(ctx context.Context, path string, st os.FileInfo, lim archive.Limits) error {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return fault.Inconclusivef(fault.Quote(path), "cannot read: %w", reason(err))
	}
	defer f.Close()
	sum, size, err := copyStable(ctx, a.snap, f, st)
	if err != nil {
		return named(path, err)
	}
	a.Kind, a.SHA256, a.Size = "file", sum, size
	a.Root = &Member{
		Type: File, Name: a.Name, Mode: unixMode(st.Mode()), ModTime: st.ModTime().Unix(),
		Size: size, SHA256: sum, at: location{file: a.snap},
	}
	a.Root.UID, a.Root.GID = owner(st)
	a.Root.Xattrs = xattrs(f)
	x := newExpander(ctx, a)
	defer x.release()
	return x.root(a.Root, archive.NewMeter(a.Name, size, lim))
}

// Inspect lists content that the caller keeps unchanged and readable while the artefact is in use, without copying
// it: what a build put out, or what it could read. Close leaves r alone.
func Inspect(ctx context.Context, r io.ReaderAt, size int64, opt Options) (*Artifact, error) {
	a := &Artifact{Name: opt.Name, Kind: "file", Size: size, dir: opt.Dir, spool: &spool{dir: opt.Dir}}
	x := newExpander(ctx, a)
	defer x.release()
	sum, err := opt.SHA256, error(nil)
	if sum == "" && !opt.Unhashed {
		if sum, err = x.hash(x.reader(io.NewSectionReader(r, 0, size))); err != nil {
			return nil, err
		}
	}
	a.SHA256 = sum
	a.Root = &Member{Type: File, Name: a.Name, Size: size, SHA256: sum, at: location{file: r}}
	if err := x.root(a.Root, archive.NewMeter(a.Name, size, opt.Limits)); err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

// Close removes the snapshot. Content that was opened can no longer be read.
func (a *Artifact) Close() error {
	var errs []error
	for _, f := range []*os.File{a.snap, a.spool.f} {
		if f != nil {
			errs = append(errs, f.Close(), os.Remove(f.Name()))
		}
	}
	a.snap, a.spool.f = nil, nil
	return errors.Join(errs...)
}

// Find returns the member at a path; "" or "." is the artefact itself.
func (a *Artifact) Find(path string) (*Member, error) {
	if path == "" || path == "." {
		return a.Root, nil
	}
	clean, err := archive.Clean(path, false)
	if err != nil {
		return nil, err
	}
	var found *Member
	err = a.Walk(func(m *Member) error {
		if m.Path == clean {
			found = m
			return io.EOF
		}
		return nil
	})
	if err != nil && err != io.EOF {
		return nil, err
	}
	for _, v := range a.Root.View { // the parts of an image have names of their own beside those of the archive
		if found == nil {
			_ = walk(v, func(m *Member) error {
				if m.Path == clean {
					found = m
				}
				return nil
			})
		}
	}
	if found == nil {
		return nil, fault.Failf(fault.Quote(path), "no such member in %s", fault.Quote(a.Name))
	}
	return found, nil
}

// Walk calls f for the artefact itself and then for every member, a container before its members, until f fails.
func (a *Artifact) Walk(f func(*Member) error) error { return walk(a.Root, f) }

func walk(m *Member, f func(*Member) error) error {
	if err := f(m); err != nil {
		return err
	}
	for _, c := range m.Members {
		if err := walk(c, f); err != nil {
			return err
		}
	}
	return nil
}

// Executable tells whether the member is a program or library by its bytes, whatever its mode says.
func (m *Member) Executable() bool { return ExecutableFormat(m.Format) }

func reason(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// named puts the path into an error that a reader could not name.
func named(path string, err error) error {
	var f *fault.Error
	if errors.As(err, &f) && f.Object == "" {
		f.Object = fault.Quote(path)
	}
	return err
}
