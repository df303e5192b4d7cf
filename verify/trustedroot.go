package verify

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/evidence/trustroot"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/gomod"
	"github.com/glassbuild/glassbuild/internal/store"
)

// TrustRequest says where trusted roots come from.
type TrustRequest struct {
	Mirror  string // base address of a TUF repository; "" is the public instance's
	Root    string // file of its root.json; required with Mirror
	DataDir string // "" is the user's data folder
	Offline bool
}

// TrustResult says what was stored.
type TrustResult struct {
	File   string // trusted root
	SHA256 string
	Config string // signing config, "" where the repository has none
}

// UpdateTrust asks a TUF repository once and stores what it holds. Check and Run use it from then on and never ask again.
func UpdateTrust(ctx context.Context, req TrustRequest) (*TrustResult, error) {
	dir, err := dataDir(req.DataDir)
	if err != nil {
		return nil, err
	}
	opt := trustroot.Options{Mirror: req.Mirror, Cache: filepath.Join(dir, "tuf")}
	if req.Root != "" {
		if opt.Root, err = readRoots(req.Root); err != nil {
			return nil, err
		}
	}
	if opt.Remote, err = gomod.NewRemote(req.Offline); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(opt.Cache, 0o700); err != nil {
		return nil, fault.Inconclusivef(fault.Quote(opt.Cache), "cannot be written: %w", bare(err))
	}
	got, err := trustroot.Update(ctx, opt)
	if err != nil {
		return nil, err
	}
	roots, err := evidence.ParseTrustedRoots(trustroot.StoredRoot, got.TrustedRoot) // what cannot be read is not stored
	if err != nil {
		return nil, err
	}
	res := &TrustResult{File: filepath.Join(dir, trustroot.StoredRoot), SHA256: roots.SHA256()}
	if err := replaceFile(res.File, got.TrustedRoot); err != nil {
		return nil, err
	}
	if got.SigningConfig != nil {
		res.Config = filepath.Join(dir, trustroot.StoredConfig)
		return res, replaceFile(res.Config, got.SigningConfig)
	}
	return res, nil
}

// dataDir is where things are kept that nobody may lose: $XDG_DATA_HOME/glassbuild, else ~/.local/share/glassbuild.
func dataDir(dir string) (string, error) {
	if dir != "" {
		return dir, nil
	}
	return store.DataDir()
}

// replaceFile leaves the old file or the new one, never half of it.
func replaceFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".glassbuild-*")
	if err == nil {
		defer os.Remove(f.Name())
		_, err = f.Write(data)
		err = errors.Join(err, f.Close())
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fault.Inconclusivef(fault.Quote(path), "cannot be written: %w", bare(err))
	}
	return nil
}

// trustedRoots reads the authorities and logs that are trusted: the file that was named, the one that the policy names,
// or the one that was stored. Two that are named contradict each other: one of them would be overruled unseen.
func (c *checker) trustedRoots() error {
	p := c.policy.Provenance
	switch {
	case p != nil && p.Roots != nil && c.req.TrustedRoot != "":
		return fault.Usagef("--trusted-root", "the policy names a trusted root already").WithHint("leave the flag out, or the key in the policy")
	case p != nil && p.Roots != nil:
		var err error
		c.rootsFile = filepath.Base(p.TrustedRoot)
		c.roots, err = evidence.ParseTrustedRoots(p.TrustedRoot, p.Roots)
		return err
	}
	path, stored := c.req.TrustedRoot, false
	if path == "" {
		dir, err := dataDir(c.req.DataDir)
		if err != nil {
			return err
		}
		path, stored = filepath.Join(dir, trustroot.StoredRoot), true
	}
	data, err := readRoots(path)
	if stored && errors.Is(err, fs.ErrNotExist) {
		return c.withoutRoots()
	}
	if err != nil {
		return err
	}
	c.rootsFile = filepath.Base(path)
	c.roots, err = evidence.ParseTrustedRoots(c.rootsFile, data)
	return err
}

// withoutRoots is an error where nothing could hold without trusted roots.
func (c *checker) withoutRoots() error {
	for _, t := range c.tables {
		if !t.require.NoLog || t.require.Timestamps > 0 {
			return fault.Usagef("trusted root", "there is none, and [%s] demands a log or a timestamp", t.name).
				WithHint("--trusted-root FILE names one; glassbuild trust update fetches that of the public instance, once; a key that signs without a log needs a policy with no-log = \"REASON\"")
		}
	}
	return nil
}

func readRoots(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fault.Usagef(fault.Quote(path), "cannot be read: %w", bare(err))
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxTrustedRoots+1))
	if err != nil {
		return nil, fault.Usagef(fault.Quote(path), "cannot be read: %w", bare(err))
	}
	return data, nil
}
