package builder

import (
	"context"

	"github.com/glassbuild/glassbuild/internal/builder/debian"
	"github.com/glassbuild/glassbuild/internal/fault"
)

// FetchDebian brings one package of an archive into the store: what the system's apt sources serve under the archive's
// signature. d names exactly one package with its version.
func FetchDebian(ctx context.Context, d *Debian, platform string, opts Options) (PinnedFile, error) {
	one := *d
	one.Exact = true
	pins, err := ResolveDebian(ctx, &one, platform, opts)
	if err != nil {
		return PinnedFile{}, err
	}
	if len(pins.Packages) != 1 {
		return PinnedFile{}, fault.Inconclusivef("archive of "+fault.Quote(d.Suite), "%d packages, want one", len(pins.Packages))
	}
	r, err := newDebianRoot(&one, platform, opts)
	if err != nil {
		return PinnedFile{}, err
	}
	return pins.Packages[0], r.from.fetch(ctx, pins.Packages[0], debian.MaxPackage)
}
