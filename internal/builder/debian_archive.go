package builder

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/glassbuild/glassbuild/internal/archive"
	"github.com/glassbuild/glassbuild/internal/builder/debian"
	"github.com/glassbuild/glassbuild/internal/fault"
)

// debianArchive is where packages come from. What its mirrors say counts only by what the archive signed.
type debianArchive struct {
	suite   string
	mirrors []string
	keys    *debian.Keyring
	opts    Options
}

func (a *debianArchive) object() string { return "archive of " + fault.Quote(a.suite) }

// open reads a file below the archive's address from the first mirror that has it.
func (a *debianArchive) open(ctx context.Context, name string, limit int64) (io.ReadCloser, error) {
	if len(a.mirrors) == 0 {
		return nil, fault.Inconclusivef(a.object(), "this system's apt sources name no mirror for it").
			WithHint("add one, or name a dated snapshot in the recipe: debian = { suite = %q, mirror = \"https://…\", … }", a.suite).WithCheck(CheckAvailable)
	}
	var last error
	for _, m := range a.mirrors {
		r, err := a.openAt(ctx, m, name, limit)
		if err == nil {
			return r, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		last = err
	}
	return nil, unavailable(name, last)
}

func (a *debianArchive) openAt(ctx context.Context, mirror, name string, limit int64) (io.ReadCloser, error) {
	if dir, ok := strings.CutPrefix(mirror, "file:"); ok { // a copy of the archive on this machine
		u, err := url.Parse(mirror)
		if err == nil && u.Path != "" {
			dir = u.Path
		}
		f, err := os.Open(filepath.Join(filepath.FromSlash(dir), filepath.FromSlash(name)))
		if err != nil {
			return nil, fault.Inconclusivef(fault.Quote(name), "%w", bareFS(err))
		}
		return f, nil
	}
	if a.opts.Remote == nil || a.opts.Offline {
		return nil, fault.Inconclusivef(fault.Quote(name), "is not kept, and the run is offline").WithHint("run once without --offline")
	}
	return a.opts.Remote.Fetch(ctx, mirror+"/"+escapePath(name), limit)
}

// escapePath keeps what a mirror's server expects and escapes the rest.
func escapePath(name string) string {
	parts := strings.Split(name, "/")
	for i, p := range parts {
		parts[i] = strings.ReplaceAll(url.PathEscape(p), "+", "%2B")
	}
	return strings.Join(parts, "/")
}

func bareFS(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// fetch brings a file of known digest into the store.
func (a *debianArchive) fetch(ctx context.Context, f PinnedFile, limit int64, names ...string) error {
	if a.opts.Store.Has(f.SHA256) {
		return nil
	}
	if f.Size > limit {
		return fault.Failf(fault.Quote(f.Path), "exceeds limit: %d bytes, at most %d", f.Size, limit).WithCheck(CheckAvailable)
	}
	var other, last error
	for _, name := range append(names, f.Path) {
		for _, m := range a.mirrors {
			got, err := a.bring(ctx, m, name, f)
			switch {
			case err == nil && got == f.SHA256:
				return nil
			case ctx.Err() != nil:
				return ctx.Err()
			case err != nil && fault.ClassOf(err) == fault.Failed && isFault(err) || err == nil:
				// several archives may have a file of that name; a lie is told only where nobody has the right one
				if other = err; err == nil {
					other = fault.Failf(fault.Quote(name), "the mirror serves another file: SHA-256 %s, want %s", got, f.SHA256)
				}
			default:
				last = err
			}
		}
	}
	if other != nil {
		return named(other)
	}
	if last == nil {
		_, last = a.open(ctx, f.Path, f.Size)
	}
	return unavailable(f.Path, last)
}

// bring puts what a mirror serves into the store and returns its digest.
func (a *debianArchive) bring(ctx context.Context, mirror, name string, f PinnedFile) (string, error) {
	r, err := a.openAt(ctx, mirror, name, f.Size)
	if err != nil {
		return "", err
	}
	defer r.Close()
	b, err := a.opts.Store.Put(ctx, r, f.Size)
	return b.SHA256, err
}

func isFault(err error) bool {
	var f *fault.Error
	return errors.As(err, &f)
}

// unavailable says that a file was not had, which decides nothing about it.
func unavailable(name string, err error) error {
	var f *fault.Error
	if errors.As(err, &f) && f.Class != fault.Inconclusive || errors.Is(err, context.Canceled) {
		return err
	}
	e := fault.Inconclusivef(fault.Quote(name), "cannot be fetched: %w", err).WithCheck(CheckAvailable)
	if errors.Is(err, fs.ErrNotExist) {
		return e.WithHint("the archive holds only its newest versions; name a dated snapshot of it with mirror in the recipe, or make the lock anew")
	}
	return e
}

// packages brings every package into the store.
func (a *debianArchive) packages(ctx context.Context, list []DebianPackage) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(fetchers)
	for _, p := range list {
		group.Go(func() error { return a.fetch(ctx, p.PinnedFile, debian.MaxPackage) })
	}
	return group.Wait()
}

// releasePath is where the suite's Release file lies.
func (a *debianArchive) releasePath() string { return path.Join("dists", a.suite, "InRelease") }

// shelfPrefix begins what a shelf calls a Release file: it is asked for by its name, everything after it by its digest.
const shelfPrefix = "debian/"

// current is the Release file that the archive has now, or that a shelf has of it.
func (a *debianArchive) current(ctx context.Context, now time.Time) (*debian.Release, PinnedFile, error) {
	if a.opts.Remote == nil || !a.opts.Remote.Shelved() {
		release, _, file, err := a.newest(ctx, now)
		return release, file, err
	}
	var file PinnedFile
	r, err := a.opts.Remote.Named(shelfPrefix+a.releasePath(), func() (io.ReadCloser, error) {
		_, data, _, err := a.newest(ctx, now)
		return io.NopCloser(bytes.NewReader(data)), err
	})
	if err != nil {
		return nil, file, unavailable(a.releasePath(), err)
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, debian.MaxRelease+1))
	if err != nil {
		return nil, file, unavailable(a.releasePath(), err)
	}
	b, err := a.opts.Store.Put(ctx, bytes.NewReader(data), debian.MaxRelease)
	if err != nil {
		return nil, file, err
	}
	release, err := debian.OpenRelease(data, a.suite, a.keys, now)
	return release, PinnedFile{Path: a.releasePath(), SHA256: b.SHA256, Size: b.Size}, named(err)
}

// newest fetches the Release file from the first mirror that has one which counts.
func (a *debianArchive) newest(ctx context.Context, now time.Time) (*debian.Release, []byte, PinnedFile, error) {
	var file PinnedFile
	mirrors := a.mirrors
	if len(mirrors) == 0 {
		mirrors = []string{""} // open says why there is none
	}
	var first error
	for _, m := range mirrors { // somebody else's archive may have a suite of the same name: its keys do not count
		at := *a
		if m != "" {
			at.mirrors = []string{m}
		}
		release, data, err := at.release(ctx, now)
		if err == nil {
			b, err := a.opts.Store.Put(ctx, bytes.NewReader(data), debian.MaxRelease)
			return release, data, PinnedFile{Path: a.releasePath(), SHA256: b.SHA256, Size: b.Size}, err
		}
		if ctx.Err() != nil {
			return nil, nil, file, ctx.Err()
		}
		if first == nil {
			first = err
		}
	}
	return nil, nil, file, named(first)
}

// release fetches and verifies the Release file of the mirrors.
func (a *debianArchive) release(ctx context.Context, now time.Time) (*debian.Release, []byte, error) {
	r, err := a.open(ctx, a.releasePath(), debian.MaxRelease)
	if err != nil {
		return nil, nil, err
	}
	data, err := io.ReadAll(io.LimitReader(r, debian.MaxRelease+1))
	r.Close()
	if err != nil {
		return nil, nil, unavailable(a.releasePath(), err)
	}
	release, err := debian.OpenRelease(data, a.suite, a.keys, now)
	return release, data, err
}

// pinned opens the Release file that a lock names: the kept one, or what a mirror still has.
func (a *debianArchive) pinned(ctx context.Context, f PinnedFile, now time.Time) (*debian.Release, error) {
	for _, m := range a.mirrors {
		if a.opts.Store.Has(f.SHA256) {
			break
		}
		r, err := a.openAt(ctx, m, f.Path, debian.MaxRelease)
		if err != nil {
			continue
		}
		_, err = a.opts.Store.Put(ctx, r, debian.MaxRelease)
		r.Close()
		if err != nil {
			return nil, err
		}
	}
	blob, err := a.opts.Store.OpenBlob(f.SHA256)
	if err != nil {
		return nil, fault.Inconclusivef(fault.Quote(f.Path), "no mirror has the one that the lock names: %w", fs.ErrNotExist)
	}
	defer blob.Close()
	data, err := io.ReadAll(io.LimitReader(blob, debian.MaxRelease+1))
	if err != nil {
		return nil, fault.Inconclusivef(fault.Quote(f.Path), "%w", err)
	}
	release, err := debian.OpenRelease(data, a.suite, a.keys, now)
	return release, named(err)
}

// index fetches and reads the Packages index that a Release file lists.
func (a *debianArchive) index(ctx context.Context, release *debian.Release, arch string) (*debian.Index, PinnedFile, error) {
	at, ok := release.Index(component, arch)
	if !ok {
		return nil, PinnedFile{}, fault.Inconclusivef(a.object(), "its Release file lists no packages of %s for %s", component, arch).WithCheck(CheckAvailable)
	}
	folder := path.Join("dists", a.suite)
	file := PinnedFile{Path: path.Join(folder, at.Path), SHA256: at.SHA256, Size: at.Size}
	var names []string
	if release.ByHash { // what the index is called may be replaced under us, its digest not
		names = append(names, path.Join(folder, path.Dir(at.Path), "by-hash", "SHA256", at.SHA256))
	}
	if err := a.fetch(ctx, file, debian.MaxIndex, names...); err != nil {
		return nil, file, err
	}
	blob, err := a.opts.Store.OpenBlob(file.SHA256)
	if err != nil {
		return nil, file, err
	}
	defer blob.Close()
	meter := archive.NewMeter(file.Path, file.Size, archive.Limits{Expanded: debian.MaxIndexText})
	var r io.Reader = blob
	if format := map[string]string{".gz": archive.FormatGzip, ".xz": archive.FormatXZ}[path.Ext(file.Path)]; format != "" {
		z, err := archive.Decompress(format, blob, meter)
		if err != nil {
			return nil, file, named(err)
		}
		defer z.Close()
		r = z
	}
	x, err := debian.ReadIndex(r, arch)
	return x, file, named(err)
}

func digestHex(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
