package code

import (
	"bytes"
	"runtime/debug"
	"strings"
	"testing"
)

const baseInfo = `go	go1.26.4
path	example.org/m/cmd/tool
mod	example.org/m	v1.2.0	
dep	example.org/d	v1.0.0	h1:AAAA=
build	-trimpath=true
build	CGO_ENABLED=0
build	vcs=git
build	vcs.revision=0123
build	vcs.time=2026-01-01T00:00:00Z
build	vcs.modified=false
`

func TestCompareInfo(t *testing.T) {
	t.Parallel()
	without := func(prefix string) string {
		var out []string
		for line := range strings.Lines(baseInfo) {
			if !strings.HasPrefix(line, prefix) {
				out = append(out, line)
			}
		}
		return strings.Join(out, "")
	}
	for name, c := range map[string]struct{ rebuilt, id, text string }{
		"same":             {baseInfo, "", ""},
		"toolchain":        {strings.Replace(baseInfo, "1.26.4", "1.26.5", 1), "toolchain-version", "shipped with go1.26.4, rebuilt with go1.26.5"},
		"no stamp":         {without("build	vcs"), "vcs-stamp", "VCS stamp missing in the rebuilt file"},
		"dirty":            {strings.Replace(baseInfo, "modified=false", "modified=true", 1), "vcs-stamp", "VCS stamp: modified is false shipped, true rebuilt"},
		"another commit":   {strings.Replace(baseInfo, "0123", "4567", 1), "vcs-stamp", "VCS stamp differs"},
		"no trimpath":      {without("build	-trimpath"), "build-path", "-trimpath missing in the rebuilt file"},
		"cgo":              {strings.Replace(baseInfo, "CGO_ENABLED=0", "CGO_ENABLED=1", 1), "compiler-flags", "1 build settings differ: CGO_ENABLED 0 shipped, 1 rebuilt"},
		"dependency":       {strings.Replace(baseInfo, "v1.0.0", "v1.0.1", 1), "dependency-version", "1 dependencies differ: module example.org/d v1.0.0 h1:AAAA= shipped, v1.0.1 h1:AAAA= rebuilt"},
		"main version":     {strings.Replace(baseInfo, "v1.2.0", "(devel)", 1), "vcs-stamp", "version of the main module: v1.2.0 shipped, (devel) rebuilt"},
		"other program":    {strings.Replace(baseInfo, "cmd/tool", "cmd/other", 1), "main-module", "another main package: example.org/m/cmd/tool shipped, example.org/m/cmd/other rebuilt"},
		"foreign controls": {strings.Replace(baseInfo, "go1.26.4", "go1\x1b[2J", 1), "toolchain-version", `shipped with go1.26.4, rebuilt with "go1\x1b[2J"`},
	} {
		got := compareInfo(parse(t, baseInfo), parse(t, c.rebuilt))
		if c.id == "" {
			if len(got) != 0 {
				t.Errorf("%s: %+v", name, got)
			}
			continue
		}
		if len(got) != 1 || got[0].ID != c.id || got[0].Text != c.text {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// parse reads the form that String writes; its first line is no part of what programs hold.
func parse(t *testing.T, s string) *debug.BuildInfo {
	t.Helper()
	i, err := debug.ParseBuildInfo(s)
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(s, "\n")
	i.GoVersion = strings.TrimPrefix(first, "go\t")
	return i
}

func TestBuildInfoOfOtherFiles(t *testing.T) {
	t.Parallel()
	if readInfo([]byte("no program")) != nil {
		t.Error("text has build information")
	}
}

func FuzzDigests(f *testing.F) {
	f.Add([]byte("\x00asm\x01\x00\x00\x00\x0a\x01\x00"))
	f.Add(append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 100)...))
	f.Add([]byte("MZ"))
	f.Add([]byte("\xca\xfe\xba\xbe\x00\x00\x00\x02"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, d := range Digests(bytes.NewReader(b), int64(len(b))) {
			if len(d.SHA256) != 64 || d.Kind != Loaded && d.Kind != Machine {
				t.Fatalf("%+v", d)
			}
		}
		compareInfo(readInfo(b), readInfo(b))
	})
}
