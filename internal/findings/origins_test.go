package findings

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/builder"
	"github.com/glassbuild/glassbuild/internal/rebuild"
	"github.com/glassbuild/glassbuild/internal/sandbox"
	"github.com/glassbuild/glassbuild/internal/source"
	"github.com/glassbuild/glassbuild/internal/store"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// goroot returns where this machine's Go lies.
func goroot(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// kestrel builds the two programs of the sample vendor with this machine's Go, as a rebuild would have left them.
func kestrel(t *testing.T, args ...string) *rebuild.Outcome {
	t.Helper()
	o := &rebuild.Outcome{Tree: &source.Tree{}, TreeDir: t.TempDir(), Builder: &builder.Root{}, Account: &rebuild.Account{Proved: true}}
	from := filepath.Join("..", "..", "testdata", "vendors", "kestrel")
	err := filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(from, p)
		to := filepath.Join(o.TreeDir, rel)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		sum := sha256.Sum256(data)
		o.Tree.Files = append(o.Tree.Files, source.Entry{Path: filepath.ToSlash(rel), Mode: 0o100644, Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:])})
		if !strings.HasSuffix(rel, "_test.go") {
			o.Account.Source = append(o.Account.Source, filepath.ToSlash(rel))
		}
		return os.WriteFile(to, data, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	res := &rebuild.Result{Dir: t.TempDir(), Left: &rebuild.Left{}}
	cmd := exec.Command("go", append(append([]string{"build", "-o", res.Dir + "/"}, args...), "./cmd/kestrel", "./cmd/kestrel-rules")...)
	cmd.Dir, cmd.Env = o.TreeDir, append(os.Environ(), "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0", "GOTOOLCHAIN=local")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{"kestrel", "kestrel-rules"} {
		res.Outputs = append(res.Outputs, sandbox.Output{Path: name, Kind: sandbox.OutputFile})
	}
	o.Runs = []*rebuild.Result{res}
	o.Builder.Layers = []builder.Layer{{Name: "go", Version: "1.26", Dir: goroot(t), Target: "/usr/local/go", Digest: "h1:x"}}
	return o
}

func originsOf(t *testing.T, o *rebuild.Outcome) []verdict.Origin {
	t.Helper()
	st, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	run, err := st.NewRun()
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	list, err := Origins(t.Context(), o, st, run)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func namesIn(list []verdict.Digest) []string {
	var names []string
	for _, f := range list {
		names = append(names, f.Name)
	}
	return names
}

// TestOriginsOfKestrel: each of two programs from one tree says which files of it are in it, and which of the other's are not.
func TestOriginsOfKestrel(t *testing.T) {
	t.Parallel()
	o := kestrel(t, "-trimpath", "-buildvcs=false", "-ldflags=-s -w")
	list := originsOf(t, o)
	if len(list) != 2 {
		t.Fatalf("%+v", list)
	}
	embedded := []string{"rules/base.toml", "rules/install.toml", "rules/persistence.toml", "rules/rules.go"}
	for i, want := range []struct{ source, more []string }{
		{[]string{"cmd/kestrel/main.go", "engine/pattern.go", "engine/rule.go", "engine/scan.go", "engine/set.go"}, embedded},
		{[]string{"cmd/kestrel-rules/main.go", "engine/pattern.go", "engine/rule.go", "engine/set.go"}, append([]string{"engine/scan.go"}, embedded...)},
	} {
		got := list[i]
		if !slices.Equal(namesIn(got.Source), want.source) || !slices.Equal(namesIn(got.Package), want.more) || !slices.Equal(got.By, []string{"go-line-table", "go-packages"}) {
			t.Errorf("%v: %q and %q, by %q", got.Names, namesIn(got.Source), namesIn(got.Package), got.By)
		}
		if len(got.Unread) > 0 || got.Silent > 0 {
			t.Errorf("%+v", got)
		}
		for _, f := range got.Source {
			if len(f.SHA256) != 64 || f.Size == 0 {
				t.Errorf("%+v", f)
			}
		}
		if len(got.Parts) != 1 || got.Parts[0].Name != "go 1.26" || got.Parts[0].Files < 100 {
			t.Errorf("%+v", got.Parts)
		}
		// the dependency was not among the frozen inputs: its files lie nowhere
		for _, name := range got.Unknown {
			if !strings.HasPrefix(name, "github.com/BurntSushi/toml@") {
				t.Errorf("%q lies nowhere", name)
			}
		}
		if len(got.Unknown) == 0 {
			t.Error("files of a module that nobody fetched are placed")
		}
	}
}

// TestOriginsAgainstTheTrace: a file that the program names and the trace has not seen is said to be so.
func TestOriginsAgainstTheTrace(t *testing.T) {
	t.Parallel()
	o := kestrel(t, "-trimpath", "-buildvcs=false")
	o.Account.Source = slices.DeleteFunc(o.Account.Source, func(f string) bool { return f == "engine/scan.go" || f == "rules/base.toml" })
	got := originsOf(t, o)[0]
	if !slices.Equal(got.Unread, []string{"engine/scan.go"}) || slices.Contains(namesIn(got.Package), "rules/base.toml") {
		t.Errorf("unread %q, packages %q", got.Unread, namesIn(got.Package))
	}
	o.Runs[0].Left = &rebuild.Left{Why: "limit reached"}
	if got := originsOf(t, o)[0]; !strings.Contains(got.Why, "limit reached") {
		t.Errorf("some names lie nowhere, and why that may be is not said: %q", got.Why)
	}
	o.Account = nil // nothing was traced: nothing can be held against it
	if got := originsOf(t, o)[0]; len(got.Unread) > 0 {
		t.Errorf("%q", got.Unread)
	}
}

// TestOriginsOfWhatDoesNotSay: bytes that nothing compiled are no origin, and a copy of a file of the tree is.
func TestOriginsOfWhatDoesNotSay(t *testing.T) {
	t.Parallel()
	o := kestrel(t, "-trimpath", "-buildvcs=false")
	license, err := os.ReadFile(filepath.Join(o.TreeDir, "LICENSE"))
	if err != nil {
		t.Fatal(err)
	}
	o.Runs[0].Outputs = nil
	for name, data := range map[string]string{"text": "nothing", "copy": string(license), "cut": "\x7fELF\x02\x01\x01", "x.js": "x();\n//# sourceMappingURL=x.js.map\n"} {
		if err := os.WriteFile(o.Runs[0].Path(name), []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
		o.Runs[0].Outputs = append(o.Runs[0].Outputs, sandbox.Output{Path: name, Kind: sandbox.OutputFile})
	}
	o.Account.Source = slices.DeleteFunc(o.Account.Source, func(f string) bool { return f == "LICENSE" })
	slices.SortFunc(o.Runs[0].Outputs, func(a, b sandbox.Output) int { return strings.Compare(a.Path, b.Path) })
	list := originsOf(t, o)
	var said []string
	for _, x := range list {
		said = append(said, x.Names[0]+":"+strings.Join(x.By, ","))
		if len(x.Unread) > 0 {
			t.Errorf("the same bytes are no name: %q", x.Unread)
		}
		if len(x.By) == 0 && x.Silent != 1 {
			t.Errorf("%+v", x)
		}
	}
	if !slices.Equal(said, []string{"copy:same-bytes", "cut:", "x.js:"}) {
		t.Errorf("%q", said)
	}
}

// TestOriginsAreKept: what was found of pinned things is kept, bound to all of them, and of others it is found again.
func TestOriginsAreKept(t *testing.T) {
	t.Parallel()
	o := kestrel(t, "-trimpath", "-buildvcs=false")
	if originsKey(o) != "" {
		t.Error("a builder that nobody pinned has a key")
	}
	o.Builder.Digest, o.Tree.SHA256 = "sha256:b", "t"
	st, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	run, err := st.NewRun()
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	find := func() string {
		list, err := Origins(t.Context(), o, st, run)
		if err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(list)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	first, key := find(), originsKey(o)
	o.Cached = true
	if err := os.Remove(o.Runs[0].Path("kestrel")); err != nil {
		t.Fatal(err)
	}
	if find() != first {
		t.Error("what was kept is not what was found")
	}
	for name, change := range map[string]func(){
		"tree": func() { o.Tree.SHA256 += "x" }, "builder": func() { o.Builder.Digest += "x" }, "output": func() { o.Runs[0].Outputs[0].SHA256 += "x" },
		"what was read": func() { o.Account.Source = o.Account.Source[1:] }, "what was left": func() { o.Runs[0].Left.Why += "x" }, "inputs": func() { o.Inputs = &rebuild.Inputs{SHA256: "x"} },
	} {
		before := originsKey(o)
		if change(); originsKey(o) == before || originsKey(o) == key {
			t.Errorf("another %s has the same key", name)
		}
	}
}

func TestEmbeds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, file string
		all, want     bool
	}{
		{"a.txt", "a.txt", false, true}, {"*.txt", "a.txt", false, true}, {"*.txt", "d/a.txt", false, false}, {"d", "d/a.txt", false, true}, {"d", "d/e/a.txt", false, true},
		{"d", "d/.hidden", false, false}, {"d", "d/_x/a", false, false}, {"d", "d/.hidden", true, true}, {"d/*", "d/.hidden", false, true}, {".hidden", ".hidden", false, true},
		{"d/*.txt", "d/a.txt", false, true}, {"d/*.txt", "d/a.md", false, false}, {"[", "a", false, false}, {".", "a/b", false, true}, {"d/e", "d", false, false},
	} {
		if got := embeds(c.pattern, c.file, c.all); got != c.want {
			t.Errorf("%q of %q: %v", c.file, c.pattern, got)
		}
	}
}

// TestOriginsAreBounded: a build that puts out very many programs gets a verdict that is not longer than it should be.
func TestOriginsAreBounded(t *testing.T) {
	t.Parallel()
	f := &originFinder{}
	big := verdict.Origin{Names: []string{"a"}, By: []string{"debug-data"}, Source: make([]verdict.Digest, maxOriginFiles-1), Unknown: []string{"x"}}
	if got := f.bounded(big); len(got.Source) != maxOriginFiles-1 {
		t.Errorf("%d", len(got.Source))
	}
	small := verdict.Origin{Names: []string{"b"}, By: []string{"debug-data"}, Source: make([]verdict.Digest, 1)}
	if got := f.bounded(small); len(got.Source) != 0 || got.Source == nil || got.Why == "" || len(got.By) != 0 {
		t.Errorf("%+v", got)
	}

	o := kestrel(t, "-trimpath", "-buildvcs=false")
	var b bytes.Buffer
	z := tar.NewWriter(&b)
	for i := range maxOrigins + 10 {
		text := fmt.Sprintf("\x7fELF\x02\x01\x01%d", i)
		z.WriteHeader(&tar.Header{Name: fmt.Sprintf("p%d", i), Mode: 0o755, Size: int64(len(text))})
		z.Write([]byte(text))
	}
	z.Close()
	if err := os.WriteFile(o.Runs[0].Path("kestrel"), b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	if list := originsOf(t, o); len(list) != maxOrigins || !strings.Contains(list[maxOrigins-1].Why, "more such files") {
		t.Errorf("%d: %q", len(list), list[len(list)-1].Why)
	}
}
