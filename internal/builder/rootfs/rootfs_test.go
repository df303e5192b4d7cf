package rootfs

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/archive"
	"github.com/glassbuild/glassbuild/internal/fault"
)

// member is one member of an archive: a folder ends in a slash, a link has a target, "=" before it is a hard link.
type member struct {
	name, text, link string
	mode             int64
	xattr            string
}

func pack(t *testing.T, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range members {
		h := &tar.Header{Name: m.name, Mode: m.mode, Typeflag: tar.TypeReg, Size: int64(len(m.text)), ModTime: time.Unix(1e9, 0), Uid: 7, Gid: 8, Format: tar.FormatPAX}
		if m.mode == 0 {
			h.Mode = 0o644
		}
		if hard, ok := strings.CutPrefix(m.link, "="); ok {
			h.Typeflag, h.Linkname = tar.TypeLink, hard
		} else if m.link != "" {
			h.Typeflag, h.Linkname = tar.TypeSymlink, m.link
		} else if strings.HasSuffix(m.name, "/") {
			h.Typeflag = tar.TypeDir
			if m.mode == 0 {
				h.Mode = 0o755
			}
		}
		if m.xattr != "" {
			h.PAXRecords = map[string]string{"SCHILY.xattr.security.capability": m.xattr}
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, m.text)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// layers lays archives over each other as an image, or as packages a, b, c ….
func lay(t *testing.T, image bool, archives ...[]byte) (dir string, m *Manifest, err error) {
	t.Helper()
	base := t.TempDir()
	stage, err := NewStage(filepath.Join(base, "stage"))
	if err != nil {
		t.Fatal(err)
	}
	tree := NewTree()
	for i, data := range archives {
		list, err := stage.Read(context.Background(), archive.NewTar(bytes.NewReader(data), archive.NewMeter("test", int64(len(data)), archive.Limits{})))
		if err != nil {
			return "", nil, err
		}
		for _, e := range list {
			if image {
				err = tree.Layer("", e)
			} else {
				err = tree.Install(string(rune('a'+i)), e, func(name, old, new string) (bool, error) {
					return new == "c", nil // c replaces everything
				})
			}
			if err != nil {
				return "", nil, err
			}
		}
	}
	dir = filepath.Join(base, "root")
	m, err = tree.Write(context.Background(), dir)
	if err == nil {
		err = stage.Close()
	}
	return dir, m, err
}

func TestInstallAndLayer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		image    bool
		archives [][]member
		path     string // that is looked at
		want     string // content, "-> target", "folder", "absent"
	}{
		{"file", false, [][]member{{{name: "./usr/bin/x", text: "1"}}}, "usr/bin/x", "1"},
		{"same file twice", false, [][]member{{{name: "x", text: "1"}}, {{name: "x", text: "1"}}}, "x", "1"},
		{"kept", false, [][]member{{{name: "x", text: "1"}}, {{name: "x", text: "2"}}}, "x", "1"},
		{"replaced", false, [][]member{{{name: "x", text: "1"}}, nil, {{name: "x", text: "3"}}}, "x", "3"},
		{"through a link of another package", false, [][]member{{{name: "lib", link: "usr/lib"}, {name: "usr/lib/"}}, {{name: "lib/x", text: "1"}}}, "usr/lib/x", "1"},
		{"through an absolute link", false, [][]member{{{name: "a/b", link: "/usr/c"}, {name: "usr/c/"}}, {{name: "a/b/x", text: "1"}}}, "usr/c/x", "1"},
		{"folder where a link to one is", false, [][]member{{{name: "lib", link: "usr/lib"}, {name: "usr/lib/"}}, {{name: "lib/"}}}, "lib", "-> usr/lib"},
		{"link where a folder is", false, [][]member{{{name: "d/"}}, {{name: "d", link: "x"}}}, "d", "folder"},
		{"the new layer counts", true, [][]member{{{name: "x", text: "1"}}, {{name: "x", text: "2"}}}, "x", "2"},
		{"file over a folder", true, [][]member{{{name: "x/y", text: "1"}}, {{name: "x", text: "2"}}}, "x", "2"},
		{"folder over a folder", true, [][]member{{{name: "x/y", text: "1"}}, {{name: "x/", mode: 0o711}}}, "x/y", "1"},
		{"folder over a link", true, [][]member{{{name: "x", link: "y"}, {name: "y/z", text: "1"}}, {{name: "x/"}}}, "x", "folder"},
		{"hard link", true, [][]member{{{name: "x", text: "1"}, {name: "y", link: "=x"}}, {{name: "x", text: "2"}}}, "y", "1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var archives [][]byte
			for _, a := range c.archives {
				archives = append(archives, pack(t, a...))
			}
			dir, m, err := lay(t, c.image, archives...)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			at := filepath.Join(dir, c.path)
			if st, err := os.Lstat(at); err != nil {
				got = "absent"
			} else if st.IsDir() {
				got = "folder"
			} else if st.Mode()&os.ModeSymlink != 0 {
				target, _ := os.Readlink(at)
				got = "-> " + target
			} else {
				data, _ := os.ReadFile(at)
				got = string(data)
			}
			if got != c.want {
				t.Errorf("%s, want %s\n%s", got, c.want, m.Text())
			}
			if err := m.Verify(context.Background(), dir); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestHostileArchives(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	for _, c := range []struct {
		name     string
		archives [][]member
		want     string
	}{
		{"climbs", [][]member{{{name: "../x", text: "1"}}}, "unsafe path"},
		{"absolute", [][]member{{{name: outside + "/x", text: "1"}}}, "unsafe path"},
		{"through its own link", [][]member{{{name: "l", link: outside}, {name: "l/x", text: "1"}}}, "path through symlink"},
		{"through a link that climbs", [][]member{{{name: "l", link: "../../" + outside}}, {{name: "l/x", text: "1"}}}, "link escapes"},
		{"round in circles", [][]member{{{name: "a", link: "b"}, {name: "b", link: "a"}}, {{name: "a/x", text: "1"}}}, "too many links"},
		{"growing", [][]member{{{name: "a", link: "a/a/a/a/a/a/a/a"}}, {{name: "a/x", text: "1"}}}, "too many links"},
		{"through a file", [][]member{{{name: "f", text: "1"}}, {{name: "f/x", text: "1"}}}, "path through a file"},
		{"hard link outside", [][]member{{{name: "x", link: "=/etc/passwd"}}}, "link escapes"},
		{"hard link to another archive's file", [][]member{{{name: "x", text: "1"}}, {{name: "y", link: "=x"}}}, "link escapes"},
		{"hard link to a link", [][]member{{{name: "x", link: "/etc/passwd"}, {name: "y", link: "=x"}}}, "link escapes"},
		{"twice", [][]member{{{name: "x", text: "1"}, {name: "./x", text: "2"}}}, "duplicate entry"},
		{"too deep", [][]member{{{name: strings.Repeat("d/", maxDepth+2) + "x", text: "1"}}}, "nested deeper"},
	} {
		for _, image := range []bool{false, true} {
			var archives [][]byte
			for _, a := range c.archives {
				archives = append(archives, pack(t, a...))
			}
			_, _, err := lay(t, image, archives...)
			if err == nil || !strings.Contains(err.Error(), c.want) || fault.ClassOf(err) != fault.Failed {
				t.Errorf("%s (image %v): %v", c.name, image, err)
			}
		}
	}
	if names, _ := os.ReadDir(outside); len(names) > 0 {
		t.Errorf("%s was written outside", names[0].Name())
	}
	// a link that leads out of the root, followed by nobody, is text
	if dir, _, err := lay(t, false, pack(t, member{name: "l", link: "../../etc/passwd"})); err != nil {
		t.Error(err)
	} else if target, _ := os.Readlink(filepath.Join(dir, "l")); target != "../../etc/passwd" {
		t.Error(target)
	}
}

func TestDevicesAreRefused(t *testing.T) {
	t.Parallel()
	for _, flag := range []byte{tar.TypeChar, tar.TypeBlock, tar.TypeFifo} {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		if err := w.WriteHeader(&tar.Header{Name: "dev/x", Typeflag: flag, Devmajor: 1, Devminor: 3}); err != nil {
			t.Fatal(err)
		}
		w.Close()
		if _, _, err := lay(t, true, b.Bytes()); err == nil || !strings.Contains(err.Error(), "unsupported type") {
			t.Errorf("%c: %v", flag, err)
		}
	}
}

// Rights stay in the manifest and never reach the disk; the same archives give the same digest.
func TestRightsAreMetadata(t *testing.T) {
	t.Parallel()
	data := pack(t, member{name: "bin/"}, member{name: "bin/su", text: "x", mode: 0o4755, xattr: "\x01\x00"}, member{name: "etc/shadow", text: "y", mode: 0o040}, member{name: "bin/sg", link: "=bin/su"})
	dir, m, err := lay(t, true, data)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{"bin/su": 0o755, "etc/shadow": 0o440} {
		if st, err := os.Lstat(filepath.Join(dir, name)); err != nil || st.Mode() != want {
			t.Errorf("%s: %v, %v", name, st.Mode(), err)
		}
	}
	text := string(m.Text())
	for _, want := range []string{"f 4755 7 8 1000000000 1 ", `"security.capability"=0100`, `h "bin/sg" "bin/su"`, `f 0040 7 8`} {
		if !strings.Contains(text, want) && !strings.Contains(text, strings.ReplaceAll(want, `"bin/sg" "bin/su"`, `"bin/su" "bin/sg"`)) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	_, again, err := lay(t, true, data)
	if err != nil || again.Digest() != m.Digest() {
		t.Errorf("%s and %s, %v", m.Digest(), again.Digest(), err)
	}
	parsed, err := ParseManifest(m.Text())
	if err != nil || parsed.Digest() != m.Digest() {
		t.Fatal(err)
	}
	if err := parsed.Verify(context.Background(), dir); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "d 0755 0 0 0 \"..\"\n", "x\n", "d 0755 0 0 0 \".\"\nf 0644 0 0 0 1 " + strings.Repeat("0", 64) + " \"../x\"\n"} {
		if _, err := ParseManifest([]byte(bad)); err == nil {
			t.Errorf("parsed %q", bad)
		}
	}
}

func TestVerifySeesEveryChange(t *testing.T) {
	t.Parallel()
	archives := []member{{name: "d/"}, {name: "d/f", text: "content"}, {name: "d/g", link: "=d/f"}, {name: "l", link: "d"}, {name: "e/"}}
	for name, change := range map[string]func(dir string) error{
		"content": func(dir string) error {
			st, _ := os.Stat(dir + "/d/f")
			return errors.Join(os.WriteFile(dir+"/d/f", []byte("Content"), 0o644), os.Chtimes(dir+"/d/f", st.ModTime(), st.ModTime()))
		},
		"time":        func(dir string) error { return os.Chtimes(dir+"/d/f", time.Time{}, time.Now()) },
		"mode":        func(dir string) error { return os.Chmod(dir+"/d/f", 0o755) },
		"folder mode": func(dir string) error { return os.Chmod(dir+"/e", 0o777) },
		"missing":     func(dir string) error { return os.Remove(dir + "/d/g") },
		"extra":       func(dir string) error { return os.WriteFile(dir+"/e/x", nil, 0o644) },
		"link":        func(dir string) error { return errors.Join(os.Remove(dir+"/l"), os.Symlink("e", dir+"/l")) },
		"link for file": func(dir string) error {
			return errors.Join(os.Rename(dir+"/d/f", dir+"/../f"), os.Symlink(dir+"/../f", dir+"/d/f"))
		},
		"folder for link": func(dir string) error { return errors.Join(os.Remove(dir+"/l"), os.Mkdir(dir+"/l", 0o755)) },
		"hard link split": func(dir string) error {
			return errors.Join(os.Remove(dir+"/d/g"), os.WriteFile(dir+"/d/g", []byte("content"), 0o644))
		},
	} {
		dir, m, err := lay(t, true, pack(t, archives...))
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Verify(context.Background(), dir); err != nil {
			t.Fatal(err)
		}
		if err := change(dir); err != nil {
			t.Fatal(err)
		}
		if m.Verify(context.Background(), dir) == nil {
			t.Errorf("%s: not seen", name)
		}
	}
}

func TestRemove(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	stage, err := NewStage(filepath.Join(base, "stage"))
	if err != nil {
		t.Fatal(err)
	}
	tree := NewTree()
	data := pack(t, member{name: "a/b/c", text: "1"}, member{name: "a/d", text: "2"}, member{name: "l", link: "a"}, member{name: "x", text: "3"})
	list, err := stage.Read(context.Background(), archive.NewTar(bytes.NewReader(data), archive.NewMeter("t", 1<<20, archive.Limits{})))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if err := tree.Layer("", e); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(tree.Remove("l/b"), tree.Remove("nothing/here"), tree.Empty("nothing"), tree.Remove("x")); err != nil {
		t.Fatal(err)
	}
	m, err := tree.Write(context.Background(), filepath.Join(base, "root"))
	if err != nil {
		t.Fatal(err)
	}
	if text := string(m.Text()); strings.Count(text, "\n") != 4 || tree.count != 3 {
		t.Errorf("%d\n%s", tree.count, text)
	}
	if err := tree.Empty("."); err != nil || tree.count != 0 {
		t.Errorf("%d, %v", tree.count, err)
	}
}

// FuzzManifest: what parses prints itself again, and names nothing outside.
func FuzzManifest(f *testing.F) {
	f.Add("d 0755 0 0 0 \".\"\nl 0 0 0 \"a b\" \"c\"\nh \"x\" \"y\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := ParseManifest([]byte(text))
		if err != nil {
			return
		}
		if strings.TrimSuffix(text, "\n") != strings.TrimSuffix(string(m.Text()), "\n") {
			t.Errorf("%q became %q", text, m.Text())
		}
		for _, it := range m.items {
			if !filepath.IsLocal(it.name) {
				t.Errorf("%q", it.name)
			}
		}
	})
}
