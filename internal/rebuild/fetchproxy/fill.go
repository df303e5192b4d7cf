package fetchproxy

import (
	"context"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Fill brings the bytes of a closure that the store lacks from the registries and checks each against the closure.
func Fill(ctx context.Context, c *Closure, eco Ecosystem, blobs Blobs) error {
	if err := c.validate(); err != nil {
		return err
	}
	for _, e := range c.Entries {
		if f, err := blobs.OpenBlob(e.SHA256); err == nil {
			f.Close()
			continue
		}
		res, err := eco.Locked(e.Path)
		if err != nil {
			return err
		}
		got, err := fetch(ctx, eco, blobs, res, min(res.Limit, e.Size))
		if err != nil {
			return fault.Inconclusivef(fault.Quote(e.Path), "could not be fetched again: %w", err)
		}
		if got.SHA256 != e.SHA256 || got.Size != e.Size {
			return fault.Inconclusivef(fault.Quote(e.Path), "the registry now serves other bytes (%s) than the lock names (%s)", got.SHA256, e.SHA256).
				WithHint("use a store or kit that holds the locked bytes, or fetch anew without the lock")
		}
	}
	return nil
}
