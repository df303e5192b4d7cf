package recipe_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/recipe"
)

// wasmBinary makes the smallest file with build info: a WebAssembly module with a data section and a producers section.
func wasmBinary(buildInfo, goVersion string) recipe.Binary {
	return wasmBinaryWith(buildInfo, goVersion, "")
}

// wasmBinaryWith puts more data behind the build info.
func wasmBinaryWith(buildInfo, goVersion, more string) recipe.Binary {
	name := func(s string) []byte { return append(binary.AppendUvarint(nil, uint64(len(s))), s...) }
	section := func(id byte, body []byte) []byte {
		return append(binary.AppendUvarint([]byte{id}, uint64(len(body))), body...)
	}
	producers := slices.Concat(name("producers"), []byte{1}, name("language"), []byte{1}, name("Go"), name(goVersion))
	data := "\x30\x77\xaf\x0c\x92\x74\x08\x02\x41\xe1\xc1\x07\xe6\xd6\x18\xe6" + buildInfo + "\xf9\x32\x43\x31\x86\x18\x20\x72\x00\x82\x42\x10\x41\x16\xd8\xf2" + more
	file := slices.Concat([]byte("\x00asm\x01\x00\x00\x00"), section(11, []byte(data)), section(0, producers))
	return recipe.Binary{Name: "tool", Reader: bytes.NewReader(file), Size: int64(len(file))}
}

func reader(files map[string]string) func(string, int64) ([]byte, error) {
	return func(path string, _ int64) ([]byte, error) {
		if text, ok := files[path]; ok {
			return []byte(text), nil
		}
		return nil, fs.ErrNotExist
	}
}

// permitted is what may stand in an inferred step, written down apart from the code.
var permitted = regexp.MustCompile(`^(go|build|-trimpath|-race|-msan|-asan|-cover|-buildvcs=(true|false)|-mod=(vendor|readonly)|-tags=[A-Za-z0-9_.,]+|` +
	`-buildmode=(pie|exe|c-shared|c-archive)|-(gc|asm)flags=(all=)?[-\sA-Za-z0-9=]*|-o|/out/[A-Za-z0-9_][A-Za-z0-9_.-]*|\.|\./[A-Za-z0-9_.~/+-]+)$`)

var (
	linkerWord = regexp.MustCompile(`^(-s|-w|-[sw]=(true|false|0|1)|-buildid=|-compressdwarf=(true|false)|-checklinkname=0|-linkmode=internal|-B=(none|gobuildid)|-bindnow|-extldflags=-static)$`)
	envWord    = regexp.MustCompile(`^[a-z0-9._,-]{1,100}$`)
)

// FuzzInfer: whatever a build info says, nothing outside the closed list reaches a step.
func FuzzInfer(f *testing.F) {
	const head = "path\texample.org/hello/cmd/x\nmod\texample.org/hello\t(devel)\t\nbuild\tCGO_ENABLED=0\nbuild\tGOARCH=wasm\nbuild\tGOOS=js\n"
	for _, tail := range []string{
		"", "build\t-tags=a,b\nbuild\t-trimpath=true\n", "build\t-ldflags=-s -w -X main.v=aaaaaaaaaaaa\n", "build\t-ldflags=all=-X 'main.v=x y' -extld=/bin/sh\n",
		"build\t-gcflags=all=-N -l\nbuild\t-asmflags=-e\n", "build\tvcs=git\nbuild\tvcs.revision=" + strings.Repeat("a", 40) + "\nbuild\tvcs.time=1970-01-01T00:00:01Z\nbuild\tvcs.modified=true\n",
		"build\t\"-toolexec=a b\"\nbuild\tLD_PRELOAD=x\n", "build\t-buildmode=pie\nbuild\tGOEXPERIMENT=rangefunc,none\nbuild\tGOFIPS140=v1.0.0-c2097c7c\n",
		"dep\trsc.io/quote\tv1.5.2\th1:w5fcysjrx7yqtD/aO+QwRjYZOKnaM9Uh2b40tElTs3Y=\n", "dep\trsc.io/quote\tv1.5.2\n=>\t./x\t(devel)\t\n", "build\t-ldflags=-linkmode=internal '-X=main.v=v1.0.0' -extldflags '-static'\n",
	} {
		f.Add(head+tail, "go1.26.5")
	}
	f.Fuzz(func(t *testing.T, text, version string) {
		if len(text) > 10_000 || len(version) > 100 {
			return
		}
		in := recipe.Inference{
			Binaries: []recipe.Binary{wasmBinary(text, version)},
			Commit:   strings.Repeat("a", 40), When: 1, Tags: []recipe.Tag{{Name: "v1.0.0", AtCommit: true}},
			ReadFile: reader(map[string]string{"go.mod": "module example.org/hello\n"}),
		}
		got, err := recipe.Infer(context.Background(), in)
		if err != nil {
			if fault.ClassOf(err) == fault.Usage {
				t.Fatalf("class of %v", err)
			}
			return
		}
		roundTrip(t, got.Recipe)
		if commented, err := recipe.Parse("commented", got.TOML()); err != nil || commented.Digest != got.Recipe.Digest {
			t.Fatalf("commented form: %v\n%s", err, got.TOML())
		}
		for _, r := range append([]*recipe.Recipe{got.Recipe}, got.Alternatives...) {
			for name, value := range r.Env {
				if !slices.Contains(recipe.AllowedEnv(), name) || !envWord.MatchString(value) {
					t.Fatalf("environment %q = %q", name, value)
				}
			}
			if r.VCS.Dirty || r.Builder.Image != "" || len(r.Steps) != 1 || r.Steps[0].Script != "" || len(r.Steps[0].Env) > 0 {
				t.Fatalf("recipe\n%s", r.TOML())
			}
			for _, s := range r.Fetch {
				if !slices.Equal(s.Run, recipe.Argv{"go", "mod", "download"}) {
					t.Fatalf("fetch step %q", s.Run)
				}
			}
			for _, arg := range r.Steps[0].Run {
				if flags, ok := strings.CutPrefix(arg, "-ldflags="); ok {
					checkLinkerWords(t, flags)
				} else if !permitted.MatchString(arg) {
					t.Fatalf("argument %q", arg)
				}
			}
		}
	})
}

// checkLinkerWords: apart from plain switches there are only -X with a value that follows from the commit or its tag.
func checkLinkerWords(t *testing.T, flags string) {
	derived := regexp.MustCompile(`^-X=?[A-Za-z0-9_][A-Za-z0-9_./~-]*\.[A-Za-z0-9_]+=(a{7,12}|a{40}|v?1\.0\.0|1|1970-?01-?01([T _-]?00:?00:?01(Z|\+0000| \+0000)?)?)$`)
	flags = strings.TrimPrefix(flags, "all=")
	flags = regexp.MustCompile(`--?(X|extldflags|linkmode|buildid|B)[ \t\r\n]+['"]?`).ReplaceAllString(flags, "-$1=")
	for word := range strings.FieldsSeq(strings.NewReplacer("'", " ", `"`, " ").Replace(flags)) {
		if !linkerWord.MatchString(word) && !derived.MatchString(word) && !regexp.MustCompile(`^(00:00:01|\+0000)$`).MatchString(word) {
			t.Fatalf("linker flag %q in %q", word, flags)
		}
	}
}
