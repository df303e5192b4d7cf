package builder

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/glassbuild/glassbuild/internal/builder/debian"
	"github.com/glassbuild/glassbuild/internal/builder/rootfs"
	"github.com/glassbuild/glassbuild/internal/fault"
)

// Debian says which packages of which suite make a root.
type Debian struct {
	Suite  string
	Wanted []string // "name" or "name=version"
	Exact  bool     // Wanted is the whole list, every one with its version: nothing is added
	Mirror string   // address of the archive, or of a dated snapshot of it; "" is what the system's apt sources say
	Pins   *DebianPins
}

// DebianPins are the files that a lock names: what was resolved once.
type DebianPins struct {
	Release  PinnedFile
	Index    PinnedFile
	Packages []PinnedFile
}

// PinnedFile is one file of an archive.
type PinnedFile struct {
	Path   string // below the archive's address
	SHA256 string // hex
	Size   int64
}

// DebianPackage is one package of a root.
type DebianPackage struct {
	Name, Version, Architecture string
	PinnedFile
}

// The component that packages come from, and where a suite's files lie below an archive's address.
const (
	component = "main"
	inRelease = "InRelease"
)

// debianKind is the kind of the store's trees and results; debianLayout changes when the same packages are laid otherwise.
const (
	debianKind   = "debian-root"
	debianLayout = "3"
)

// debianRoot is one root of packages on its way.
type debianRoot struct {
	Debian
	arch string
	opts Options
	from *debianArchive
	now  time.Time
}

func newDebianRoot(d *Debian, platform string, opts Options) (*debianRoot, error) {
	arch, ok := debianArchitectures[platform]
	if !ok {
		return nil, fault.Inconclusivef("builder debian", "no builder for %s", fault.Quote(platform)).WithCheck(CheckAvailable)
	}
	system := opts.System
	if system == nil {
		var err error
		if system, err = debian.LoadSystem("/"); err != nil {
			return nil, err
		}
	}
	keys, err := system.Keyring()
	if err != nil {
		return nil, err
	}
	for i, data := range opts.ArchiveKeys {
		if err := keys.Add(fmt.Sprintf("archive-keys[%d]", i), data); err != nil {
			return nil, err
		}
	}
	mirrors := system.Mirrors(d.Suite, component)
	if d.Mirror != "" {
		mirrors = []string{strings.TrimSuffix(d.Mirror, "/")}
	}
	r := &debianRoot{Debian: *d, arch: arch, opts: opts, now: time.Now()}
	r.from = &debianArchive{suite: d.Suite, mirrors: mirrors, keys: keys, opts: opts}
	return r, nil
}

// PlainHTTP lists the hosts that this machine's package manager reaches without TLS, because what it fetches is signed.
func PlainHTTP() []string {
	system, err := debian.LoadSystem("/")
	if err != nil {
		return nil // said when a builder asks
	}
	return system.PlainHTTP()
}

// SystemSuite is the suite of this machine's own Debian, where its package manager is configured with an archive of it; "" for none.
func SystemSuite() string {
	system, err := debian.LoadSystem("/")
	if err != nil {
		return "" // said when a builder asks
	}
	suite := osReleaseValue("/etc/os-release", "VERSION_CODENAME")
	if osReleaseValue("/etc/os-release", "ID") != "debian" || suite == "" || len(system.Mirrors(suite, component)) == 0 {
		return ""
	}
	return suite
}

// debianArchitectures are Debian's names of platforms.
var debianArchitectures = map[string]string{"linux/amd64": "amd64", "linux/arm64": "arm64"}

func (r *debianRoot) object() string { return "builder debian " + r.Suite }

// ResolveDebian chooses versions, from what the archive offers today, for a lock to name.
func ResolveDebian(ctx context.Context, d *Debian, platform string, opts Options) (*DebianPins, error) {
	r, err := newDebianRoot(d, platformOr(platform), opts)
	if err != nil {
		return nil, err
	}
	release, file, err := r.from.current(ctx, r.now)
	if err != nil {
		return nil, err
	}
	if r.Mirror == "" { // a snapshot is old on purpose
		if err := release.Fresh(r.now); err != nil {
			return nil, named(err)
		}
	}
	index, at, err := r.from.index(ctx, release, r.arch)
	if err != nil {
		return nil, err
	}
	choose := debian.Resolve
	if r.Exact {
		choose = debian.Exact
	}
	chosen, err := choose(index, r.Wanted)
	if err != nil {
		return nil, named(err)
	}
	pins := &DebianPins{Release: file, Index: at}
	for _, p := range chosen {
		pins.Packages = append(pins.Packages, PinnedFile{Path: p.Path, SHA256: p.SHA256, Size: p.Size})
	}
	return pins, nil
}

// named gives an error of the builder its check.
func named(err error) error {
	var f *fault.Error
	if errors.As(err, &f) && f.Check == "" {
		f.Check = CheckAvailable
	}
	return err
}

// debianLayer returns the packages as one layer, the whole root.
func debianLayer(ctx context.Context, d *Debian, platform string, opts Options) (*Layer, error) {
	if d.Pins == nil {
		return nil, fault.Inconclusivef("builder debian "+d.Suite, "no lock says which versions").
			WithHint("glassbuild lock chooses them once and writes glassbuild.lock").WithCheck(CheckAvailable)
	}
	r, err := newDebianRoot(d, platform, opts)
	if err != nil {
		return nil, err
	}
	packages, voucher, err := r.vouch(ctx)
	if err != nil {
		return nil, err
	}
	dir, digest, err := r.laid(ctx, packages)
	if err != nil {
		return nil, named(err)
	}
	layer := &Layer{Name: "debian", Version: d.Suite, Dir: dir, Target: "/", Digest: digest, Voucher: voucher}
	for _, p := range packages {
		layer.Packages = append(layer.Packages, debianPackage(p.Name, p.Version, p.Architecture))
		layer.Parts = append(layer.Parts, Part{Name: p.Name, Version: p.Version, Digest: "sha256:" + p.SHA256})
	}
	return layer, nil
}

// key names the root: it follows from the packages alone.
func (r *debianRoot) key(packages []DebianPackage) string {
	lines := []string{debianLayout, r.arch}
	for _, p := range packages {
		lines = append(lines, p.SHA256)
	}
	slices.Sort(lines[2:])
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return hex.EncodeToString(sum[:])
}

// laid returns the folder of the root, checked in full, and its digest: the kept one, or one that is laid anew.
func (r *debianRoot) laid(ctx context.Context, packages []DebianPackage) (string, string, error) {
	key := r.key(packages)
	if dir, digest, err := openRoot(ctx, r.opts.Store, debianKind, key); err == nil || ctx.Err() != nil {
		return dir, digest, err
	}
	if err := r.opts.Store.DropTree(debianKind, key); err != nil {
		return "", "", fault.Inconclusivef(r.object(), "the kept root was changed on disk and cannot be removed: %w", err)
	}
	if err := r.from.packages(ctx, packages); err != nil {
		return "", "", err
	}
	_, err := publishRoot(r.opts.Store, debianKind, key, func(stage *rootfs.Stage) (*rootfs.Tree, error) {
		debs, err := r.unpack(ctx, packages, stage)
		if err != nil {
			return nil, err
		}
		return layDebian(debs, stage)
	})
	if err != nil {
		return "", "", err
	}
	dir, digest, err := openRoot(ctx, r.opts.Store, debianKind, key)
	if err != nil {
		return "", "", fault.Inconclusivef(r.object(), "the root was changed while it was prepared: %w", err)
	}
	return dir, digest, nil
}

// unpack reads every package into the stage, on all processors.
func (r *debianRoot) unpack(ctx context.Context, packages []DebianPackage, stage *rootfs.Stage) ([]*deb, error) {
	debs := make([]*deb, len(packages))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(unpackers)
	for i, p := range packages {
		group.Go(func() error {
			f, err := r.opts.Store.OpenBlob(p.SHA256)
			if err != nil {
				return err
			}
			defer f.Close()
			debs[i], err = readDeb(ctx, f, p, stage)
			return err
		})
	}
	return debs, group.Wait()
}

// platformOr fills in the platform of this program.
func platformOr(p string) string {
	if p == "" {
		return ownPlatform
	}
	return p
}
