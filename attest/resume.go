package attest

import (
	"context"
	"os"
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/gomod"
	"github.com/glassbuild/glassbuild/internal/provenance"
)

// ResumeRequest says which statements to sign that were left. Signer is required.
type ResumeRequest struct {
	Folder   string // where they were left
	Bundles  string // as in Request; "" is Folder
	Attach   []string
	Signer   Signer
	CacheDir string
	Progress func(format string, args ...any)
	Now      func() time.Time
}

// Resume signs what Run could not sign, and builds nothing. It signs only statements that this program, for this user, made
// after a build and wrote down in its cache, byte for byte: a file that was changed, or that comes from elsewhere, is
// refused.
func Resume(ctx context.Context, req ResumeRequest) (*Result, error) {
	if req.Progress == nil {
		req.Progress = func(string, ...any) {}
	}
	if req.Now == nil {
		req.Now = time.Now
	}
	if req.Signer == nil {
		return nil, fault.Usagef("attest", "nothing to sign with").WithHint("--key FILE, --kms URI or --keyless")
	}
	if req.Bundles == "" {
		req.Bundles = req.Folder
	}
	if err := provenance.CheckPlace(req.Bundles); err != nil {
		return nil, err
	}
	st, err := openStore(req.CacheDir)
	if err != nil {
		return nil, err
	}
	r := &run{req: Request{Attach: req.Attach, Progress: req.Progress, Now: req.Now}, store: st}
	defer r.close()
	if r.registries, err = gomod.NewRemote(false); err != nil {
		return nil, err
	}
	list, files, err := provenance.Leftover(st, req.Folder)
	if err != nil {
		return nil, err
	}
	for _, s := range list {
		r.subjects = append(r.subjects, subject{Resource: s.Artefact})
	}
	for _, check := range []func(context.Context) error{r.openImages, r.checkAttach} {
		if err := check(ctx); err != nil {
			return nil, err
		}
	}
	w := &provenance.Writer{Signer: req.Signer, Store: st, To: req.Bundles, Left: req.Folder, Step: req.Progress, Attach: r.attachBundle}
	err = w.All(ctx, list)
	for i := range w.Bundles { // what is signed is not left any more
		os.Remove(files[i])
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return &Result{Bundles: w.Bundles, Unsigned: w.Unsigned}, err
}
