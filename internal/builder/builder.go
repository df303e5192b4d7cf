// Package builder turns what a recipe asks to be built in into a root file system, from parts that are verified.
//
// What it promises:
//
//   - Every part carries a voucher: who, other than the vendor, says that these are the right bytes. A voucher is derived
//     again, from its evidence and from the bytes on disk, each time that a root is prepared; a lock only pins.
//   - The Go toolchain is the module golang.org/toolchain of the exact version and platform. Its content is hashed as the
//     module reference says (https://go.dev/ref/mod#go-sum-files), and the hash must stand in the Go checksum database
//     (https://go.dev/ref/mod#checksum-database), proven by a signed tree head and an inclusion proof. Neither the
//     environment nor a configuration file can switch that off or name another key: they only choose the transport.
//   - A part is published by one rename, read-only. What was published is hashed in full before every use, because another
//     process of the same user could have changed it.
//   - Nothing is executed.
//
// A part that cannot be had makes an inconclusive error with the check "builder.available"; a part whose bytes are not those
// that the voucher names makes a failed one.
package builder

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"runtime"
	"strings"

	"github.com/glassbuild/glassbuild/internal/builder/debian"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/gomod"
	"github.com/glassbuild/glassbuild/internal/npm"
	"github.com/glassbuild/glassbuild/internal/remote"
	"github.com/glassbuild/glassbuild/internal/store"
)

// CheckAvailable is the check that a builder which cannot be had decides.
const CheckAvailable = "builder.available"

// Request says what to build in.
type Request struct {
	Go       string   // exact version of the Go toolchain, without "go"; "" for none
	Without  []string // files of the toolchain that are left out: patterns of path.Match below its root, such as "bin/gofmt"
	Host     bool     // this machine's own /usr
	Debian   *Debian  // packages of a suite
	Image    string   // an image by digest, as package oci reads references
	Node     string   // exact version of Node.js
	NPM      string   // exact version of npm; needs Node
	Platform string   // "linux/amd64"; that of this program by default
	// Pins are the digests that a lock names, by the layer's name; those of "node" and "npm" are taken from here.
	Pins map[string]string
}

// Options are the means.
type Options struct {
	Store   *store.Store
	Remote  *remote.Client
	Offline bool      // use only what is kept already
	GoEnv   gomod.Env // the user's own Go configuration

	System      *debian.System // this machine's apt configuration; nil reads it
	ArchiveKeys [][]byte       // OpenPGP keys of archives, from the policy
	NPM         *npm.Config    // the user's own npm configuration; nil reads it

	verifier string // the checksum database's key; tests set it
}

// Root is a root file system, in layers.
type Root struct {
	Kind    string // "go", "host+go", "debian+go+node", …
	Layers  []Layer
	Links   []Link
	Files   []File
	Env     map[string]string // PATH and what else the layers need
	Digest  string            // SHA-256 over kind, layers and links; "" when a layer is not pinned
	Vouched bool              // every layer has a voucher
}

// Layer is one part of a root: a folder of this machine that is shown read-only at Target.
type Layer struct {
	Name     string
	Version  string
	Dir      string // on this machine
	Target   string // inside
	Digest   string // of its content: "h1:…" or "sha256:…"; "" when it is not pinned
	Voucher  Voucher
	Shadowed bool      // another layer lies over all of it: it is not shown
	PURL     string    // the layer itself as a package URL, where its ecosystem has one
	Packages []Package // what is in it, where it says so of itself
	Parts    []Part    // what it is made of, where a lock names that
}

// Package is one package in a layer.
type Package struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	PURL    string `json:"purl,omitempty"`
}

// Part is one part of a layer.
type Part struct{ Name, Version, Digest string }

// Link is a symbolic link at the top of the root.
type Link struct{ Path, Target string }

// File is a small file of the root.
type File struct {
	Path string
	Mode fs.FileMode
	Data []byte
}

// Voucher says who vouches for a layer. The zero value is nobody.
type Voucher struct {
	Kind     string            // "checksum-database"; "" for none
	By       string            // who: the name in the verifier key
	Detail   string            // what exactly they say
	Evidence map[string][]byte // what proves it, to be shown again offline
}

// Prepare makes the root that req asks for.
func Prepare(ctx context.Context, req Request, opts Options) (*Root, error) {
	req.Platform = platformOr(req.Platform)
	root := &Root{Env: map[string]string{}}
	var kinds []string
	if req.Host {
		if err := addHost(root, req.Platform); err != nil {
			return nil, err
		}
		kinds = append(kinds, "host")
	}
	if req.Debian != nil {
		layer, err := debianLayer(ctx, req.Debian, req.Platform, opts)
		if err != nil {
			return nil, err
		}
		root.Layers = append(root.Layers, *layer)
		kinds = append(kinds, "debian")
	}
	if req.Image != "" {
		layer, env, err := imageLayer(ctx, req.Image, req.Platform, opts)
		if err != nil {
			return nil, err
		}
		root.Layers = append(root.Layers, *layer)
		maps.Copy(root.Env, env)
		kinds = append(kinds, "image")
	}
	if req.Go != "" {
		layer, err := goToolchain(ctx, req, opts)
		if err != nil {
			return nil, err
		}
		if req.Host {
			layer.Target = goTargetBesideHost
		} else if req.Debian != nil || req.Image != "" {
			// whether the base holds the C library that an old go command needs is seen when it starts
		} else if err := checkLoader(layer); err != nil {
			return nil, err
		}
		root.Layers = append(root.Layers, *layer)
		addGoEnv(root.Env, layer.Target)
		kinds = append(kinds, "go")
	}
	if req.Node != "" {
		if err := addNode(ctx, root, req, opts); err != nil {
			return nil, err
		}
		kinds = append(kinds, "node")
	}
	if len(kinds) == 0 {
		return nil, fault.Usagef("builder", "none named").WithHint("supported are: go, node, debian, image, host")
	}
	root.Kind = strings.Join(kinds, "+")
	root.seal()
	return root, nil
}

// Packages lists everything that the root is made of, as far as its parts say so: each layer, and what it holds.
func (r *Root) Packages() []Package {
	var list []Package
	for _, l := range r.Layers {
		list = append(list, Package{Name: l.Name, Version: l.Version, PURL: l.URI()})
		list = append(list, l.Packages...)
	}
	return list
}

// URI names the layer as package-url/purl-spec does; "" where it has no version.
func (l *Layer) URI() string {
	switch {
	case l.PURL != "":
		return l.PURL
	case l.Version == "" || l.Name == "host":
		return ""
	}
	return "pkg:generic/" + l.Name + "@" + strings.NewReplacer("+", "%2B", ":", "%3A").Replace(l.Version)
}

var ownPlatform = runtime.GOOS + "/" + runtime.GOARCH

// Where the toolchain lies inside. Over the host's /usr there may be no folder to show it at.
const (
	goTarget           = "/usr/local/go"
	goTargetBesideHost = "/opt/go"
)

// addGoEnv holds the go command to the toolchain that it comes with.
func addGoEnv(env map[string]string, target string) {
	search := target + "/bin"
	if env["PATH"] != "" {
		search += ":" + env["PATH"]
	}
	env["PATH"] = search
	env["GOTOOLCHAIN"] = "local"
	env["GOENV"] = "off"
	env["GOTELEMETRY"] = "off"
}

// seal computes what follows from the layers.
func (r *Root) seal() {
	h := sha256.New()
	pinned := true
	r.Vouched = len(r.Layers) > 0
	fmt.Fprintf(h, "root %q\n", r.Kind)
	for _, l := range r.Layers {
		fmt.Fprintf(h, "layer %q %q %q %q\n", l.Name, l.Version, l.Target, l.Digest)
		pinned = pinned && l.Digest != ""
		r.Vouched = r.Vouched && l.Voucher.Kind != ""
	}
	for _, l := range r.Links {
		fmt.Fprintf(h, "link %q %q\n", l.Path, l.Target)
	}
	for _, f := range r.Files {
		fmt.Fprintf(h, "file %q %o %x\n", f.Path, f.Mode, sha256.Sum256(f.Data))
	}
	if pinned {
		r.Digest = hex.EncodeToString(h.Sum(nil))
	}
}
