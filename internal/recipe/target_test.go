package recipe

import (
	"context"
	"io/fs"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/fault"
)

const matrix = `format = 1
[builder]
go = "1.26.5"
[builder.patch]
file = "go.patch"
sha256 = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
[env]
GOOS = "linux"
CGO_ENABLED = "0"
[[step]]
run = ["go", "build"]
[[target]]
name = "a"
artifact = [{ output = "x" }]
[[target]]
name = "b"
platform = "windows/msvc"
env = { GOOS = "windows" }
[[target.artifact]]
output = "x.exe"
member = "bin/x.exe"
`

func TestTargets(t *testing.T) {
	t.Parallel()
	r, err := Parse("x", []byte(matrix))
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse("x", r.TOML())
	if err != nil || again.Digest != r.Digest || len(again.Targets) != 2 {
		t.Fatalf("%v: %s", err, r.TOML())
	}
	a, b := r.For(r.Targets[0]), r.For(r.Targets[1])
	if a.Digest == b.Digest || a.LockDigest() != r.Digest || b.LockDigest() != r.Digest || a.Env["GOOS"] != "linux" || b.Env["GOOS"] != "windows" || b.Env["CGO_ENABLED"] != "0" ||
		b.Builder.Platform != "windows/msvc" || a.Builder.Platform != "" || b.Artifacts[0].Member != "bin/x.exe" || r.Env["GOOS"] != "linux" {
		t.Errorf("%+v\n%+v", a, b)
	}
	if back, err := Parse("x", b.TOML()); err != nil || back.Digest != b.Digest {
		t.Errorf("%v: %s", err, b.TOML())
	}
}

func TestTargetsRefused(t *testing.T) {
	t.Parallel()
	for want, change := range map[string][2]string{
		"two targets are called a":         {`name = "b"`, `name = "a"`},
		"is not the name of a target":      {`name = "b"`, `name = "B/.."`},
		"is not a platform":                {`"windows/msvc"`, `"Windows"`},
		"not allowed":                      {`GOOS = "windows"`, `LD_PRELOAD = "x"`},
		"path escapes":                     {`output = "x.exe"`, `output = "../x"`},
		"stands beside [[target]]":         {`[[target]]`, "[[artifact]]\noutput = \"y\"\n[[target]]"},
		"want the name of a file beside":   {`"go.patch"`, `"../go.patch"`},
		"is not a SHA-256":                 {`"2d71`, `"XX71`},
		"changes a Go toolchain, but no g": {`go = "1.26.5"`, `host = true`},
	} {
		_, err := Parse("x", []byte(strings.Replace(matrix, change[0], change[1], 1)))
		if err == nil || !strings.Contains(err.Error(), want) || fault.ClassOf(err) != fault.Usage {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// TestPatchBesideRecipe: the patch is read beside the recipe, and must be the one that is meant.
func TestPatchBesideRecipe(t *testing.T) {
	t.Parallel()
	files := map[string]string{"sub/r.toml": matrix, "sub/go.patch": "ok", "go.patch": "another"}
	in := Request{ReadFile: func(path string, _ int64) ([]byte, error) {
		if text, ok := files[path]; ok {
			return []byte(text), nil
		}
		return nil, fs.ErrNotExist
	}}
	if err := in.ReadOwn("commit:sub/r.toml"); err != nil {
		t.Fatal(err)
	}
	res, err := Resolve(context.Background(), in)
	if fault.ClassOf(err) != fault.Failed || !strings.Contains(err.Error(), "go.patch: has the SHA-256") || fault.HintOf(err) == "" {
		t.Fatalf("%v, %v", res, err)
	}
	files["sub/r.toml"] = strings.Replace(matrix, "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881", digest([]byte("ok")), 1)
	if res, err = Resolve(context.Background(), in); err != nil || string(res.Recipe.PatchText) != "ok" || res.ChosenBy != Commit {
		t.Fatalf("%+v, %v", res, err)
	}
	if err := res.Choose("b", nil); err != nil || res.Recipe.Target != "b" || string(res.Recipe.PatchText) != "ok" {
		t.Errorf("%+v, %v", res.Recipe, err)
	}
}
