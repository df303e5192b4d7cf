package rebuild

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/rebuild/vcs"
	"github.com/glassbuild/glassbuild/internal/sandbox"
)

// cached is an outcome as the store keeps it: only agreeing ones are kept.
type cached struct {
	Outputs []sandbox.Output
	Git     vcs.Log
	Record  Record
	Account *Account
	Left    *Left
}

const cacheKind = "rebuild"

// cacheKey binds an outcome to every input and to this program (F7).
func (o *Outcome) cacheKey(req Request) (string, error) {
	self, err := selfDigest()
	if err != nil {
		return "", err
	}
	git := ""
	if req.Recipe.VCS.Stamp {
		facts, err := o.gitFacts(req, sourceDir)
		if err != nil {
			return "", err
		}
		sum := sha256.Sum256(facts)
		git = hex.EncodeToString(sum[:])
	}
	inputs := ""
	if o.Inputs != nil {
		inputs = o.Inputs.SHA256
	}
	key, err := json.Marshal(map[string]any{
		"tool": self, "commit": req.Commit.Facts().ID, "tree": o.Tree.SHA256, "recipe": req.Recipe.Digest, "builder": o.Builder.Digest,
		"inputs": inputs, "git": git, "runs": req.Runs, "vary": req.Vary, "runtime": req.Runtime.Name(),
	})
	return string(key), err
}

// ToolDigest returns the SHA-256 of the running program, hex.
func ToolDigest() (string, error) { return selfDigest() }

var selfDigest = sync.OnceValues(func() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", fault.Inconclusivef("own program", "%w", err)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", fault.Inconclusivef("own program", "%w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fault.Inconclusivef("own program", "%w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
})

// fromCache restores an outcome. Where an output is missing there is none. Outputs stay in the store and are hashed when they
// are opened: their digests are authenticated with the outcome, and often nothing else is asked for.
func (o *Outcome) fromCache(req Request, key string) bool {
	data, ok := req.Store.Result(cacheKind, key)
	if !ok {
		return false
	}
	var c cached
	if json.Unmarshal(data, &c) != nil || len(c.Outputs) != len(req.Recipe.Artifacts) || len(c.Record.Runs) < req.Runs {
		return false
	}
	dir, err := req.Run.Dir("out")
	if err != nil {
		return false
	}
	res := &Result{Dir: dir, Outputs: c.Outputs, Git: c.Git, Record: c.Record.Runs[0], Left: c.Left, kept: req.Store}
	for i, out := range c.Outputs {
		if out.Path != req.Recipe.Artifacts[i].Output || !req.Store.Holds(out.SHA256, out.Size) {
			return false
		}
	}
	o.Cached, o.Account = true, c.Account
	for range req.Runs {
		o.Runs = append(o.Runs, res)
	}
	o.Record = c.Record
	o.Record.Cached = true
	return true
}

func restore(req Request, out sandbox.Output, path string) error {
	blob, err := req.Store.OpenBlob(out.SHA256)
	if err != nil {
		return err
	}
	defer blob.Close()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, blob)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// toCache keeps an agreeing outcome. A cache that cannot be written costs time later, never a verdict now.
func (o *Outcome) toCache(ctx context.Context, req Request, key string) {
	for _, out := range o.Runs[0].Outputs {
		if req.Store.Adopt(ctx, o.Runs[0].Path(out.Path), out.SHA256, outputBytes) != nil {
			return
		}
	}
	data, err := json.Marshal(cached{Outputs: o.Runs[0].Outputs, Git: o.Runs[0].Git, Record: o.Record, Account: o.Account, Left: o.Runs[0].Left})
	if err == nil {
		req.Store.PutResult(cacheKind, key, data)
	}
}
