package rebuild

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/builder"
	"github.com/glassbuild/glassbuild/internal/sandbox"
)

// TestPrograms holds down what the record says of the programs that were told another time: a dynamic one was, one written in Go was
// not, a library and a text are no programs, and where a trace is not complete that is said.
func TestPrograms(t *testing.T) {
	t.Parallel()
	usr := t.TempDir()
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	copies := map[string]string{"in-go": own, "dynamic": "/bin/sh"}
	libraries := slices.Concat(inLib("libc.so.6", "x86_64-linux-gnu"), inLib("libc.so.6", "aarch64-linux-gnu"))
	if i := slices.IndexFunc(libraries, func(name string) bool { _, err := os.Stat(name); return err == nil }); i >= 0 {
		copies["libc.so.6"] = libraries[i]
	}
	for name, from := range copies {
		copyTo(t, from, filepath.Join(usr, name))
	}
	if err := os.WriteFile(filepath.Join(usr, "text"), []byte("#!/usr/dynamic\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	o := &Outcome{Builder: &builder.Root{Layers: []builder.Layer{{Name: "packages", Dir: usr, Target: "/usr", Digest: "sha256:1"}}}}
	steps := []StepRecord{{Trace: sandbox.TraceComplete, Opened: []string{"/usr/in-go", "/usr/dynamic", "/usr/libc.so.6", "/usr/text", "/usr/gone", "/usr/../etc/passwd"}}}
	var s Shim
	o.programs(&s, steps)
	if s.Told != 1 || !slices.Equal(s.Untold, []string{"/usr/in-go"}) || !strings.HasPrefix(s.Unknown, "programs that the steps made") {
		t.Errorf("%+v", s)
	}
	for want, change := range map[string]func(*Outcome, *[]StepRecord){
		"the trace of step 1 is not complete: overflow":          func(_ *Outcome, l *[]StepRecord) { (*l)[0].Trace = "overflow" },
		"no run was traced":                                      func(_ *Outcome, l *[]StepRecord) { *l = nil },
		"what the builder takes from this machine is not traced": func(o *Outcome, _ *[]StepRecord) { o.Builder.Layers[0].Digest = "" },
	} {
		o := &Outcome{Builder: &builder.Root{Layers: slices.Clone(o.Builder.Layers)}}
		list := slices.Clone(steps)
		change(o, &list)
		var s Shim
		if o.programs(&s, list); s.Unknown != want {
			t.Errorf("%q, want %q", s.Unknown, want)
		}
	}
}

// TestShim finds by which way the programs of a builder can be told another time, and says where there is none.
func TestShim(t *testing.T) {
	t.Parallel()
	l, ok := loaders[runtime.GOARCH]
	if !ok {
		t.Skipf("NOT TESTED: there is no shim for %s", runtime.GOARCH)
	}
	for name, c := range map[string]struct {
		files []string
		by    []string
		why   string
	}{
		"go alone": {[]string{"/usr/local/go/bin/go"}, nil, "no program of the builder loads libraries"},
		"glibc":    {[]string{l.glibc[0]}, []string{preloadFile}, ""},
		"musl":     {[]string{l.musl[2]}, []string{preloadName}, ""},
		"both":     {[]string{l.glibc[1], l.musl[2]}, []string{preloadFile, preloadName}, ""},
		"its own":  {[]string{l.glibc[0], preloadFile}, nil, "the builder has an /etc/ld.so.preload of its own"},
	} {
		dir := t.TempDir()
		for _, f := range c.files {
			if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(f)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, f), nil, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		o := &Outcome{Builder: &builder.Root{Layers: []builder.Layer{{Dir: dir, Target: "/"}}}}
		s, why := o.shim()
		if why != c.why || s != nil && !slices.Equal(s.By, c.by) || (s == nil) != (c.by == nil) {
			t.Errorf("%s: %+v, %q", name, s, why)
		}
		if s != nil && slices.Contains(s.By, preloadFile) && (s.waits || s.Threads == "") {
			t.Errorf("%s: it has no libc.so.6 with dlsym, and yet its timed waits were moved", name)
		}
		var v Variation
		o.tell(&v, 7, false)
		if (v.told == nil) != (c.by == nil) || c.by == nil && !strings.HasPrefix(v.Clock, "not varied: "+c.why) || c.by != nil && !strings.HasPrefix(v.Clock, "7 seconds ahead ") {
			t.Errorf("%s: %q", name, v.Clock)
		}
		if got := v.told.env(); (got != nil) != slices.Contains(c.by, preloadName) {
			t.Errorf("%s: environment %q", name, got)
		}
	}
}

func copyTo(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}
