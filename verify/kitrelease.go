package verify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/glassbuild/glassbuild/internal/compare"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/kit"
	"github.com/glassbuild/glassbuild/internal/oci"
	"github.com/glassbuild/glassbuild/internal/rebuild"
)

// A release is packed as it was named: its files keep their names, evidence lies beside the file that it lay beside, and the kit says
// which arguments name the release, so that verify is told the same in the closed room.

// gatherRelease walks the chain of every build that the release takes, as far as anything is read that is not on this machine.
func (r *run) gatherRelease(ctx context.Context, what []string) error {
	l := &release{run: r, stock: compare.NewStock(), given: what}
	r.req.packing.release = l
	for _, arg := range what {
		if _, err := os.Lstat(arg); IsPackage(arg) || err != nil && oci.IsReference(arg) {
			return fault.Usagef(fault.Quote(arg), "is fetched, and a kit holds files").WithHint("download it, and pack the file")
		}
	}
	if err := l.gather(ctx, what); err != nil {
		return err
	}
	if err := l.complete(); err != nil {
		return err
	}
	l.hash(ctx)
	for _, f := range l.files {
		if f.err != nil {
			return f.err
		}
	}
	return errors.Join(ctx.Err(), l.build(ctx))
}

// complete refuses a list that lies among other files: they are named in the verdict, and a kit that leaves them out would hide them.
func (l *release) complete() error {
	for _, name := range l.stray {
		if !l.has(name) {
			return fault.Usagef(fault.Quote(l.given[0]), "lies beside %s, which it does not name: the verdict says so, and a kit of the list would not", fault.Quote(name)).
				WithHint("pack the folder, or put the release where nothing else is")
		}
	}
	return nil
}

// gatherBuild fetches what one build takes, and runs nothing else.
func (r *run) gatherBuild(ctx context.Context) error {
	out, err := rebuild.Gather(ctx, r.rebuildRequest(nil))
	r.outcome = out
	return err
}

// folderOf is the folder that is the release, as a kit calls it: "" where files or a list were named.
func (l *release) folderOf() string {
	if len(l.given) == 1 && !listName(l.given[0]) {
		return l.facts.Subject.Name
	}
	return ""
}

// laidAs is what a file of the release is called in a kit.
func (l *release) laidAs(name string) string { return path.Join(l.folderOf(), name) }

// arguments are what name the release where its files are laid.
func (l *release) arguments() []string {
	if len(l.given) == 1 {
		return []string{l.facts.Subject.Name}
	}
	var out []string
	for _, arg := range l.given {
		out = append(out, filepath.Base(filepath.Clean(arg)))
	}
	return out
}

// content writes a file of the release, which must still be what it was.
func (l *release) content(f *releaseFile) func(io.Writer) error {
	return func(w io.Writer) error {
		h := sha256.New()
		if err := copyFrom(f.path)(io.MultiWriter(w, h)); err != nil {
			return err
		}
		if hex.EncodeToString(h.Sum(nil)) != f.sum {
			return fault.Failf(fault.Quote(f.name), "changed while it was read")
		}
		return nil
	}
}

// besideFiles hands on the evidence beside every file, with the folder of the kit in which it is laid.
func (l *release) besideFiles(take func(string, []string)) error {
	seen := map[string]bool{}
	for _, f := range l.files {
		if f.beside == "" || seen[f.beside] {
			continue
		}
		seen[f.beside] = true
		list, err := evidenceFiles(f.beside, nil)
		if err != nil {
			return err
		}
		take(strings.TrimPrefix(path.Dir(l.laidAs(f.name)), "."), list)
	}
	for _, d := range l.lists {
		var list []string
		for _, file := range d.detachedOf(signatureSuffixes) {
			if rel, err := filepath.Rel(filepath.Dir(d.file), file); err == nil && !l.has(path.Join(path.Dir(d.name), rel)) {
				list = append(list, file)
			}
		}
		take(strings.TrimPrefix(path.Dir(l.laidAs(d.name)), "."), list)
	}
	return nil
}

// releaseOf is how verify is told the release that a kit holds, which lies in dir; nil for a kit without one.
func releaseOf(d *kit.Document, dir string) []string {
	var out []string
	for _, name := range d.Release {
		out = append(out, filepath.Join(dir, filepath.FromSlash(name)))
	}
	return out
}
