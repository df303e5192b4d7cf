package artifact_test

import (
	"archive/tar"
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/glassbuild/glassbuild/internal/archive"
	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/fault"
)

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func TestEveryContainerYieldsItsMembers(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("content ", 2000)
	tb := tarball(t, file{name: "p/a", body: body}, file{name: "p/b", body: "p/a", flag: tar.TypeLink})
	for name, c := range map[string]struct {
		data   []byte
		format string
		member string
	}{
		"plain":        {[]byte(body), "", ""},
		"tar":          {tb, "tar", "p/a"},
		"hard link":    {tb, "tar", "p/b"},
		"tar+gzip":     {gz(t, tb), "tar+gzip", "p/a"},
		"gzip":         {gz(t, []byte(body)), "gzip", "content"},
		"zip stored":   {zipped(t, zip.Store, file{name: "p/a", body: body}), "zip", "p/a"},
		"zip deflated": {zipped(t, zip.Deflate, file{name: "p/a", body: body}), "zip", "p/a"},
		"zip in zip":   {zipped(t, zip.Deflate, file{name: "i.zip", body: string(zipped(t, zip.Deflate, file{name: "a", body: body}))}), "zip", "i.zip/a"},
		"stored zip in tar": {
			tarball(t, file{name: "i.zip", body: string(zipped(t, zip.Deflate, file{name: "a", body: body}))}), "tar", "i.zip/a",
		},
		"tgz in tgz":   {gz(t, tarball(t, file{name: "i.tgz", body: string(gz(t, tb))})), "tar+gzip", "i.tgz/p/a"},
		"gzip in gzip": {gz(t, gz(t, []byte(body))), "gzip", "content/content"},
		"zip behind a script": {
			append([]byte("#!/bin/sh\nexit\n"), relocated(zipped(t, zip.Store, file{name: "p/a", body: body}), 15)...), "script", "p/a",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := open(t, c.data)
			if a.SHA256 != digest(string(c.data)) || a.Size != int64(len(c.data)) || a.Root.Format != c.format || len(a.Hostile) != 0 {
				t.Fatalf("%s %d %q %v", a.SHA256, a.Size, a.Root.Format, a.Hostile)
			}
			m, err := a.Find(c.member)
			if err != nil {
				t.Fatal(err, paths(a))
			}
			if m.SHA256 != digest(body) || m.Size != int64(len(body)) {
				t.Fatalf("member %+v", m)
			}
			if content(t, a, c.member) != body {
				t.Fatal("content differs")
			}
		})
	}
}

// relocated adds n to the offsets of a zip with one member, as a writer that appends to a file does.
func relocated(z []byte, n byte) []byte {
	for _, at := range []int{strings.Index(string(z), "PK\x01\x02") + 42, strings.Index(string(z), "PK\x05\x06") + 16} {
		v := uint32(z[at]) | uint32(z[at+1])<<8 | uint32(z[at+2])<<16
		v += uint32(n)
		z[at], z[at+1], z[at+2] = byte(v), byte(v>>8), byte(v>>16)
	}
	return z
}

func TestGzipHeaderIsKept(t *testing.T) {
	t.Parallel()
	data := gz(t, tarball(t, file{name: "a", body: "x"}))
	data[9] = 19
	s := open(t, data).Root.Streams
	if len(s) != 1 || s[0].Gzip == nil || s[0].Gzip.OS != 19 || s[0].Packed != int64(len(data)) || s[0].Size != 2048 {
		t.Fatalf("%+v", s)
	}
}

func TestHostileArchiveStaysAnOpaqueFile(t *testing.T) {
	t.Parallel()
	for want, data := range map[string][]byte{
		"../b: unsafe path":                            gz(t, tarball(t, file{name: "a", body: "1"}, file{name: "../b", body: "2"})),
		"d/x: path through symlink":                    tarball(t, file{name: "d", body: "/etc", flag: tar.TypeSymlink}, file{name: "d/x", body: "2"}),
		"f: unsupported type: FIFO":                    tarball(t, file{name: "f", flag: tar.TypeFifo}),
		"a: duplicate entry":                           zipped(t, zip.Store, file{name: "a", body: "1"}, file{name: "./a", body: "2"}),
		"shipped: expansion exceeds 200×":              gz(t, make([]byte, 32<<20)),
		"shipped: trailing data after the gzip member": append(gz(t, []byte("a")), gz(t, []byte("b"))...),
	} {
		a := open(t, data)
		if len(a.Hostile) != 1 || a.Hostile[0].Error() != want || fault.ClassOf(a.Hostile[0].Err) != fault.Failed {
			t.Errorf("%v, want %q", a.Hostile, want)
			continue
		}
		if a.Root.Problem == nil || a.Root.SHA256 != digest(string(data)) || content(t, a, "") != string(data) {
			t.Errorf("%s: not usable as a file", want)
		}
	}
}

func TestNestedTooDeep(t *testing.T) {
	t.Parallel()
	data := []byte("core")
	for range archive.MaxDepth + 2 {
		data = gz(t, data)
	}
	a := open(t, data)
	if len(a.Hostile) != 1 || !strings.HasSuffix(a.Hostile[0].Error(), "exceeds limit: archives nested deeper than 8") {
		t.Fatalf("%v", a.Hostile)
	}
}

func TestBombOfManyLevels(t *testing.T) {
	t.Parallel()
	// Each level stays below the ratio on its own; together they do not.
	data := make([]byte, 15<<20)
	inner := gz(t, data)
	var files []file
	for _, n := range strings.Fields("a b c d e f g h i j k l") {
		files = append(files, file{name: n, body: string(inner)})
	}
	a := open(t, gz(t, tarball(t, files...)))
	if len(a.Hostile) == 0 || !strings.HasSuffix(a.Hostile[0].Error(), "expansion exceeds 200×") {
		t.Fatalf("%v", a.Hostile)
	}
}

func TestAlpinePackage(t *testing.T) {
	t.Parallel()
	segment := func(f file, end bool) []byte {
		b := tarball(t, f)
		if !end {
			b = b[:len(b)-1024]
		}
		return gz(t, b)
	}
	sig, ctl, data := segment(file{name: ".SIGN.RSA.key", body: "s"}, false), segment(file{name: ".PKGINFO", body: "p"}, false), segment(file{name: "bin/x", body: "x"}, true)
	a := open(t, slices.Concat(sig, ctl, data))
	want := []string{"", "signature", "signature/.SIGN.RSA.key", "control", "control/.PKGINFO", "data", "data/bin/x"}
	if !slices.Equal(paths(a), want) || a.Root.Format != "alpine" || len(a.Hostile) != 0 {
		t.Fatalf("%q %q %v", paths(a), a.Root.Format, a.Hostile)
	}
	if a := open(t, slices.Concat(sig, ctl, data, data)); len(a.Hostile) == 0 {
		t.Fatal("a fourth gzip member was accepted")
	}
}

func TestDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(filepath.Join(dir, "bin"), 0o755))
	must(os.WriteFile(filepath.Join(dir, "bin/tool"), []byte("#!/bin/sh\n"), 0o755))
	must(os.WriteFile(filepath.Join(dir, "a.tgz"), gz(t, tarball(t, file{name: "x", body: "y"})), 0o644))
	must(os.Symlink("/etc/passwd", filepath.Join(dir, "link")))
	a := openPath(t, dir)
	if want := []string{"", "a.tgz", "a.tgz/x", "bin", "bin/tool", "link"}; !slices.Equal(paths(a), want) {
		t.Fatalf("%q", paths(a))
	}
	if m, _ := a.Find("link"); m.Type != artifact.Symlink || m.Link != "/etc/passwd" {
		t.Fatalf("%+v", m)
	}
	if content(t, a, "bin/tool") != "#!/bin/sh\n" || content(t, a, "a.tgz/x") != "y" {
		t.Fatal("content")
	}
	before := a.SHA256
	must(os.Chmod(filepath.Join(dir, "bin/tool"), 0o644))
	if openPath(t, dir).SHA256 == before {
		t.Fatal("the digest does not cover modes")
	}
	must(syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o644))
	_, err := artifact.Open(context.Background(), dir, artifact.Options{Dir: t.TempDir()})
	if err == nil || err.Error() != "fifo: unsupported type: FIFO" || fault.ClassOf(err) != fault.Failed {
		t.Fatalf("%v", err)
	}
}

func TestTreeDigestIsAsDocumented(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "a"), 0o640); err != nil {
		t.Fatal(err)
	}
	want := digest("glassbuild-tree-v1\nfile 0640 1 " + digest("x") + " a\x00")
	if got := openPath(t, dir).SHA256; got != want {
		t.Fatalf("%s, want %s", got, want)
	}
}

func TestCannotOpen(t *testing.T) {
	t.Parallel()
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o644); err != nil {
		t.Fatal(err)
	}
	for path, class := range map[string]fault.Class{fifo: fault.Failed, fifo + "-not": fault.Inconclusive} {
		_, err := artifact.Open(context.Background(), path, artifact.Options{Dir: t.TempDir()})
		if err == nil || fault.ClassOf(err) != class {
			t.Errorf("%s: %v", path, err)
		}
	}
	_, err := artifact.Open(context.Background(), fifo+"-not", artifact.Options{Dir: t.TempDir()})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("cause lost: %v", err)
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := write(t, gz(t, tarball(t, file{name: "a", body: "x"})))
	a, err := artifact.Open(context.Background(), path, artifact.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("replaced"), 0o644); err != nil {
		t.Fatal(err)
	}
	if content(t, a, "a") != "x" {
		t.Fatal("the path was opened again")
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := artifact.Open(ctx, path, artifact.Options{Dir: dir}); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Fatalf("left behind: %v", left)
	}
}
