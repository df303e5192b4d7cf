package recipe

import (
	"context"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/recipe/gobinary"
)

// parcel is a shipped package and the commit that it is said to come from.
type parcel struct {
	pkg  Package
	tree map[string]string
}

func newParcel() *parcel {
	manifest := `{"name":"@acme/left","version":"1.2.3","scripts":{"build":"tsc","prepare":"husky"},"devDependencies":{"typescript":"5"}}`
	return &parcel{
		pkg: Package{Output: "acme-left-1.2.3.tgz", JSON: []byte(manifest), Members: []string{"package.json", "dist/index.js", "README.md"}, System: GzipUnknown},
		tree: map[string]string{
			"package.json": `{"name":"root","private":true,"workspaces":["packages/*"]}`, "package-lock.json": "{}",
			"packages/left/package.json": manifest, "packages/left/README.md": "", "packages/left/src/index.ts": "",
			"packages/node_modules/x/package.json": manifest, "packages/broken/package.json": "{", "packages/nameless/package.json": "{}",
		},
	}
}

func (p *parcel) infer() (*Inferred, error) {
	return Infer(context.Background(), Inference{Package: &p.pkg, When: 1693323512, Base: Builder{Host: true}, BaseWhy: "a test",
		Tree: func() ([]string, error) { return slices.Sorted(maps.Keys(p.tree)), nil },
		ReadFile: func(path string, _ int64) ([]byte, error) {
			if text, ok := p.tree[path]; ok {
				return []byte(text), nil
			}
			return nil, fs.ErrNotExist
		}})
}

func TestInferPackage(t *testing.T) {
	t.Parallel()
	in, err := newParcel().infer()
	if err != nil {
		t.Fatal(err)
	}
	r := in.Recipe
	ci, dir := Argv{"npm", "ci", "--ignore-scripts"}, "packages/left"
	want := []Step{{Run: ci, Dir: "."}, {Run: Argv{"npm", "run", "build"}, Dir: dir}, {Run: Argv{"npm", "pack", "--ignore-scripts", "--pack-destination", "/out"}, Dir: dir}}
	if len(r.Fetch) != 1 || !slices.Equal(r.Fetch[0].Run, ci) || len(r.Steps) != len(want) || r.Artifacts[0].Output != "acme-left-1.2.3.tgz" {
		t.Fatalf("%s", r.TOML())
	}
	for i, s := range want {
		if !slices.Equal(r.Steps[i].Run, s.Run) || r.Steps[i].Dir != s.Dir {
			t.Errorf("step %d: %+v", i+1, r.Steps[i])
		}
	}
	// August 2023: 16 was maintained, so were 18 and 20; each is tried in turn, and nothing else differs
	if r.Builder.Node != "16.20.2" || r.Builder.NPM != "9.8.1" || len(in.Alternatives) != 2 || in.Alternatives[0].Builder.Node != "18.20.8" ||
		in.Alternatives[0].Digest == r.Digest || len(in.Unknown) != 1 {
		t.Errorf("%+v, %+v, %q", r.Builder, in.Alternatives, in.Unknown)
	}
	again, err := Parse("x", in.TOML())
	if err != nil || again.Digest != r.Digest {
		t.Errorf("%v: %s", err, in.TOML())
	}
	if text := string(in.TOML()); !strings.Contains(text, "npm") {
		t.Error(text)
	}
}

func TestInferPackageVaries(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*parcel)
		check  func(*Inferred) bool
	}{
		"nothing to build": {func(p *parcel) { p.pkg.Members = []string{"package.json", "README.md"} },
			func(in *Inferred) bool { return len(in.Recipe.Fetch) == 0 && len(in.Recipe.Steps) == 1 }},
		"told by the auditor": {func(p *parcel) { p.pkg.Node, p.pkg.NPM, p.pkg.By = "18.0.0", "8.6.0", Auditor },
			func(in *Inferred) bool {
				return in.Recipe.Builder.NPM == "8.6.0" && len(in.Alternatives) == 0 && len(in.Unknown) == 0 && slices.ContainsFunc(in.Lines, func(l Line) bool { return strings.HasPrefix(l.Text, "node") && l.ChosenBy == Auditor })
			}},
		"an old npm on a Mac": {func(p *parcel) { p.pkg.System = 19 },
			func(in *Inferred) bool {
				return strings.HasPrefix(in.Recipe.Builder.NPM, "6.") && slices.ContainsFunc(in.Unknown, func(s string) bool { return strings.Contains(s, "gzip header") })
			}},
		"another version": {func(p *parcel) {
			p.tree["packages/left/package.json"] = strings.Replace(p.tree["packages/left/package.json"], "1.2.3", "1.2.4", 1)
		},
			func(in *Inferred) bool { return len(in.Contradictions) == 1 }},
		"two folders": {func(p *parcel) { p.tree["old/left/package.json"] = p.tree["packages/left/package.json"] },
			func(in *Inferred) bool { return in.Recipe.Steps[2].Dir == "old/left" && len(in.Unknown) == 2 }},
		"scripts of the tarball do not count": {func(p *parcel) {
			p.pkg.JSON = []byte(`{"name":"@acme/left","version":"1.2.3","scripts":{"build":"curl evil"}}`)
		},
			func(in *Inferred) bool { return slices.Equal(in.Recipe.Steps[1].Run, Argv{"npm", "run", "build"}) }},
	} {
		p := newParcel()
		c.change(p)
		in, err := p.infer()
		if err != nil || !c.check(in) {
			t.Errorf("%s: %v, %+v", name, err, in)
		}
	}
}

func TestInferPackageRefuses(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*parcel){
		"its package.json cannot be read": func(p *parcel) { p.pkg.JSON = []byte("[]") },
		"holds no package":                func(p *parcel) { delete(p.tree, "packages/left/package.json") },
		"has no script that builds":       func(p *parcel) { p.tree["packages/left/package.json"] = `{"name":"@acme/left","version":"1.2.3"}` },
		"locked by yarn.lock":             func(p *parcel) { delete(p.tree, "package-lock.json"); p.tree["yarn.lock"] = "" },
		"no package-lock.json":            func(p *parcel) { delete(p.tree, "package-lock.json") },
	} {
		p := newParcel()
		change(p)
		_, err := p.infer()
		if err == nil || !strings.Contains(err.Error(), want) || fault.ClassOf(err) != fault.Inconclusive || fault.HintOf(err) == "" {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func FuzzInferPackage(f *testing.F) {
	f.Add([]byte(`{"name":"a","version":"1.0.0","scripts":{"build":"x"}}`), []byte(`{"name":"a","version":"1.0.0","scripts":{"prepare":"x"},"repository":{"directory":"../.."}}`), byte(255))
	f.Add([]byte(`{"name":"../a","version":"$(x)"}`), []byte(`{"name":"../a","version":"$(x)"}`), byte(3))
	f.Fuzz(func(t *testing.T, shipped, tree []byte, system byte) {
		p := newParcel()
		p.pkg.JSON, p.pkg.System = shipped, system
		p.tree["packages/left/package.json"] = string(tree)
		in, err := p.infer()
		if err != nil {
			return
		}
		// whatever a package says, what is made of it is a recipe that reads back, and runs npm and cp alone
		r, err := Parse("x", in.Recipe.TOML())
		if err != nil || r.Digest != in.Recipe.Digest {
			t.Fatalf("%v: %s", err, in.Recipe.TOML())
		}
		for _, s := range append(r.Steps, r.Fetch...) {
			if s.Run[0] != "npm" && s.Run[0] != "cp" {
				t.Fatalf("runs %q", s.Run)
			}
		}
	})
}

// TestNoBuilderForCgoElsewhere: a program of another system that was linked with C needs tools that no builder holds.
func TestNoBuilderForCgoElsewhere(t *testing.T) {
	t.Parallel()
	for goos, refused := range map[string]bool{"linux": false, "darwin": true, "windows": true} {
		f := &inferrer{out: &Inferred{}, why: map[string]reason{}}
		info := &gobinary.Info{Cgo: true, Path: "example.org/x", Settings: []gobinary.Setting{{Key: "GOOS", Value: goos}}}
		info.Main.Path = "example.org/x"
		err := f.assemble([]*build{{info: info, goVer: "1.26.5", dir: ".", vcs: VCS{Tags: AllTags}, binary: Binary{Name: "x"}, env: map[string]string{}}})
		if got := err != nil && strings.Contains(err.Error(), "no builder for "+goos) && fault.CheckOf(err) == "builder.available" && fault.ClassOf(err) == fault.Inconclusive; got != refused {
			t.Errorf("%s: %v", goos, err)
		}
	}
}
