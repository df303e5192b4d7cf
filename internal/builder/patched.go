package builder

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/builder/patch"
	"github.com/glassbuild/glassbuild/internal/builder/rootfs"
	"github.com/glassbuild/glassbuild/internal/fault"
)

// The kind of the store's trees and results of patched toolchains. patchedLayout changes when the same patch is laid otherwise.
const (
	patchedKind   = "go-patched"
	patchedLayout = "1"
)

// PatchedGo is a Go toolchain whose source was changed, on its way.
type PatchedGo struct {
	Tree     string   // folder with the changed source and the stock tools
	Packages []string // import paths of the packages that were changed
	Tools    []Tool   // everything that could have to be built anew
}

// Tool is one program of a toolchain.
type Tool struct{ Path, Package string } // "pkg/tool/linux_amd64/link", "cmd/link"

// BuildTools builds, with the stock tools in p.Tree, those of p.Tools that the changed packages are part of. It returns where each lies on
// this machine, by Tool.Path. Package builder runs nothing: whoever has a sandbox does.
type BuildTools func(ctx context.Context, p *PatchedGo) (map[string]string, error)

// PatchGo lays, over the Go toolchain of a root, the same with a patch applied to its source. The patch is a part of its own: the
// toolchain below keeps its voucher, and the patch has none but the policy's. scratch is an empty folder,
// maker the digest of the program whose sandbox builds the tools.
func PatchGo(ctx context.Context, root *Root, name string, data []byte, scratch, maker string, opts Options, build BuildTools) error {
	i := slices.IndexFunc(root.Layers, func(l Layer) bool { return l.Name == "go" })
	if i < 0 {
		return fault.Usagef(fault.Quote(name), "there is no Go toolchain to patch")
	}
	p, err := patch.Parse(name, data)
	if err != nil {
		return named(err)
	}
	stock, sum := &root.Layers[i], sha256.Sum256(data)
	digest := "sha256:" + hex.EncodeToString(sum[:])
	key := strings.Join([]string{patchedLayout, stock.Digest, digest, maker}, "\n")
	dir, _, err := openRoot(ctx, opts.Store, patchedKind, key)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := opts.Store.DropTree(patchedKind, key); err != nil {
			return fault.Inconclusivef(fault.Quote(name), "the kept toolchain was changed on disk and cannot be removed: %w", err)
		}
		if err := layPatched(ctx, stock.Dir, p, scratch, key, opts, build); err != nil {
			return named(err)
		}
		if dir, _, err = openRoot(ctx, opts.Store, patchedKind, key); err != nil {
			return fault.Inconclusivef(fault.Quote(name), "the patched toolchain was changed while it was prepared: %w", err)
		}
	}
	layer := Layer{Name: "go-patch", Version: stock.Version, Dir: dir, Target: stock.Target, Digest: digest}
	stock.Shadowed = true
	root.Layers = append(root.Layers, layer)
	root.seal()
	return nil
}

// layPatched applies the patch, has the tools built, and publishes the whole.
func layPatched(ctx context.Context, stock string, p *patch.Patch, scratch, key string, opts Options, build BuildTools) error {
	changed, err := applyPatch(stock, p)
	if err != nil {
		return err
	}
	work := &PatchedGo{Tree: filepath.Join(scratch, "go")}
	seen := map[string]bool{}
	for _, f := range p.Files {
		if dir := strings.TrimPrefix(path.Dir(f.Path), "src/"); !seen[dir] {
			seen[dir] = true
			work.Packages = append(work.Packages, dir)
		}
	}
	if err := changedTree(ctx, stock, work, changed); err != nil {
		return err
	}
	tools, err := build(ctx, work)
	if err != nil {
		return err
	}
	_, err = publishRoot(opts.Store, patchedKind, key, func(stage *rootfs.Stage) (*rootfs.Tree, error) {
		return stagePatched(ctx, work.Tree, tools, stage)
	})
	return err
}

// applyPatch returns the changed files by their path; nil stands for one that is removed.
func applyPatch(stock string, p *patch.Patch) (map[string][]byte, error) {
	root, err := os.OpenRoot(stock)
	if err != nil {
		return nil, fault.Inconclusivef("go toolchain", "%w", err)
	}
	defer root.Close()
	changed := map[string][]byte{}
	for _, f := range p.Files {
		if !strings.HasPrefix(f.Path, "src/") || path.Dir(f.Path) == "src" {
			return nil, fault.Failf(fault.Quote(f.Path), "is not below src of the toolchain: only its source is patched")
		}
		st, err := root.Lstat(f.Path)
		switch {
		case errors.Is(err, fs.ErrNotExist) && f.Added:
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return nil, fault.Inconclusivef(fault.Quote(f.Path), "%w", err)
		case err != nil:
			return nil, fault.Failf(fault.Quote(f.Path), "the toolchain has no such file")
		case f.Added:
			return nil, fault.Failf(fault.Quote(f.Path), "the toolchain has that file already")
		case !st.Mode().IsRegular() || st.Size() > patch.MaxFile:
			return nil, fault.Failf(fault.Quote(f.Path), "is no plain file that can be patched")
		}
		var old []byte
		if !f.Added {
			if old, err = root.ReadFile(f.Path); err != nil {
				return nil, fault.Inconclusivef(fault.Quote(f.Path), "%w", err)
			}
		}
		text, err := f.Apply(old)
		if err != nil {
			return nil, err
		}
		if changed[f.Path] = text; f.Removed {
			changed[f.Path] = nil
		} else if text == nil {
			changed[f.Path] = []byte{}
		}
	}
	return changed, nil
}

// changedTree copies the toolchain with the changed files in their place, and lists its tools. A file that did not change is another
// name of the same one, where the file system can do that: nothing writes to it.
func changedTree(ctx context.Context, stock string, work *PatchedGo, changed map[string][]byte) error {
	err := filepath.WalkDir(stock, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(stock, name)
		if err != nil {
			return err
		}
		to, at := filepath.Join(work.Tree, rel), filepath.ToSlash(rel)
		if err := ctx.Err(); err != nil {
			return err
		}
		if d.IsDir() {
			return os.Mkdir(to, 0o755)
		}
		if dir, base := path.Split(at); dir == "bin/" || strings.HasPrefix(dir, "pkg/tool/") {
			work.Tools = append(work.Tools, Tool{at, "cmd/" + strings.TrimSuffix(base, ".exe")})
		}
		if _, ok := changed[at]; ok {
			return nil
		}
		if os.Link(name, to) == nil {
			return nil
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(to, data, modeOf(at))
	})
	for _, at := range slices.Sorted(func(yield func(string) bool) {
		for at, text := range changed {
			if text != nil && !yield(at) {
				return
			}
		}
	}) {
		if err == nil {
			err = os.MkdirAll(filepath.Join(work.Tree, filepath.FromSlash(path.Dir(at))), 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(work.Tree, filepath.FromSlash(at)), changed[at], 0o644)
		}
	}
	if err != nil {
		return fault.Inconclusivef("go toolchain", "cannot be patched: %w", err)
	}
	return nil
}

// stagePatched lays the changed tree with the tools that were built.
func stagePatched(ctx context.Context, tree string, tools map[string]string, stage *rootfs.Stage) (*rootfs.Tree, error) {
	out := rootfs.NewTree()
	err := filepath.WalkDir(tree, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		rel, err := filepath.Rel(tree, name)
		if err != nil || rel == "." {
			return err
		}
		at := filepath.ToSlash(rel)
		if d.IsDir() {
			return out.Layer("", rootfs.Folder(at, 0o755))
		}
		if built, ok := tools[at]; ok {
			name = built
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		e, err := stage.File(at, uint32(modeOf(at).Perm()), data)
		if err != nil {
			return err
		}
		e.ModTime = fileTime.Unix()
		return out.Layer("", e)
	})
	if err != nil && ctx.Err() == nil {
		err = fault.Inconclusivef("go toolchain", "cannot be laid: %w", err)
	}
	return out, err
}
