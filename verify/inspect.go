package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/gomod"
	"github.com/glassbuild/glassbuild/internal/oci"
	"github.com/glassbuild/glassbuild/internal/recipe"
	"github.com/glassbuild/glassbuild/internal/recipe/gobinary"
)

// Claim is something that a file says of itself. It is foreign text: quote what is printed.
type Claim = evidence.Claim

// Inspection is what a file says of itself. Nothing of it was checked against anything.
type Inspection struct {
	Name   string
	Kind   string
	Claims []Claim
}

// Inspect reads a bundle, a verdict, a recipe, a lock, a program or an image and tells what it says of itself. It judges
// nothing. What is of no known kind is inconclusive, what is malformed failed.
func Inspect(ctx context.Context, what string) ([]Inspection, error) {
	st, err := os.Stat(what)
	switch {
	case err == nil && st.IsDir():
		if _, err := os.Stat(filepath.Join(what, "oci-layout")); err == nil {
			return inspectImage(ctx, "oci:"+what)
		}
		return nil, fault.Usagef(fault.Quote(what), "is a folder").WithHint("an image layout is one that holds the file oci-layout")
	case err == nil && !st.Mode().IsRegular():
		return nil, fault.Usagef(fault.Quote(what), "is not a file")
	case err == nil:
		return inspectFile(ctx, what, st.Size())
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fault.Usagef(fault.Quote(what), "cannot be read: %w", bare(err))
	case oci.IsReference(what):
		return inspectImage(ctx, what)
	}
	return nil, fault.Usagef(fault.Quote(what), "cannot be read: %w", bare(err))
}

func inspectFile(ctx context.Context, path string, size int64) ([]Inspection, error) {
	name := filepath.Base(path)
	f, err := os.Open(path)
	if err != nil {
		return nil, fault.Usagef(fault.Quote(path), "cannot be read: %w", bare(err))
	}
	defer f.Close()
	head := make([]byte, 512)
	n, _ := f.ReadAt(head, 0)
	switch head = bytes.TrimLeft(head[:n], " \t\r\n"); {
	case len(head) > 0 && head[0] == '{':
		return inspectJSON(path, name)
	case strings.HasSuffix(name, ".toml"), strings.HasSuffix(name, ".lock"):
		return inspectTOML(path, name)
	}
	info, err := gobinary.Read(ctx, f, size)
	if errors.Is(err, gobinary.ErrNoBuildInfo) {
		return nil, fault.Inconclusivef(fault.Quote(path), "says nothing that is understood here").
			WithHint("inspect reads bundles and verdicts (JSON), recipes and locks (TOML), Go programs and images")
	}
	if err != nil {
		return nil, err
	}
	return []Inspection{{name, "Go program", programClaims(info)}}, nil
}

func programClaims(info *gobinary.Info) []Claim {
	out := []Claim{{Name: "go", Value: info.Go}, {Name: "path", Value: info.Path}}
	add := func(name, value string) {
		if value != "" {
			out = append(out, Claim{Name: name, Value: value})
		}
	}
	add("module", strings.TrimSpace(info.Main.Path+" "+info.Main.Version))
	for _, s := range info.Settings {
		add("build."+s.Key, s.Value)
	}
	for _, d := range info.Deps {
		add("dependency", strings.TrimSpace(d.Path+" "+d.Version+" "+d.Sum))
	}
	return out
}

func inspectJSON(path, name string) ([]Inspection, error) {
	data, err := evidence.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if v, err := parseVerdict(name, data); err == nil {
		return []Inspection{{name, "verdict", verdictClaims(v)}}, nil
	}
	bundles, err := evidence.ParseAll(name, data)
	if err != nil {
		return nil, err
	}
	var out []Inspection
	for _, b := range bundles {
		out = append(out, Inspection{b.Name(), "evidence", b.Claims()})
	}
	return out, nil
}

func verdictClaims(v *Verdict) []Claim {
	out := []Claim{{Name: "result", Value: string(v.Result)}, {Name: "match", Value: string(v.Match)}, {Name: "summary", Value: v.Summary},
		{Name: "subject", Value: v.Subject.Name + " sha256:" + v.Subject.SHA256}, {Name: "policy", Value: v.Policy.Name + " sha256:" + v.Policy.SHA256},
		{Name: "tool", Value: v.Tool.Name + " " + v.Tool.Version}}
	if s := v.Source; s != nil {
		out = append(out, Claim{Name: "source", Value: s.Repository + " " + s.Commit})
	}
	for _, e := range v.Exceptions {
		out = append(out, Claim{Name: "exception", Value: e})
	}
	for _, c := range v.Checks {
		out = append(out, Claim{Name: c.ID, Value: string(c.Status) + ": " + c.Text})
	}
	return out
}

func inspectTOML(path, name string) ([]Inspection, error) {
	data, err := evidence.ReadFile(path) // the parsers refuse what is too long for them
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(name, ".lock") {
		l, err := recipe.ParseLock(name, data)
		if err != nil {
			return nil, fault.Failf(fault.Quote(name), "%w", err)
		}
		out := []Claim{{Name: "recipe", Value: "sha256:" + l.Recipe}}
		for _, p := range l.Builder {
			out = append(out, Claim{Name: "builder", Value: p.Name + " " + p.Version + " " + p.Digest})
		}
		out = append(out, Claim{Name: "fetched", Value: fmt.Sprint(len(l.Fetched))})
		return []Inspection{{name, "lock", out}}, nil
	}
	r, err := recipe.Parse(name, data)
	if err != nil {
		return nil, fault.Failf(fault.Quote(name), "%w", err)
	}
	out := []Claim{{Name: "sha256", Value: r.Digest}}
	for line := range strings.Lines(string(r.TOML())) {
		if line = strings.TrimRight(line, "\n"); line != "" {
			out = append(out, Claim{Name: "line", Value: line})
		}
	}
	return []Inspection{{name, "recipe", out}}, nil
}

// inspectImage reads a manifest and the names of what is attached to it.
func inspectImage(ctx context.Context, text string) ([]Inspection, error) {
	ref, err := oci.Parse(text)
	if err != nil {
		return nil, err
	}
	client, err := gomod.NewRemote(false)
	if err != nil {
		return nil, err
	}
	place, err := oci.Open(ref, oci.Options{Remote: client})
	if err != nil {
		return nil, err
	}
	defer place.Close()
	d, err := place.Resolve(ctx)
	if err != nil {
		return nil, err
	}
	m, err := place.Manifest(ctx, d)
	if err != nil {
		return nil, err
	}
	out := []Claim{{Name: "digest", Value: d.Digest}, {Name: "media-type", Value: m.MediaType}}
	for _, l := range m.Layers {
		out = append(out, Claim{Name: "layer", Value: fmt.Sprintf("%s %s %d", l.Digest, l.MediaType, l.Size)})
	}
	for _, l := range m.Manifests {
		value := l.Digest + " " + l.MediaType
		if l.Platform != nil {
			value += " " + l.Platform.String()
		}
		out = append(out, Claim{Name: "manifest", Value: value})
	}
	for _, name := range slices.Sorted(maps.Keys(m.Annotations)) {
		out = append(out, Claim{Name: "annotation " + name, Value: m.Annotations[name]})
	}
	all := []Inspection{{text, "image", out}}
	list, err := place.Attached(ctx, d.Digest)
	if err != nil {
		return nil, err
	}
	for _, a := range readable(list) {
		bundles, err := evidence.ParseAll(a.Name(), a.Data)
		if err != nil {
			all = append(all, Inspection{a.Name(), "attached", []Claim{{Name: "unreadable", Value: err.Error()}}})
			continue
		}
		for _, b := range bundles {
			all = append(all, Inspection{b.Name(), "attached evidence", b.Claims()})
		}
	}
	return all, nil
}
