package recipe

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/pattern"
	"github.com/glassbuild/glassbuild/internal/tomlfile"
)

// Lock pins what a recipe's fetch steps brought and what its builder is made of. It pins, it never vouches: vouchers are
// derived again at every verification. It names no hosts: where things come from is the configuration of whoever fetches.
type Lock struct {
	Recipe  string    `toml:"recipe,required"` // digest of the recipe that it was made for
	Builder []Part    `toml:"builder"`
	Fetched []Fetched `toml:"fetched"`
}

// Part is one part of the builder.
type Part struct {
	Name    string `toml:"name,required"`    // "go", "node", "npm", "image", or a package
	Version string `toml:"version,required"` // as the part's own ecosystem writes it
	Digest  string `toml:"digest,required"`  // "sha256:…" or "h1:…"
}

// Fetched is one file that a fetch step was served.
type Fetched struct {
	From   string `toml:"from,required"`   // the kind of registry: "go", "npm", …
	Path   string `toml:"path,required"`   // path and query of the URL, below the registry's own
	SHA256 string `toml:"sha256,required"` // hex
	Size   int64  `toml:"size,required"`
}

var (
	hexDigest  = pattern.New(`^[0-9a-f]{64}$`)
	partDigest = pattern.New(`^(sha256:[0-9a-f]{64}|h1:[0-9A-Za-z+/]{43}=|sha512-[0-9A-Za-z+/]{86}==)$`)
	partName   = pattern.New(`^[a-z0-9@][a-z0-9@/+._-]{0,200}$`)
	partVer    = pattern.New(`^[0-9A-Za-z][0-9A-Za-z.+:~_-]{0,200}$`)
	fromName   = pattern.New(`^[a-z][a-z0-9-]{0,30}$`)
)

// ParseLock reads a lock that the user knows as name.
func ParseLock(name string, data []byte) (*Lock, error) {
	var l Lock
	doc, err := tomlfile.DecodeLimit(name, data, MaxLockBytes, &l)
	if err != nil {
		return nil, err
	}
	if err := l.check(doc.Errorf); err != nil {
		return nil, err
	}
	return &l, nil
}

func (l *Lock) check(report reporter) error {
	if !hexDigest.MatchString(l.Recipe) {
		return report("recipe", "%s is not a SHA-256 in lower-case hex", fault.Quote(l.Recipe))
	}
	for i, p := range l.Builder {
		at := fmt.Sprintf("builder[%d]", i)
		switch {
		case !partName.MatchString(p.Name):
			return report(at+".name", "%s is not the name of a part", fault.Quote(p.Name))
		case !partVer.MatchString(p.Version):
			return report(at+".version", "%s is not a version", fault.Quote(p.Version))
		case !partDigest.MatchString(p.Digest):
			return report(at+".digest", "malformed digest %s", fault.Quote(p.Digest))
		}
	}
	seen := map[string]bool{}
	for i, f := range l.Fetched {
		at := fmt.Sprintf("fetched[%d]", i)
		switch {
		case !fromName.MatchString(f.From):
			return report(at+".from", "%s is not the name of a registry", fault.Quote(f.From))
		case !hexDigest.MatchString(f.SHA256):
			return report(at+".sha256", "malformed digest %s", fault.Quote(f.SHA256))
		case f.Size < 0:
			return report(at+".size", "%d is out of range", f.Size)
		}
		if err := checkURLPath(f.Path); err != nil {
			return report(at+".path", "%s: %v", fault.Quote(f.Path), err)
		}
		if key := f.From + " " + f.Path; seen[key] {
			return report(at+".path", "duplicate entry %s", fault.Quote(f.Path))
		} else {
			seen[key] = true
		}
	}
	return nil
}

// checkURLPath demands the path, and perhaps the query, of a URL, without a host and without climbing.
func checkURLPath(p string) error {
	file, _, _ := strings.Cut(p, "?")
	switch {
	case len(p) > MaxPath:
		return fmt.Errorf("path exceeds %d bytes", MaxPath)
	case !fault.Plain(p) || strings.ContainsAny(p, " #\\"):
		return fmt.Errorf("unprintable characters in path")
	case !strings.HasPrefix(file, "/") || strings.HasPrefix(file, "//"):
		return fmt.Errorf("want a path that begins with one /")
	case path.Clean(file) != strings.TrimSuffix(file, "/") && file != "/":
		return errEscapes
	}
	return nil
}

// TOML returns the canonical form, entries sorted. ParseLock reads it back.
func (l *Lock) TOML() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "format = %d\nrecipe = %s\n", tomlfile.Format, tomlfile.Quote(l.Recipe))
	parts := slices.Clone(l.Builder)
	slices.SortStableFunc(parts, func(x, y Part) int {
		return cmp.Or(cmp.Compare(x.Name, y.Name), cmp.Compare(x.Version, y.Version), cmp.Compare(x.Digest, y.Digest))
	})
	for _, p := range parts {
		fmt.Fprintf(&b, "\n[[builder]]\nname = %s\nversion = %s\ndigest = %s\n", tomlfile.Quote(p.Name), tomlfile.Quote(p.Version), tomlfile.Quote(p.Digest))
	}
	fetched := slices.Clone(l.Fetched)
	slices.SortStableFunc(fetched, func(x, y Fetched) int {
		return cmp.Or(cmp.Compare(x.From, y.From), cmp.Compare(x.Path, y.Path))
	})
	for _, f := range fetched {
		fmt.Fprintf(&b, "\n[[fetched]]\nfrom = %s\npath = %s\nsha256 = %s\nsize = %d\n", tomlfile.Quote(f.From), tomlfile.Quote(f.Path), tomlfile.Quote(f.SHA256), f.Size)
	}
	return []byte(b.String())
}

// Digest returns the SHA-256 of TOML(), in hex.
func (l *Lock) Digest() string { return digest(l.TOML()) }
