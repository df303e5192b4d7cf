package pass_test

import (
	"compress/gzip"
	"strings"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/allow"
	"github.com/glassbuild/glassbuild/internal/compare/pass"
)

// pair is two files that differ in exactly what the passes forgive.
type pair struct {
	shipped, rebuilt []byte
	needs            []string
}

func pairs(t testing.TB) map[string]pair {
	a := []file{{name: "bin/tool", body: text(9000), at: dayOne, mode: 0o755}, {name: "README", body: "read me\n", at: dayOne}}
	b := []file{{name: "bin/tool", body: text(9000), at: dayTwo, mode: 0o755}, {name: "README", body: "read me\n", at: dayTwo}}
	turned := func(f []file) []file { return []file{f[1], f[0]} }
	fraction := func(f []file, ns int) []file {
		c := append([]file(nil), f...)
		for i := range c {
			c[i].at = c[i].at.Add(time.Duration(ns))
		}
		return c
	}
	long := []byte(text(200_000))
	jar := func(keys string) []file {
		return []file{{name: "META-INF/MANIFEST.MF", body: "Manifest-Version: 1.0\r\n" + keys + "Main-Class: a.B\r\n\r\nName: x\r\nBuilt-By: me\r\n\r\n", at: dayOne}, {name: "a/B.class", body: "class", at: dayOne}}
	}
	deb := func(f ...file) []byte {
		return arOf(append([]file{{name: "debian-binary", body: "2.0\n", at: f[0].at}}, f...)...)
	}
	return map[string]pair{
		"gzip header":   {gz(t, 6, gzip.Header{OS: 3}, long), gz(t, 6, gzip.Header{OS: 19, ModTime: dayTwo}, long), []string{allow.GzipHeader}},
		"gzip stream":   {gz(t, 1, gzip.Header{OS: 3}, long), gz(t, 9, gzip.Header{OS: 3}, long), []string{allow.GzipHeader, allow.GzipStream}},
		"tar times":     {tarOf(t, a...), tarOf(t, b...), []string{allow.TarMtime}},
		"tar pax times": {tarOf(t, fraction(a, 123456789)...), tarOf(t, fraction(b, 5)...), []string{allow.TarMtime}},
		"tar order":     {tarOf(t, a...), tarOf(t, turned(a)...), []string{allow.TarOrder}},
		"tgz": {gz(t, 6, gzip.Header{}, tarOf(t, a...)), gz(t, 6, gzip.Header{}, tarOf(t, turned(b)...)),
			[]string{allow.GzipStream, allow.TarMtime, allow.TarOrder}},
		"zip times":   {zipOf(t, 6, a...), zipOf(t, 6, b...), []string{allow.ZipMtime}},
		"zip order":   {zipOf(t, 6, a...), zipOf(t, 6, turned(a)...), []string{allow.ZipOrder}},
		"zip streams": {zipOf(t, 1, a...), zipOf(t, 9, a...), []string{allow.ZipStream}},
		"jar":         {zipOf(t, 6, jar("Built-By: alice\r\nBuild-Jdk: 17.0.1\r\n")...), zipOf(t, 6, jar("Build-Jdk: 21\r\n")...), []string{allow.JarBuildKeys, allow.ZipStream}},
		"jar stored":  {zipOf(t, 0, jar("Built-By: alice\r\n")...), zipOf(t, 0, jar("Built-By: bob the builder\r\n")...), []string{allow.JarBuildKeys}},
		"pyc":         {pyc(dayOne, "code"), pyc(dayTwo, "code"), []string{allow.PycMtime}},
		"pyc in a wheel": {zipOf(t, 0, file{name: "m.pyc", body: string(pyc(dayOne, "code")), at: dayOne}),
			zipOf(t, 0, file{name: "m.pyc", body: string(pyc(dayTwo, "code")), at: dayOne}), []string{allow.PycMtime}},
		"ar": {arOf(file{name: "a.o/", body: "odd", at: dayOne}), arOf(file{name: "a.o/", body: "odd", at: dayTwo}), []string{allow.ArMtime}},
		"deb": {deb(file{name: "control.tar", body: string(tarOf(t, a...)), at: dayOne}), deb(file{name: "control.tar", body: string(tarOf(t, b...)), at: dayTwo}),
			[]string{allow.DebMtime, allow.TarMtime}},
		"cpio": {cpioOf(a...), cpioOf(b...), []string{allow.CpioMtime}},
		"nested": {gz(t, 6, gzip.Header{OS: 3}, tarOf(t, file{name: "in.zip", body: string(zipOf(t, 6, a...)), at: dayOne})),
			gz(t, 6, gzip.Header{OS: 3}, tarOf(t, file{name: "in.zip", body: string(zipOf(t, 6, b...)), at: dayOne})), []string{allow.GzipStream, allow.ZipMtime}},
	}
}

// TestPairs holds down what each pass forgives, that it is asked for by name, that sums add up, and that the answer is
// the same from both sides.
func TestPairs(t *testing.T) {
	t.Parallel()
	for name, p := range pairs(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := judge(t, p.shipped, p.rebuilt)
			if !out.Equivalent || strings.Join(out.Needs(), " ") != strings.Join(p.needs, " ") {
				t.Fatalf("equivalent %v, %q, needs %q; want %q", out.Equivalent, out.Reason, out.Needs(), p.needs)
			}
			sums(t, out)
			if back := judge(t, p.rebuilt, p.shipped); !back.Equivalent || strings.Join(back.Needs(), " ") != strings.Join(p.needs, " ") {
				t.Errorf("from the other side: %v, %q", back.Equivalent, back.Reason)
			}
			for _, without := range p.needs { // each of them is needed by name
				var names []string
				for _, d := range allow.All() {
					if d.Name != without {
						names = append(names, d.Name)
					}
				}
				if out := judge(t, p.shipped, p.rebuilt, names...); out.Equivalent || !strings.Contains(out.Reason, without) {
					t.Errorf("without %s: %v, %q", without, out.Equivalent, out.Reason)
				}
			}
			for _, same := range [][]byte{p.shipped, p.rebuilt} { // what is the same needs no forgiveness
				if out := judge(t, same, same); out.Equivalent || len(out.Forgiven) > 0 {
					t.Errorf("the same file: %v", out.Forgiven)
				}
			}
		})
	}
}

// sums demands that the bytes of every layer are accounted for.
func sums(t testing.TB, out pass.Outcome) {
	t.Helper()
	if len(out.Layers) == 0 {
		t.Fatal("no layers")
	}
	for _, l := range out.Layers {
		if l.Same+l.Forgiven+l.Derived+l.Inner != l.Size {
			t.Errorf("layer %q: %+v", l.Path, l)
		}
		var forgiven int64
		for _, f := range out.Forgiven {
			if f.Layer == l.Path {
				for _, r := range f.Ranges {
					forgiven += r.Size
				}
			}
		}
		if forgiven != l.Forgiven {
			t.Errorf("layer %q: ranges of %d bytes, %d forgiven", l.Path, forgiven, l.Forgiven)
		}
	}
}

func TestUnknownName(t *testing.T) {
	t.Parallel()
	_, err := pass.Judge(t.Context(), strings.NewReader("a"), strings.NewReader("b"), []string{"everything"}, pass.Options{Dir: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "unknown difference") {
		t.Fatal(err)
	}
}

// TestEveryFlippedByte changes one byte after the other of what was shipped. Where it is still equivalent, the byte lies in a field that
// was forgiven, or, in what was judged as a file of its own, in such a field there: nothing that is called derived may be free.
func TestEveryFlippedByte(t *testing.T) {
	t.Parallel()
	for name, p := range pairs(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			step := max(len(p.shipped)/200, 1)
			for at := 0; at < len(p.shipped); at += step {
				b := patched(p.shipped, at, string([]byte{p.shipped[at] ^ 0x12}))
				out := judge(t, b, p.rebuilt)
				if back := judge(t, p.rebuilt, b); back.Equivalent != out.Equivalent {
					t.Errorf("byte %d: %v from one side, %v from the other: %q %q", at, out.Equivalent, back.Equivalent, out.Reason, back.Reason)
				}
				if !out.Equivalent {
					continue
				}
				covered := false
				for _, f := range out.Forgiven {
					for _, r := range f.Ranges {
						covered = covered || f.Layer != "" || int64(at) >= r.Offset && int64(at) < r.Offset+r.Size
					}
				}
				if !covered {
					t.Errorf("byte %d of %d was changed, and is in no field: %+v", at, len(b), out.Forgiven)
				}
			}
		})
	}
}
