package vectors

import (
	"archive/zip"
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// hostile is a repository that somebody has prepared. Objects are written as loose ones, whatever is in them.
type hostile struct {
	t   *testing.T
	dir string
}

func (h *hostile) git(args ...string) string {
	h.t.Helper()
	cmd := exec.Command("git", append([]string{"-C", h.dir}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/nonexistent", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b")
	out, err := cmd.CombinedOutput()
	if err != nil {
		h.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (h *hostile) put(name, text string) {
	h.t.Helper()
	path := filepath.Join(h.dir, ".git", filepath.FromSlash(name))
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		os.Remove(path) // objects cannot be written to
		err = os.WriteFile(path, []byte(text), 0o644)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *hostile) loose(id, content string) {
	h.t.Helper()
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	w.Write([]byte(content))
	w.Close()
	h.put("objects/"+id[:2]+"/"+id[2:], b.String())
}

// object writes an object and returns its id.
func (h *hostile) object(kind, content string) string {
	h.t.Helper()
	whole := fmt.Sprintf("%s %d\x00%s", kind, len(content), content)
	sum := sha1.Sum([]byte(whole))
	id := hex.EncodeToString(sum[:])
	h.loose(id, whole)
	return id
}

func bin(id string) string { b, _ := hex.DecodeString(id); return string(b) }

// commit commits a tree, or what else stands before the author, and lets main reach it.
func (h *hostile) commit(head string) string {
	h.t.Helper()
	if len(head) == 40 {
		head = "tree " + head + "\n"
	}
	id := h.object("commit", head+"author A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nm\n")
	h.put("refs/heads/main", id+"\n")
	return id
}

// tree commits a tree of entries: mode, name and content in turn. Content of a directory is one file.
func (h *hostile) tree(entries ...string) string {
	h.t.Helper()
	var b strings.Builder
	for i := 0; i < len(entries); i += 3 {
		mode, name, content := entries[i], entries[i+1], entries[i+2]
		id := content
		switch mode {
		case "160000":
		case "40000":
			id = h.object("tree", "100644 f\x00"+bin(h.object("blob", content)))
		default:
			id = h.object("blob", content)
		}
		b.WriteString(mode + " " + name + "\x00" + bin(id))
	}
	return h.commit(h.object("tree", b.String()))
}

// submodule commits a submodule with that .gitmodules.
func (h *hostile) submodule(text string) string {
	h.t.Helper()
	return h.tree("100644", ".gitmodules", text, "160000", "sub", strings.Repeat("11", 20))
}

// lyingIndex packs two files and exchanges their places in the index.
func (h *hostile) lyingIndex() string {
	h.t.Helper()
	id := h.tree("100644", "a", "what was reviewed", "100644", "b", "what is to be built")
	h.git("repack", "-adq", "--depth=0")
	h.git("prune-packed", "-q")
	names, err := filepath.Glob(filepath.Join(h.dir, ".git/objects/pack/*.idx"))
	if err != nil || len(names) != 1 {
		h.t.Fatal(names, err)
	}
	data, err := os.ReadFile(names[0])
	if err != nil {
		h.t.Fatal(err)
	}
	const objects, firstName = 4, 8 + 1024
	at := func(content string) []byte {
		sum := sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(content), content))
		for i := range objects {
			if bytes.Equal(data[firstName+20*i:][:20], sum[:]) {
				return data[firstName+24*objects+4*i:][:4]
			}
		}
		h.t.Fatal("not in the index")
		return nil
	}
	a, b := at("what was reviewed"), at("what is to be built")
	old := slices.Clone(a)
	copy(a, b)
	copy(b, old)
	h.put("objects/pack/"+filepath.Base(names[0]), string(data))
	return id
}

// bomb commits a file whose stream says that it holds a gigabyte and more.
func (h *hostile) bomb() string {
	h.t.Helper()
	blob := strings.Repeat("5b", 20)
	h.loose(blob, "blob 2147483648\x00"+strings.Repeat("\x00", 1<<20))
	return h.commit(h.object("tree", "100644 a\x00"+bin(blob)))
}

// TestSource runs `glassbuild source` on one prepared repository for each row of the corpus. Row 30, an attack on SHA-1, has none: no
// colliding objects are known; internal/source/gitobj tests what a hash that finds one leads to.
func TestSource(t *testing.T) {
	t.Parallel()
	bin := program(t)
	sub := "[submodule \"%s\"]\n\tpath = %s\n\turl = %s\n"
	for _, v := range []struct {
		row, name string
		make      func(h *hostile) string
		exit      int
		text      string
	}{
		{"17", "a loose object that is another one", func(h *hostile) string {
			id := h.tree("100644", "a", "reviewed")
			h.loose(h.object("blob", "reviewed"), "blob 5\x00built")
			return id
		}, 1, "content hash differs"},
		{"18", "an index that lies", (*hostile).lyingIndex, 1, "content hash differs"},
		{"19", "a size that is not the object's", func(h *hostile) string {
			id := h.tree("100644", "a", "reviewed")
			h.loose(h.object("blob", "reviewed"), "blob 9\x00reviewed")
			return id
		}, 1, "size mismatch"},
		{"20", "two trees", func(h *hostile) string {
			tree := "tree " + h.object("tree", "") + "\n"
			return h.commit(tree + tree)
		}, 1, "ambiguous commit"},
		{"20", "a parent twice", func(h *hostile) string {
			p := "parent " + h.tree() + "\n"
			return h.commit("tree " + h.object("tree", "") + "\n" + p + p)
		}, 1, "ambiguous commit"},
		{"20", "two signatures", func(h *hostile) string {
			id := h.object("commit", "tree "+h.object("tree", "")+"\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\ngpgsig x\ngpgsig y\n\nm\n")
			h.put("refs/heads/main", id+"\n")
			return id
		}, 1, "ambiguous commit"},
		{"21", ".git", func(h *hostile) string { return h.tree("40000", ".git", "x") }, 1, "forbidden name"},
		{"21", ".GIT", func(h *hostile) string { return h.tree("40000", ".GIT", "x") }, 1, "forbidden name"},
		{"21", "git~1", func(h *hostile) string { return h.tree("40000", "git~1", "x") }, 1, "forbidden name"},
		{"21", "ignored by HFS", func(h *hostile) string { return h.tree("40000", ".g\u200cit", "x") }, 1, "forbidden name"},
		{"22", "a slash", func(h *hostile) string { return h.tree("100644", "a/b", "x") }, 1, "invalid tree entry"},
		{"22", "dot dot", func(h *hostile) string { return h.tree("40000", "..", "x") }, 1, "invalid tree entry"},
		{"22", "no name", func(h *hostile) string { return h.tree("100644", "", "x") }, 1, "invalid tree entry"},
		{"22", "control characters", func(h *hostile) string { return h.tree("100644", "a\x1b[2J", "x") }, 1, "invalid tree entry"},
		{"23", "one name twice", func(h *hostile) string { return h.tree("100644", "a", "x", "100644", "a", "y") }, 1, "colliding names"},
		{"23", "letter case", func(h *hostile) string { return h.tree("100644", "A", "x", "100644", "a", "y") }, 1, "colliding names"},
		{"23", "two ways to write é", func(h *hostile) string { return h.tree("100644", "e\u0301", "x", "100644", "\u00e9", "y") }, 1, "colliding names"},
		{"24", "out of order", func(h *hostile) string { return h.tree("100644", "b", "x", "100644", "a", "y") }, 1, "malformed tree"},
		{"24", "an odd mode", func(h *hostile) string { return h.tree("100664", "a", "x") }, 1, "malformed tree"},
		{"25", "a link with something below it", func(h *hostile) string {
			return h.tree("120000", "a", "/etc", "100644", "a-b", "x", "40000", "a", "x")
		}, 1, "path through symlink"},
		{"26", "a link out of the tree", func(h *hostile) string { return h.tree("120000", "a", "../../etc/passwd") }, 1, "link escapes tree"},
		{"26", "an absolute link", func(h *hostile) string { return h.tree("120000", "a", "/etc/passwd") }, 1, "link escapes tree"},
		{"27", "a submodule that nobody declared", func(h *hostile) string { return h.tree("160000", "sub", strings.Repeat("11", 20)) }, 1, "submodule not declared"},
		{"28", "an option as URL", func(h *hostile) string { return h.submodule(fmt.Sprintf(sub, "s", "sub", "-u./x")) }, 1, "unsafe submodule"},
		{"28", "a name that climbs", func(h *hostile) string {
			return h.submodule(fmt.Sprintf(sub, "../x", "sub", "https://example.org/x"))
		}, 1, "unsafe submodule"},
		{"28", "a carriage return in the path", func(h *hostile) string {
			return h.submodule(fmt.Sprintf(sub, "s", "\"sub\r\"", "https://example.org/x"))
		}, 1, "unsafe submodule"},
		{"29", "a ref that climbs", func(h *hostile) string {
			id := h.tree("100644", "a", "x")
			h.put("packed-refs", id+" refs/heads/../../config\n")
			return id
		}, 1, "invalid ref"},
		{"31", "alternates", func(h *hostile) string {
			id := h.tree("100644", "a", "x")
			h.put("objects/info/alternates", "/elsewhere\n")
			return id
		}, 3, "repository redirects elsewhere"},
		{"31", "grafts", func(h *hostile) string {
			id := h.tree("100644", "a", "x")
			h.put("info/grafts", id+"\n")
			return id
		}, 3, "repository redirects elsewhere"},
		{"31", "replace refs", func(h *hostile) string {
			id := h.tree("100644", "a", "x")
			h.put("refs/replace/"+id, id+"\n")
			return id
		}, 3, "repository redirects elsewhere"},
		{"32", "an inflate bomb", (*hostile).bomb, 1, "exceeds limit"},
		{"33", "objects named with SHA-256", func(h *hostile) string {
			os.RemoveAll(h.dir)
			if out, err := exec.Command("git", "init", "-q", "--object-format=sha256", h.dir).CombinedOutput(); err != nil {
				h.t.Fatalf("%v\n%s", err, out)
			}
			h.git("commit", "-q", "--allow-empty", "-m", "m")
			return h.git("rev-parse", "HEAD")
		}, 0, "SOURCE DEMANDS HOLD"},
		{"35", "a commit that is not there", func(h *hostile) string { h.tree("100644", "a", "x"); return strings.Repeat("1", 40) }, 3, "commit not found"},
	} {
		t.Run(v.row+" "+v.name, func(t *testing.T) {
			t.Parallel()
			h := &hostile{t, filepath.Join(t.TempDir(), "repo")}
			if out, err := exec.Command("git", "init", "-q", "-b", "main", h.dir).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			look(t, bin, h.dir, v.make(h), v.exit, v.text)
		})
	}
}

// look runs the program with a policy that takes no odd tree.
func look(t *testing.T, bin, repo, commit string, exit int, text string, env ...string) {
	t.Helper()
	policy := filepath.Join(t.TempDir(), "policy.toml")
	if err := os.WriteFile(policy, []byte("format = 1\n[source]\nescaping-links = \"fail\"\ncolliding-names = \"fail\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "source", commit, "--repo", repo, "--policy", policy)
	cmd.Env = append(os.Environ(), append(env, "XDG_CACHE_HOME="+t.TempDir())...)
	out, err := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); got != exit {
		t.Errorf("exit code %d, want %d (%v)\n%s", got, exit, err, out)
	}
	if !bytes.Contains(out, []byte(text)) {
		t.Errorf("want %q in\n%s", text, out)
	}
	if bytes.ContainsAny(out, "\x1b\x07\r") {
		t.Errorf("control characters are printed: %q", out)
	}
}

// TestSourceServers is about rows that need a server: 33, which holds since such repositories are read, and 36.
func TestSourceServers(t *testing.T) {
	t.Parallel()
	bin := program(t)
	server := func(t *testing.T, handler http.Handler) (url, authority string) {
		s := httptest.NewTLSServer(handler)
		t.Cleanup(s.Close)
		authority = filepath.Join(t.TempDir(), "ca.pem")
		text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
		if err := os.WriteFile(authority, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return s.URL, "SSL_CERT_FILE=" + authority
	}
	t.Run("33 objects named with SHA-256", func(t *testing.T) {
		t.Parallel()
		execPath, err := exec.Command("git", "--exec-path").Output()
		if err != nil {
			t.Fatal(err)
		}
		backend := filepath.Join(strings.TrimSpace(string(execPath)), "git-http-backend")
		if _, err := os.Stat(backend); err != nil {
			t.Skip("git-http-backend is not installed")
		}
		root := t.TempDir()
		h := &hostile{t, filepath.Join(root, "repo")}
		if out, err := exec.Command("git", "init", "-q", "--object-format=sha256", h.dir).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		h.git("commit", "-q", "--allow-empty", "-m", "m")
		url, authority := server(t, &cgi.Handler{Path: backend, Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1",
			"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"}})
		look(t, bin, url+"/repo/.git", h.git("rev-parse", "HEAD"), 0, "SOURCE DEMANDS HOLD", authority)
	})
	t.Run("36 another host", func(t *testing.T) {
		t.Parallel()
		url, authority := server(t, http.RedirectHandler("https://example.org/x", http.StatusFound))
		look(t, bin, url+"/repo.git", strings.Repeat("1", 40), 3, "refused redirect", authority)
		look(t, bin, url+"/repo.git", strings.Repeat("1", 64), 3, "refused redirect", authority)
	})
	t.Run("36 without encryption", func(t *testing.T) {
		t.Parallel()
		var plain string
		url, authority := server(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, plain, http.StatusFound) }))
		plain = strings.Replace(url, "https:", "http:", 1)
		look(t, bin, url+"/repo.git", strings.Repeat("1", 40), 3, "refused redirect", authority)
	})
	t.Run("35 a server without it", func(t *testing.T) {
		t.Parallel()
		url, authority := server(t, http.NotFoundHandler())
		look(t, bin, url+"/repo.git", strings.Repeat("1", 40), 3, "repository not found", authority)
	})
}

// TestPointers is row 34: what is built needs its content. A module zip of such a commit is what shows it without a build.
func TestPointers(t *testing.T) {
	t.Parallel()
	bin := program(t)
	h := &hostile{t, filepath.Join(t.TempDir(), "repo")}
	if out, err := exec.Command("git", "init", "-q", "-b", "main", h.dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	digest := strings.Repeat("ab", 32)
	id := h.tree("100644", ".gitattributes", "*.bin filter=lfs\n", "100644", "big.bin", "version https://git-lfs.github.com/spec/v1\noid sha256:"+digest+"\nsize 12345\n",
		"100644", "go.mod", "module example.com/m\n")
	look(t, bin, h.dir, id, 0, "content-not-in-git")
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	f, err := w.Create("example.com/m@v1.0.0/go.mod")
	if err == nil {
		_, err = f.Write([]byte("module example.com/m\n"))
	}
	if err == nil {
		err = w.Close()
	}
	shipped := filepath.Join(t.TempDir(), "m.zip")
	if err == nil {
		err = os.WriteFile(shipped, b.Bytes(), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "verify", shipped, "--repo", h.dir, "--commit", id, "--offline")
	cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+t.TempDir())
	out, _ := cmd.CombinedOutput()
	if want := "big.bin: content not in git: large file " + digest + " of 12345 bytes"; cmd.ProcessState.ExitCode() != 3 || !bytes.Contains(out, []byte(want)) {
		t.Errorf("exit code %d, want 3 and %q in\n%s", cmd.ProcessState.ExitCode(), want, out)
	}
}
