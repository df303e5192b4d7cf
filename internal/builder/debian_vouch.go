package builder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/glassbuild/glassbuild/internal/builder/debian"
	"github.com/glassbuild/glassbuild/internal/fault"
)

// listingKind is the kind of the store's results that say which packages an index lists. An index is 50 MB of text that never
// changes under its digest.
const listingKind = "debian-listing"

// errUnlisted says that an index does not list a package that the lock names.
var errUnlisted = errors.New("is not listed")

// vouch derives the voucher: a signed Release file, from it the index, from that every package that the lock names. The lock's
// own Release file is asked first; where it cannot be had any more, the one that the mirror has today may vouch just as well,
// for it is signed by the same archive.
func (r *debianRoot) vouch(ctx context.Context) ([]DebianPackage, Voucher, error) {
	release, err := r.from.pinned(ctx, r.Pins.Release, r.now)
	if err == nil {
		if at, ok := release.Index(component, r.arch); !ok || at.SHA256 != r.Pins.Index.SHA256 {
			return nil, Voucher{}, fault.Failf(r.object(), "the lock names another index than its Release file lists").WithCheck(CheckAvailable)
		}
		list, lerr := r.listed(ctx, release)
		if lerr == nil {
			return list, r.voucher(release, len(list)), nil
		}
		if errors.Is(lerr, errUnlisted) {
			return nil, Voucher{}, fault.Failf(r.object(), "the lock names a package that its own index does not list: %w", lerr).WithCheck(CheckAvailable)
		}
		err = lerr
	}
	if fault.ClassOf(err) != fault.Inconclusive || ctx.Err() != nil {
		return nil, Voucher{}, err
	}
	if r.opts.Offline {
		return nil, Voucher{}, unavailable(r.Pins.Release.Path, err)
	}
	release, _, cerr := r.from.current(ctx, r.now)
	if cerr != nil {
		return nil, Voucher{}, cerr
	}
	list, cerr := r.listed(ctx, release)
	if errors.Is(cerr, errUnlisted) {
		return nil, Voucher{}, fault.Inconclusivef(r.object(), "neither the Release file of the lock can be had (%w) nor does today's list every package of it: %w", err, cerr).
			WithHint("name a dated snapshot of the archive with mirror in the recipe, or make the lock anew").WithCheck(CheckAvailable)
	}
	return list, r.voucher(release, len(list)), cerr
}

func (r *debianRoot) voucher(release *debian.Release, n int) Voucher {
	return Voucher{Kind: "archive-signature", By: strings.TrimSpace(release.SignerName + " " + release.Signer),
		Detail:   fmt.Sprintf("%d packages, listed by the Release file of %s of %s", n, r.Suite, release.Date.UTC().Format(time.DateTime)),
		Evidence: map[string][]byte{inRelease: release.Raw}}
}

// listed finds every package of the lock in the index of a Release file.
func (r *debianRoot) listed(ctx context.Context, release *debian.Release) ([]DebianPackage, error) {
	at, ok := release.Index(component, r.arch)
	if !ok {
		return nil, fault.Inconclusivef(r.object(), "its Release file lists no packages for %s", r.arch).WithCheck(CheckAvailable)
	}
	var sums []string
	for _, p := range r.Pins.Packages {
		sums = append(sums, p.SHA256)
	}
	slices.Sort(sums)
	key := digestHex([]byte(debianLayout + r.arch + at.SHA256 + strings.Join(sums, "\n")))
	if data, ok := r.opts.Store.Result(listingKind, key); ok {
		var list []DebianPackage
		if json.Unmarshal(data, &list) == nil && len(list) == len(sums) {
			return list, nil
		}
	}
	index, _, err := r.from.index(ctx, release, r.arch)
	if err != nil {
		return nil, err
	}
	var list []DebianPackage
	for _, p := range r.Pins.Packages {
		found := index.BySum(p.SHA256)
		if found == nil {
			return nil, fault.Inconclusivef(fault.Quote(p.Path), "%w", errUnlisted)
		}
		list = append(list, DebianPackage{Name: found.Name, Version: found.Version, Architecture: found.Architecture,
			PinnedFile: PinnedFile{Path: found.Path, SHA256: found.SHA256, Size: found.Size}})
	}
	slices.SortFunc(list, func(a, b DebianPackage) int { return strings.Compare(a.Name, b.Name) })
	for i := 1; i < len(list); i++ {
		if list[i].Name == list[i-1].Name {
			return nil, fault.Failf(r.object(), "the lock names %s twice", fault.Quote(list[i].Name)).WithCheck(CheckAvailable)
		}
	}
	data, err := json.Marshal(list)
	if err != nil {
		return nil, err
	}
	return list, r.opts.Store.PutResult(listingKind, key, data)
}
