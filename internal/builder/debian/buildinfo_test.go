package debian

import (
	"slices"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/fault"
)

const buildinfoText = `Format: 1.0
Source: hello
Binary: hello
Architecture: amd64
Version: 2.10-3
Checksums-Sha256:
 2e6e2f1a0007dc43bc91c273fd36e91e40a4f1c2765a03eca68b70a42103878a 53080 hello_2.10-3_amd64.deb
Build-Path: /build/hello-2.10
Installed-Build-Depends:
 base-files (= 12.3),
 libc6 (= 2.36-6),
 aa (= 1:2)
Environment:
 LANG="C.UTF-8"
 SOURCE_DATE_EPOCH="1672068600"
`

func TestBuildinfo(t *testing.T) {
	t.Parallel()
	want := []string{"aa=1:2", "base-files=12.3", "libc6=2.36-6"}
	for name, data := range map[string][]byte{"plain": []byte(buildinfoText), "signed": sign(t, buildinfoText, signedAt, newKey(t, "builder", signedAt.AddDate(-1, 0, 0), 0))} {
		got, err := ParseBuildinfo(data)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for name, change := range map[string][2]string{
		"any version":          {"(= 12.3)", "(>= 12.3)"},
		"alternatives":         {"base-files (= 12.3)", "base-files (= 12.3) | x (= 1)"},
		"another architecture": {"libc6 (", "libc6:i386 ("},
		"nothing":              {"Installed-Build-Depends", "Build-Depends"},
		"no name":              {"libc6 (", "../x ("},
	} {
		if got, err := ParseBuildinfo([]byte(strings.Replace(buildinfoText, change[0], change[1], 1))); fault.ClassOf(err) != fault.Usage || err == nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestExact(t *testing.T) {
	t.Parallel()
	x := index(t, "aa 2 | Depends: bb", "aa 1 | Depends: bb", "bb 1", "cc 1 | Essential: yes")
	got, err := Exact(x, []string{"bb=1", "aa=1"})
	if err != nil || len(got) != 2 || got[0].Name != "aa" || got[0].Version != "1" || got[1].Name != "bb" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := Exact(x, []string{"aa=3"}); fault.ClassOf(err) != fault.Inconclusive {
		t.Error(err)
	}
}
