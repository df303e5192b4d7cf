package builder

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/gomod"
	"github.com/glassbuild/glassbuild/internal/store"
)

func TestToolchain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish("1.26.4", map[string]string{"VERSION": "go1.26.4\n"})
	w.publish("1.26.5", toolchainFiles)
	root, err := w.prepare("1.26.5", w.options())
	if err != nil {
		t.Fatal(err)
	}
	l := root.Layers[0]
	if root.Kind != "go" || !root.Vouched || len(root.Digest) != 64 || l.Target != "/usr/local/go" || l.Digest != w.sums[moduleVersion("1.26.5")] ||
		root.Env["PATH"] != "/usr/local/go/bin" || root.Env["GOTOOLCHAIN"] != "local" {
		t.Errorf("%+v", root)
	}
	if v := l.Voucher; v.Kind != "checksum-database" || v.By != testDB || !strings.Contains(v.Detail, l.Digest) || len(v.Evidence[testDB+"/latest"]) == 0 {
		t.Errorf("%+v", v)
	}
	for name, text := range toolchainFiles {
		path := filepath.Join(l.Dir, name)
		st, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		want := fs.FileMode(0o444)
		if slices.Contains([]string{"bin/go", "bin/gofmt", "pkg/tool/linux_amd64/asm", "pkg/tool/linux_amd64/compile"}, name) {
			want = 0o555
		}
		if data, _ := os.ReadFile(path); string(data) != text || st.Mode() != want || !st.ModTime().Equal(fileTime) {
			t.Errorf("%s: %q, mode %v, time %v", name, data, st.Mode(), st.ModTime())
		}
	}
	if st, _ := os.Stat(filepath.Join(l.Dir, "bin")); st.Mode().Perm() != 0o555 {
		t.Errorf("folder has mode %v", st.Mode())
	}
	if n, left := w.trees(); n != 1 || len(left) > 0 {
		t.Errorf("%d trees, left over %q", n, left)
	}

	w.asked()
	offline := w.options()
	offline.Offline, offline.Remote = true, nil
	again, err := w.prepare("1.26.5", offline)
	if err != nil || again.Digest != root.Digest || len(w.asked()) > 0 {
		t.Errorf("offline: %+v %v", again, err)
	}
	other, err := w.prepare("1.26.4", w.options())
	if err != nil || other.Digest == root.Digest {
		t.Errorf("another version: %+v %v", other, err)
	}
}

func TestToolchainWithout(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish("1.26.5", toolchainFiles)
	whole, err := w.prepare("1.26.5", w.options())
	if err != nil {
		t.Fatal(err)
	}
	req := Request{Go: "1.26.5", Platform: testPlatform, Without: []string{"bin/gofmt", "pkg/tool/*/asm"}}
	for range 2 {
		root, err := Prepare(context.Background(), req, w.options())
		if err != nil {
			t.Fatal(err)
		}
		if root.Digest == whole.Digest || !root.Vouched || !strings.HasPrefix(root.Layers[0].Digest, "sha256:") {
			t.Errorf("%+v", root)
		}
		for name := range toolchainFiles {
			_, err := os.Lstat(filepath.Join(root.Layers[0].Dir, name))
			if left := name == "bin/gofmt" || name == "pkg/tool/linux_amd64/asm"; errors.Is(err, fs.ErrNotExist) != left {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	req.Without = []string{"["}
	if _, err := Prepare(context.Background(), req, w.options()); fault.ClassOf(err) != fault.Usage {
		t.Error(err)
	}
}

// TestUnavailable: what cannot be had is its own check, and never a failure.
func TestUnavailable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish("1.26.5", toolchainFiles)
	none := w.options()
	none.GoEnv.GOPROXY = ""
	direct := w.options()
	direct.GoEnv.GOPROXY = "direct," + w.server.URL
	private := w.options()
	private.GoEnv.GONOPROXY = "golang.org/*"
	offline := w.options()
	offline.Offline = true
	gone := w.options()
	gone.GoEnv.GOPROXY = "http://127.0.0.1:1"
	for _, c := range []struct {
		name, version, want string
		opts                Options
	}{
		{"no such version", "1.26.99", "go1.26.99: toolchain unavailable: the checksum database has no golang.org/toolchain v0.0.1-go1.26.99.linux-amd64", w.options()},
		{"no proxy", "1.26.5", "go1.26.5: toolchain unavailable: GOPROXY: the Go configuration names no module proxy", none},
		{"direct", "1.26.5", "go1.26.5: toolchain unavailable: the Go configuration names no module proxy", direct},
		{"kept from proxies", "1.26.5", "go1.26.5: toolchain unavailable: the Go configuration names no module proxy", private},
		{"offline", "1.26.5", "not fetched: working offline", offline},
		{"unreachable", "1.26.5", "go1.26.5: toolchain unavailable:", gone},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := w.prepare(c.version, c.opts)
			if err == nil || !strings.Contains(err.Error(), c.want) || fault.ClassOf(err) != fault.Inconclusive || fault.CheckOf(err) != CheckAvailable || fault.HintOf(err) == "" {
				t.Errorf("%v (class %v, check %q, hint %q)", err, fault.ClassOf(err), fault.CheckOf(err), fault.HintOf(err))
			}
		})
	}
	for _, version := range []string{"latest", "1", "1.26.5-rc1", "go1.26.5", "1.26.5/../x", "1.26.5\n"} {
		if _, err := w.prepare(version, w.options()); fault.ClassOf(err) != fault.Usage {
			t.Errorf("%q: %v", version, err)
		}
	}
	if _, err := Prepare(context.Background(), Request{}, w.options()); fault.ClassOf(err) != fault.Usage {
		t.Error(err)
	}
}

// TestOtherZip: a zip with other content than the database knows is a failure, and leaves nothing.
func TestOtherZip(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(map[string]string){
		"another byte": func(m map[string]string) { m["src/fmt/print.go"] = "package fmT\n" },
		"another file": func(m map[string]string) { m["src/fmt/evil.go"] = "package fmt\n" },
		"missing file": func(m map[string]string) { delete(m, "bin/gofmt") },
		"renamed file": func(m map[string]string) { m["bin/gofmt2"] = m["bin/gofmt"]; delete(m, "bin/gofmt") },
		"empty zip":    func(m map[string]string) { clear(m) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.publish("1.26.5", toolchainFiles)
			files := map[string]string{}
			for k, v := range toolchainFiles {
				files[k] = v
			}
			change(files)
			w.zips[moduleVersion("1.26.5")] = makeZip(t, "1.26.5", files)
			for _, off := range []gomod.Env{{GOSUMDB: "off"}, {GONOPROXY: "example.org"}, {GONOSUMDB: "*"}, {GOPRIVATE: "golang.org"}, {GOSUMDB: "a b c"}} {
				opts := w.options()
				off.GOPROXY = opts.GoEnv.GOPROXY
				opts.GoEnv = off
				_, err := w.prepare("1.26.5", opts)
				if err == nil || !strings.Contains(err.Error(), "but the checksum database says "+w.sums[moduleVersion("1.26.5")]) || fault.ClassOf(err) != fault.Failed {
					t.Errorf("%v", err)
				}
			}
			if n, left := w.trees(); n != 0 || len(left) > 0 {
				t.Errorf("%d trees, left over %q", n, left)
			}
		})
	}
}

func TestHostileZip(t *testing.T) {
	t.Parallel()
	prefix := toolchainModule + "@" + moduleVersion("1.26.5") + "/"
	link := func() []byte {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		h := &zip.FileHeader{Name: prefix + "bin/go"}
		h.SetMode(fs.ModeSymlink | 0o777)
		f, _ := z.CreateHeader(h)
		f.Write([]byte("/etc/passwd"))
		z.Close()
		return b.Bytes()
	}
	huge := func() []byte {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		f, _ := z.CreateRaw(&zip.FileHeader{Name: prefix + "a", UncompressedSize64: maxToolchainFile + 1, CompressedSize64: 1})
		f.Write([]byte("x"))
		z.Close()
		return b.Bytes()
	}
	lying := makeZip(t, "1.26.5", map[string]string{"a": strings.Repeat("a", 5000)})
	lying = bytes.ReplaceAll(lying, []byte{0x88, 0x13, 0, 0}, []byte{0x10, 0, 0, 0}) // 5000 bytes, says 16
	for _, c := range []struct {
		name, want string
		data       []byte
	}{
		{"climbs", "unsafe path", makeZip(t, "1.26.5", map[string]string{"../x": ""})},
		{"absolute", "unsafe path", makeZip(t, "1.26.5", map[string]string{"!/etc/passwd": ""})},
		{"outside the module", "unsafe path", makeZip(t, "1.26.5", map[string]string{"!golang.org/other@v1/x": ""})},
		{"other version", "unsafe path", makeZip(t, "1.26.4", toolchainFiles)},
		{"control characters", `unsafe path "golang.org/toolchain@v0.0.1-go1.26.5.linux-amd64/a\x1b[2J"`, makeZip(t, "1.26.5", map[string]string{"a\x1b[2J": ""})},
		{"folder", "unsafe path", makeZip(t, "1.26.5", map[string]string{"bin/": ""})},
		{"same but for letter case", "duplicate entry", makeZip(t, "1.26.5", map[string]string{"bin/go": "", "bin/GO": ""})},
		{"link", "is no regular file", link()},
		{"huge file", "exceeds limit", huge()},
		{"wrong size", "malformed toolchain zip", lying},
		{"no zip", "malformed toolchain zip", []byte("<html>not found</html>")},
		{"cut off", "malformed toolchain zip", makeZip(t, "1.26.5", toolchainFiles)[:500]},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.publish("1.26.5", toolchainFiles)
			w.zips[moduleVersion("1.26.5")] = c.data
			_, err := w.prepare("1.26.5", w.options())
			if err == nil || !strings.Contains(err.Error(), c.want) || fault.ClassOf(err) != fault.Failed || strings.Contains(err.Error(), "\x1b") {
				t.Errorf("%v (class %v)", err, fault.ClassOf(err))
			}
			if n, left := w.trees(); n != 0 || len(left) > 0 {
				t.Errorf("%d trees, left over %q", n, left)
			}
		})
	}
}

// TestChangedOnDisk: a kept toolchain that anything happened to is fetched anew, or is not used at all.
func TestChangedOnDisk(t *testing.T) {
	t.Parallel()
	writable := func(t *testing.T, dir, name string) string {
		path := filepath.Join(dir, name)
		os.Chmod(filepath.Dir(path), 0o755)
		os.Chmod(path, 0o644)
		return path
	}
	for name, change := range map[string]func(t *testing.T, tree string){
		"file": func(t *testing.T, tree string) {
			path := writable(t, tree, "root/src/fmt/print.go")
			os.WriteFile(path, []byte("package fmt // backdoor\n"), 0o644)
			os.Chmod(path, 0o444)
			os.Chtimes(path, fileTime, fileTime)
		},
		"same size and time": func(t *testing.T, tree string) {
			path := writable(t, tree, "root/bin/go")
			os.WriteFile(path, []byte("b program"), 0o644)
			os.Chmod(path, 0o555)
			os.Chtimes(path, fileTime, fileTime)
		},
		"mode": func(t *testing.T, tree string) { os.Chmod(filepath.Join(tree, "root/bin/go"), 0o755) },
		"set-uid": func(t *testing.T, tree string) {
			os.Chmod(filepath.Join(tree, "root/bin/go"), 0o555|fs.ModeSetuid)
		},
		"removed": func(t *testing.T, tree string) { os.Remove(writable(t, tree, "root/bin/gofmt")) },
		"added": func(t *testing.T, tree string) {
			os.Chmod(filepath.Join(tree, "root/src/fmt"), 0o755)
			os.WriteFile(filepath.Join(tree, "root/src/fmt/evil.go"), []byte("package fmt\n"), 0o444)
		},
		"link": func(t *testing.T, tree string) {
			path := writable(t, tree, "root/bin/go")
			os.Rename(path, filepath.Join(tree, "go"))
			os.Symlink(filepath.Join(tree, "go"), path)
		},
		"linked folder": func(t *testing.T, tree string) {
			os.Chmod(filepath.Join(tree, "root"), 0o755)
			os.Rename(filepath.Join(tree, "root/bin"), filepath.Join(tree, "bin"))
			os.Symlink(filepath.Join(tree, "bin"), filepath.Join(tree, "root/bin"))
		},
		"manifest": func(t *testing.T, tree string) {
			os.WriteFile(writable(t, tree, "manifest"), []byte(""), 0o644)
		},
		"manifest line": func(t *testing.T, tree string) {
			data, _ := os.ReadFile(filepath.Join(tree, "manifest"))
			os.WriteFile(writable(t, tree, "manifest"), append(data, data[:100]...), 0o644)
		},
		"evidence": func(t *testing.T, tree string) {
			os.WriteFile(writable(t, tree, "evidence.json"), []byte("{}"), 0o644)
		},
		"no evidence":  func(t *testing.T, tree string) { os.Remove(filepath.Join(tree, "evidence.json")) },
		"nothing left": func(t *testing.T, tree string) { store.RemoveAll(filepath.Join(tree, "root")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.publish("1.26.5", toolchainFiles)
			root, err := w.prepare("1.26.5", w.options())
			if err != nil {
				t.Fatal(err)
			}
			change(t, filepath.Dir(root.Layers[0].Dir))
			offline := w.options()
			offline.Offline = true
			if _, err := w.prepare("1.26.5", offline); err == nil || fault.ClassOf(err) != fault.Inconclusive || !strings.Contains(err.Error(), "was changed on disk") {
				t.Errorf("offline: %v", err)
			}
			again, err := w.prepare("1.26.5", w.options())
			if err != nil || again.Digest != root.Digest {
				t.Fatalf("online: %v", err)
			}
			if data, _ := os.ReadFile(filepath.Join(again.Layers[0].Dir, "bin/go")); string(data) != toolchainFiles["bin/go"] {
				t.Errorf("content %q", data)
			}
		})
	}
}

func TestConcurrentPreparations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish("1.26.5", toolchainFiles)
	var wg sync.WaitGroup
	digests := make([]string, 4)
	for i := range digests {
		wg.Go(func() {
			root, err := w.prepare("1.26.5", w.options())
			if err != nil {
				t.Error(err)
				return
			}
			digests[i] = root.Digest
		})
	}
	wg.Wait()
	if len(slices.Compact(digests)) != 1 {
		t.Errorf("digests %q", digests)
	}
	if n, left := w.trees(); n != 1 || len(left) > 0 {
		t.Errorf("%d trees, left over %q", n, left)
	}
}

func TestCancelledPreparation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish("1.26.5", toolchainFiles)
	ctx, cancel := context.WithCancel(context.Background())
	w.intercept = func(rw http.ResponseWriter, path string) bool {
		if strings.HasSuffix(path, ".zip") {
			cancel()
			<-ctx.Done()
		}
		return false
	}
	_, err := Prepare(ctx, Request{Go: "1.26.5", Platform: testPlatform}, w.options())
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if n, left := w.trees(); n != 0 || len(left) > 0 {
		t.Errorf("%d trees, left over %q", n, left)
	}
}

// TestProxyOrder follows https://go.dev/ref/mod#environment-variables, GOPROXY: a comma falls through only where something is
// not there, a pipe after every error.
func TestProxyOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish("1.26.5", toolchainFiles)
	empty := newWorld(t)
	empty.intercept = func(rw http.ResponseWriter, path string) bool { rw.WriteHeader(http.StatusGone); return true }
	broken := newWorld(t)
	broken.intercept = func(rw http.ResponseWriter, path string) bool { rw.WriteHeader(http.StatusForbidden); return true }
	folder := t.TempDir()
	dir := filepath.Join(folder, toolchainModule, "@v")
	os.MkdirAll(dir, 0o755)
	os.WriteFile(filepath.Join(dir, moduleVersion("1.26.5")+".zip"), w.zips[moduleVersion("1.26.5")], 0o644)
	for _, c := range []struct {
		name string
		env  gomod.Env
		ok   bool
	}{
		{"second after not there", gomod.Env{GOPROXY: empty.server.URL + "," + w.server.URL}, true},
		{"second after an error", gomod.Env{GOPROXY: broken.server.URL + "," + w.server.URL}, false},
		{"second after any error", gomod.Env{GOPROXY: broken.server.URL + "|" + w.server.URL}, true},
		{"white space and empty entries", gomod.Env{GOPROXY: " ,, " + w.server.URL + " ,off"}, true},
		{"nothing after off", gomod.Env{GOPROXY: "off," + w.server.URL}, false},
		{"folder, database by address", gomod.Env{GOPROXY: "file://" + folder, GOSUMDB: "anything " + w.server.URL + "/sumdb/" + testDB}, true},
		{"folder that has nothing", gomod.Env{GOPROXY: "file://" + t.TempDir(), GOSUMDB: "anything " + w.server.URL + "/sumdb/" + testDB}, false},
		{"user information", gomod.Env{GOPROXY: strings.Replace(w.server.URL, "//", "//user:secret@", 1)}, false},
		{"other scheme", gomod.Env{GOPROXY: "ext::sh -c x"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			opts := w.options()
			opts.Store = newStore(t)
			opts.GoEnv = c.env
			root, err := w.prepare("1.26.5", opts)
			if (err == nil) != c.ok {
				t.Errorf("%+v %v", root, err)
			}
			if err != nil && (strings.Contains(err.Error(), "secret") || fault.ClassOf(err) == fault.Failed) {
				t.Errorf("%v (class %v)", err, fault.ClassOf(err))
			}
		})
	}
}

func TestFileTimeIsValidInZip(t *testing.T) {
	t.Parallel()
	if !fileTime.Equal(time.Unix(315532800, 0)) {
		t.Error(fileTime)
	}
}
