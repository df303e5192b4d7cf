package builder

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/module"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/gomod"
	"github.com/glassbuild/glassbuild/internal/pattern"
)

const toolchainModule = gomod.ToolchainModule

var (
	goVersion      = pattern.New(`^1\.[0-9]{1,3}(\.[0-9]{1,3})?((rc|beta)[0-9]{1,2})?$`)
	goPlatform     = pattern.New(`^[a-z0-9]{1,20}/[a-z0-9]{1,20}$`)
	treeFiles      = struct{ root, manifest, evidence string }{"root", "manifest", "evidence.json"}
	errDamagedTree = errors.New("was changed on disk")
)

const toolchainKind = "toolchain"

// toolchain is one prepared toolchain on its way.
type toolchain struct {
	version string // "1.26.5"
	module  string // module version, "v0.0.1-go1.26.5.linux-amd64"
	without []string
	opts    Options
}

func (t *toolchain) name() string   { return "go" + t.version }
func (t *toolchain) prefix() string { return toolchainModule + "@" + t.module + "/" }

// treeKey names the published tree: the version, and what was left out.
func (t *toolchain) treeKey() string {
	return strings.Join(append([]string{toolchainModule + "@" + t.module}, t.without...), "\n")
}

// goToolchain returns the toolchain as a layer: the kept one when it still proves itself, else a fresh one.
func goToolchain(ctx context.Context, req Request, opts Options) (*Layer, error) {
	if !goVersion.MatchString(req.Go) || !goPlatform.MatchString(req.Platform) {
		return nil, fault.Usagef("builder", "go %s for %s is not an exact version", fault.Quote(req.Go), fault.Quote(req.Platform))
	}
	for _, p := range req.Without {
		if _, err := path.Match(p, ""); err != nil {
			return nil, fault.Usagef("builder", "bad pattern %s", fault.Quote(p))
		}
	}
	t := &toolchain{version: req.Go, opts: opts, without: slices.Sorted(slices.Values(req.Without)),
		module: "v0.0.1-go" + req.Go + "." + strings.ReplaceAll(req.Platform, "/", "-")}
	dir, ok := opts.Store.Tree(toolchainKind, t.treeKey())
	if ok {
		layer, err := t.open(ctx, dir)
		if !errors.Is(err, errDamagedTree) {
			return layer, err
		}
		if opts.Offline {
			return nil, fault.Inconclusivef(t.name(), "the kept toolchain %w", err).
				WithHint("run once without --offline: it is then fetched anew").WithCheck(CheckAvailable)
		}
		if err := opts.Store.DropTree(toolchainKind, t.treeKey()); err != nil {
			return nil, fault.Inconclusivef(t.name(), "the kept toolchain was changed on disk and cannot be removed: %w", err)
		}
	}
	dir, err := t.fetch(ctx)
	if err != nil {
		return nil, err
	}
	layer, err := t.open(ctx, dir)
	if errors.Is(err, errDamagedTree) {
		return nil, fault.Inconclusivef(t.name(), "the toolchain %w while it was prepared", err)
	}
	return layer, err
}

// open verifies a published tree from nothing but the checksum database's key: evidence → hash → manifest → files.
func (t *toolchain) open(ctx context.Context, dir string) (*Layer, error) {
	damaged := func(what string, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%w: %s: %v", errDamagedTree, what, err)
	}
	data, err := readBounded(filepath.Join(dir, treeFiles.evidence), maxEvidence)
	if err != nil {
		return nil, damaged("evidence", err)
	}
	kept, err := unmarshalEvidence(data)
	if err != nil {
		return nil, damaged("evidence", err)
	}
	hash, err := replay(ctx, toolchainModule, t.module, t.opts.key(), kept)
	if err != nil {
		return nil, damaged("evidence", err)
	}
	text, err := readBounded(filepath.Join(dir, treeFiles.manifest), maxManifest)
	if err != nil {
		return nil, damaged("manifest", err)
	}
	all, err := parseManifest(text, t.prefix())
	if err != nil {
		return nil, damaged("manifest", err)
	}
	if all.h1() != hash {
		return nil, damaged("manifest", fmt.Errorf("has the hash %s, the checksum database says %s", all.h1(), hash))
	}
	files, left := all.without(t.without)
	if err := files.verify(ctx, filepath.Join(dir, treeFiles.root)); err != nil {
		return nil, damaged("files", err)
	}
	statement := fmt.Sprintf("%s %s %s", toolchainModule, t.module, hash)
	return &Layer{
		Name: "go", Version: t.version, Dir: filepath.Join(dir, treeFiles.root), Target: goTarget,
		Digest: layerDigest(hash, left), Voucher: kept.voucher(t.opts.key(), statement),
	}, nil
}

// layerDigest is the module hash, or a digest over it and the names that were left out.
func layerDigest(hash string, left []string) string {
	if len(left) == 0 {
		return hash
	}
	h := sha256.New()
	fmt.Fprintf(h, "%s\n", hash)
	for _, name := range left {
		fmt.Fprintf(h, "without %s\n", name)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("exceeds %d bytes", limit)
	}
	return data, err
}

// fetch proves the hash first, then downloads and publishes the zip that has it.
func (t *toolchain) fetch(ctx context.Context) (string, error) {
	src, err := t.opts.source()
	if err != nil {
		return "", t.unavailable(ctx, err, "")
	}
	if src.Serves(toolchainModule) != nil {
		return "", fault.Inconclusivef(t.name(), "toolchain unavailable: the Go configuration names no module proxy for it").
			WithHint("set GOPROXY, or `go env -w GOPROXY=…`").WithCheck(CheckAvailable)
	}
	hash, kept, err := prove(ctx, src, t.opts.Store, toolchainModule, t.module)
	if err != nil {
		return "", t.unavailable(ctx, err, "the checksum database")
	}
	proof, err := kept.marshal()
	if err != nil {
		return "", err
	}
	dir, err := t.opts.Store.PublishTree(toolchainKind, t.treeKey(), func(dir string) error {
		m, err := t.fill(ctx, src, dir)
		if err != nil {
			return err
		}
		if m.h1() != hash {
			return fault.Failf(t.name(), "toolchain zip has the hash %s, but the checksum database says %s", m.h1(), hash)
		}
		if err := os.WriteFile(filepath.Join(dir, treeFiles.manifest), m.text(), 0o444); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, treeFiles.evidence), proof, 0o444); err != nil {
			return err
		}
		return finishTree(filepath.Join(dir, treeFiles.root))
	})
	if err != nil {
		return "", t.unavailable(ctx, err, "the module proxy")
	}
	return dir, nil
}

// unavailable says what it means that a toolchain was not had. A classified error keeps its class.
func (t *toolchain) unavailable(ctx context.Context, err error, where string) error {
	var e *fault.Error
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, fs.ErrNotExist):
		return fault.Inconclusivef(t.name(), "toolchain unavailable: %s has no %s %s", where, toolchainModule, t.module).
			WithHint("some old versions were never published as modules; a recipe can name another builder").WithCheck(CheckAvailable)
	case errors.As(err, &e) && e.Class != fault.Inconclusive:
		return err
	}
	out := fault.Inconclusivef(t.name(), "toolchain unavailable: %w", err).WithCheck(CheckAvailable)
	if hint := fault.HintOf(err); hint != "" {
		out = out.WithHint("%s", hint)
	}
	return out
}

// fill downloads the zip beside the tree, unpacks it, and removes it.
func (t *toolchain) fill(ctx context.Context, src *gomod.Source, dir string) (*manifest, error) {
	file, err := os.OpenFile(filepath.Join(dir, "zip"), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	r, err := src.OpenZip(ctx, module.Version{Path: toolchainModule, Version: t.module}, maxToolchainZip)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	size, err := io.Copy(file, r)
	if err != nil {
		return nil, err
	}
	z, err := zip.NewReader(file, size)
	if err == nil {
		err = checkZip(z, t.prefix())
	}
	if err != nil {
		return nil, fault.Failf(t.name(), "malformed toolchain zip: %v", err)
	}
	root := filepath.Join(dir, treeFiles.root)
	if err := os.Mkdir(root, 0o755); err != nil {
		return nil, err
	}
	m, err := unpack(ctx, z, t.prefix(), root, func(name string) bool { return matchesAny(t.without, name) })
	if err != nil && (errors.Is(err, zip.ErrFormat) || errors.Is(err, zip.ErrChecksum) || errors.Is(err, zip.ErrAlgorithm) || errors.Is(err, io.ErrUnexpectedEOF)) {
		return nil, fault.Failf(t.name(), "malformed toolchain zip: %v", err)
	}
	return m, err
}
