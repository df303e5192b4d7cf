package attest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/gomod"
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
	if err := checkPlace(req.Bundles); err != nil {
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
	list, files, err := r.left(req.Folder)
	if err != nil {
		return nil, err
	}
	for _, s := range list {
		r.subjects = append(r.subjects, subject{Resource: s.artefact})
	}
	for _, check := range []func(context.Context) error{r.openImages, r.checkAttach} {
		if err := check(ctx); err != nil {
			return nil, err
		}
	}
	w := &writer{ctx: ctx, signer: req.Signer, store: st, to: req.Bundles, left: req.Folder, step: req.Progress, attach: r.attachBundle}
	err = w.all(list)
	for i := range w.bundles { // what is signed is not left any more
		os.Remove(files[i])
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return &Result{Bundles: w.bundles, Unsigned: w.unsigned}, err
}

// left reads the statements in a folder and holds them against what was written down of them.
func (r *run) left(dir string) (list []statement, files []string, err error) {
	files, err = filepath.Glob(filepath.Join(escapeGlob(dir), "*"+unsignedSuffix))
	if err != nil || len(files) == 0 {
		return nil, nil, fault.Usagef(fault.Quote(dir), "holds no *%s: there is nothing to sign", unsignedSuffix)
	}
	if len(files) > maxLeft {
		return nil, nil, fault.Usagef(fault.Quote(dir), "exceeds limit: more than %d statements", maxLeft)
	}
	for _, f := range files {
		payload, err := evidence.ReadFile(f)
		if err != nil {
			return nil, nil, err
		}
		sum := sha256.Sum256(payload)
		stem, ok := r.store.Result(unsignedKind, hex.EncodeToString(sum[:]))
		if !ok {
			return nil, nil, fault.Failf(fault.Quote(f), "not signed: it is not what this program left after a build here").
				WithHint("build again with glassbuild attest: only what was built is signed")
		}
		d, err := evidence.ReadDraft(payload)
		if err != nil {
			return nil, nil, fault.Failf(fault.Quote(f), "not signed: %w", err)
		}
		list = append(list, statement{string(stem), d.Subject[0], d.PredicateType, payload})
	}
	return list, files, nil
}

// escapeGlob makes a path a pattern that only it matches.
func escapeGlob(dir string) string {
	return strings.NewReplacer(`*`, `\*`, `?`, `\?`, `[`, `\[`, `\`, `\\`).Replace(dir)
}
