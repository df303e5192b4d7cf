package source

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/remote"
)

// largeStore is a git LFS server.
type largeStore struct {
	mu       sync.Mutex
	files    map[string]string // by SHA-256
	batches  []string          // "METHOD PATH Authorization objects" of each request for actions
	requests []string          // "PATH Authorization X-Token" of each request for a file
	answer   func(object map[string]any, oid string)
	batch    func(answer map[string]any) any
	href     func(oid string) string
	busy     int // requests that are answered 503
}

func (s *largeStore) note(list *[]string, words ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*list = append(*list, fmt.Sprint(words...))
}

func (s *largeStore) taken() (batches, requests []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	batches, requests = s.batches, s.requests
	s.batches, s.requests = nil, nil
	return
}

func (s *largeStore) isBusy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy--
	return s.busy >= 0
}

func (s *largeStore) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if s.isBusy() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if oid, ok := strings.CutPrefix(req.URL.Path, "/content/"); ok {
		s.note(&s.requests, req.URL.Path, " ", req.Header.Get("Authorization"), " ", req.Header.Get("X-Token"))
		content, ok := s.files[oid]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
		}
		io.WriteString(w, content)
		return
	}
	var asked struct {
		Operation string
		Objects   []struct {
			OID  string
			Size int64
		}
	}
	if err := json.NewDecoder(req.Body).Decode(&asked); err != nil || asked.Operation != "download" || req.Header.Get("Accept") != largeMedia {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.note(&s.batches, req.Method, " ", req.URL.Path, " ", req.Header.Get("Authorization"), " ", len(asked.Objects))
	objects := []any{}
	for _, o := range asked.Objects {
		object := map[string]any{"oid": o.OID, "size": o.Size}
		if _, ok := s.files[o.OID]; ok {
			object["actions"] = map[string]any{"download": map[string]any{"href": s.href(o.OID), "header": map[string]string{"X-Token": "t"}, "expires_in": 60}}
		} else {
			object["error"] = map[string]any{"code": 404, "message": "gone \x1b[31m"}
		}
		if s.answer != nil {
			s.answer(object, o.OID)
		}
		objects = append(objects, object)
	}
	answer := any(map[string]any{"transfer": "basic", "objects": objects, "hash_algo": "sha256"})
	if s.batch != nil {
		answer = s.batch(answer.(map[string]any))
	}
	if text, ok := answer.(string); ok {
		io.WriteString(w, text)
		return
	}
	json.NewEncoder(w).Encode(answer)
}

func pointerTo(content string) string {
	return fmt.Sprintf("version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n", sumOf([]byte(content)), len(content))
}

// largeRepo is a bare repository with pointers to files, which a server gives away under /repo.git; files that are missing from the
// large file store are named by content "missing…".
func largeRepo(t *testing.T, config string, contents ...string) (r *gitRepo, s *gitServer, store *largeStore, id string) {
	t.Helper()
	work := newRepo(t)
	work.write(".gitattributes", "*.dat filter=lfs diff=lfs merge=lfs -text\n")
	if config != "" {
		work.write(".lfsconfig", config)
	}
	store = &largeStore{files: make(map[string]string)}
	for i, c := range contents {
		work.write(fmt.Sprintf("f%03d.dat", i), pointerTo(c))
		if !strings.HasPrefix(c, "missing") {
			store.files[sumOf([]byte(c))] = c
		}
	}
	work.run("config", "filter.lfs.clean", "cat")
	id = work.commit("pointers")
	root := t.TempDir()
	r = existing(t, filepath.Join(root, "repo.git"))
	work.run("clone", "-q", "--mirror", work.dir, r.dir)
	s = serve(t, root)
	git := s.Config.Handler
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if strings.Contains(req.URL.Path, "/info/lfs/") || strings.HasPrefix(req.URL.Path, "/content/") {
			store.ServeHTTP(w, req)
			return
		}
		git.ServeHTTP(w, req)
	})
	store.href = func(oid string) string { return s.URL + "/content/" + oid }
	return r, s, store, id
}

func exportInto(t *testing.T, c *Commit) (string, *Tree, error) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tree")
	tree, err := c.Export(context.Background(), dir)
	return dir, tree, err
}

// netrcFor gives a password for every host of these servers.
func netrcFor(t *testing.T, hosts ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "netrc")
	var b strings.Builder
	for _, h := range hosts {
		fmt.Fprintf(&b, "machine %s login me password secret\n", h)
	}
	writeFile(t, path, b.String())
	return path
}

const basic = "Basic bWU6c2VjcmV0"

// Large files come from the server that follows from the repository's URL, a hundred at a time, and once.
func TestLargeFilesFromTheServer(t *testing.T) {
	t.Parallel()
	var contents []string
	for i := range 130 {
		contents = append(contents, fmt.Sprint("content ", i/2)) // each at two paths
	}
	contents = append(contents, strings.Repeat("long ", 100_000))
	r, s, store, id := largeRepo(t, "", contents...)
	cache := t.TempDir()
	netrc := netrcFor(t, "127.0.0.1")
	opt := Options{Remote: s.client(t, remote.Options{Netrc: netrc}), CacheDir: cache, RequireContent: true}
	check := func(dir string, tree *Tree) {
		t.Helper()
		for i, c := range contents {
			if got, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("f%03d.dat", i))); string(got) != c {
				t.Fatalf("file %d: %d bytes, %v", i, len(got), err)
			}
		}
		if len(tree.Transformed) != len(contents) || tree.RawSHA256 == tree.SHA256 || len(tree.Findings) != 0 {
			t.Errorf("%d transformed, findings %v", len(tree.Transformed), tree.Findings)
		}
		checkTree(t, dir, tree, 1700000100)
	}
	store.busy = 2 // a server that has to be asked again
	// a local clone asks its origin, and nothing is written to it
	local := existing(t, filepath.Join(t.TempDir(), "local"))
	local.run("clone", "-q", r.dir, local.dir)
	local.run("remote", "set-url", "origin", s.URL+"/repo")
	dir, tree := exported(t, open(t, local.dir, id, opt))
	check(dir, tree)
	if _, err := os.Stat(filepath.Join(local.dir, ".git/lfs")); err == nil {
		t.Error("the repository was written to")
	}
	batches, requests := store.taken()
	if len(batches) != 2 || batches[0] != "POST /repo.git/info/lfs/objects/batch "+basic+" 50" || len(requests) < 66 || len(requests) > 131 {
		t.Errorf("%d requests, batches %q", len(requests), batches)
	}
	if !strings.HasSuffix(requests[0], " "+basic+" t") {
		t.Errorf("request %q", requests[0])
	}
	_, remoteTree := exported(t, open(t, s.URL+"/repo.git", id, opt))
	if remoteTree.SHA256 != tree.SHA256 {
		t.Error("digest differs")
	}
	opt.Remote = s.client(t, remote.Options{Offline: true})
	dir, tree = exported(t, open(t, s.URL+"/repo.git", id, opt))
	check(dir, tree)
	if batches, requests := store.taken(); len(batches)+len(requests) != 0 {
		t.Errorf("asked again: %q %q", batches, requests)
	}
	// what lies in the cache is no more believed than what a server sends
	oid := sumOf([]byte(contents[0]))
	writeFile(t, filepath.Join(cache, "lfs", oid[:2], oid[2:4], oid), strings.Replace(contents[0], "content", "Content", 1))
	_, _, err := exportInto(t, open(t, s.URL+"/repo.git", id, opt))
	wantFault(t, err, fault.Failed, "content hash differs")
}

func TestLargeFilesWithoutACacheLeaveNothing(t *testing.T) {
	_, s, _, id := largeRepo(t, "", "one")
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	c, err := Open(context.Background(), s.URL+"/repo.git", id, Options{Remote: s.client(t, remote.Options{}), RequireContent: true})
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(temp, "out")
	if _, err := c.Export(context.Background(), out); err != nil {
		t.Fatal(err)
	}
	c.Close()
	os.RemoveAll(out)
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestMissingLargeFiles(t *testing.T) {
	t.Parallel()
	_, s, store, id := largeRepo(t, "", "here", "missing entirely")
	oid := sumOf([]byte("missing entirely"))
	missing := "f001.dat: content not in git: large file " + oid + " of 16 bytes"
	opt := Options{Remote: s.client(t, remote.Options{}), CacheDir: t.TempDir(), RequireContent: true}
	_, _, err := exportInto(t, open(t, s.URL+"/repo.git", id, opt))
	wantFault(t, err, fault.Inconclusive, missing+` (the server answered 404 "gone \x1b[31m")`)
	store.answer = func(object map[string]any, _ string) { delete(object, "error") }
	_, _, err = exportInto(t, open(t, s.URL+"/repo.git", id, opt))
	wantFault(t, err, fault.Inconclusive, missing+" (the server does not have it)")
	store.batch = func(map[string]any) any { return map[string]any{"objects": []any{}} }
	_, _, err = exportInto(t, open(t, s.URL+"/repo.git", id, opt))
	wantFault(t, err, fault.Inconclusive, missing)
	store.batch, store.answer = nil, nil

	// what is only looked at may lack it
	opt.RequireContent = false
	dir, tree := exported(t, open(t, s.URL+"/repo.git", id, opt))
	if got, _ := os.ReadFile(filepath.Join(dir, "f001.dat")); string(got) != pointerTo("missing entirely") {
		t.Errorf("pointer %q", got)
	}
	if got, _ := os.ReadFile(filepath.Join(dir, "f000.dat")); string(got) != "here" {
		t.Errorf("content %q", got)
	}
	if len(tree.Findings) != 1 || tree.Findings[0].Kind != PointerFile || tree.Findings[0].Path != "f001.dat" {
		t.Errorf("findings %v", tree.Findings)
	}
	checkTree(t, dir, tree, 1700000100)
	opt = Options{Remote: s.client(t, remote.Options{Offline: true}), CacheDir: opt.CacheDir, RequireContent: true}
	_, _, err = exportInto(t, open(t, s.URL+"/repo.git", id, opt))
	wantFault(t, err, fault.Inconclusive, missing+" (working offline)")
}

// A commit may name another server; the password for that one's host is not sent because a commit says so.
func TestLargeFileServerOfTheCommit(t *testing.T) {
	t.Parallel()
	elsewhere := &largeStore{files: map[string]string{sumOf([]byte("one")): "one"}}
	other := httptest.NewTLSServer(elsewhere)
	t.Cleanup(other.Close)
	// the test servers' certificate is for both names
	url := strings.Replace(other.URL, "127.0.0.1", "example.com", 1)
	elsewhere.href = func(oid string) string { return url + "/content/" + oid }
	for name, config := range map[string]string{
		"lfs.url": "[lfs]\n\turl = " + url + "/store\n", "lfsurl": "[remote \"origin\"]\n\tlfsurl = " + url + "/store\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, s, store, id := largeRepo(t, config, "one")
			transport := s.Server.Client().Transport.(*http.Transport).Clone()
			dial := transport.DialContext
			transport.DialContext = dialInstead(dial, strings.TrimPrefix(url, "https://"), strings.TrimPrefix(other.URL, "https://"))
			client, err := remote.New(remote.Options{Transport: transport, Netrc: netrcFor(t, "127.0.0.1", "example.com")})
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = exportInto(t, open(t, s.URL+"/repo.git", id, Options{Remote: client, CacheDir: t.TempDir(), RequireContent: true}))
			if err != nil {
				t.Fatal(err)
			}
			batches, requests := elsewhere.taken()
			if len(batches) != 1 || batches[0] != "POST /store/objects/batch  1" || len(requests) != 1 || !strings.HasSuffix(requests[0], "  t") {
				t.Errorf("batches %q, requests %q", batches, requests)
			}
			if batches, requests := store.taken(); len(batches)+len(requests) != 0 {
				t.Errorf("its own server was asked: %q %q", batches, requests)
			}
		})
	}
}

func TestUnsafeLargeFileServers(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]struct {
		class fault.Class
		text  string
	}{
		"[lfs]\nurl = -oProxyCommand=x":           {fault.Failed, "unsafe URL"},
		"[lfs]\nurl = ext::sh -c x":               {fault.Failed, "unsafe URL"},
		"[lfs]\nurl = https://me:pw@example.com/": {fault.Failed, "unsafe URL"},
		"[lfs]\nurl = https://example.com/?a=b":   {fault.Failed, "unsafe URL"},
		"[lfs]\nurl = \"https://e.com/\\n\"":      {fault.Failed, "unsafe URL"},
		"[lfs]\nurl = ssh://git@example.com/x":    {fault.Inconclusive, "https only"},
		"[lfs]\nurl = git@example.com:x":          {fault.Inconclusive, "https only"},
		"[lfs]\nurl = file:///etc":                {fault.Inconclusive, "https only"},
		"[lfs]\nurl = ../x":                       {fault.Inconclusive, "https only"},
		"[lfs]\nurl = http://example.com/x":       {fault.Inconclusive, "only https is spoken"},
		"[lfs\nurl = x":                           {fault.Failed, ".lfsconfig: malformed"},
	} {
		t.Run(config, func(t *testing.T) {
			t.Parallel()
			_, s, store, id := largeRepo(t, config+"\n", "one")
			_, _, err := exportInto(t, open(t, s.URL+"/repo.git", id, Options{Remote: s.client(t, remote.Options{}), CacheDir: t.TempDir(), RequireContent: true}))
			wantFault(t, err, want.class, want.text)
			if strings.Contains(err.Error(), "pw") {
				t.Errorf("password in %q", err)
			}
			if batches, requests := store.taken(); len(batches)+len(requests) != 0 {
				t.Errorf("another server was asked: %q %q", batches, requests)
			}
		})
	}
}

// Whatever a server answers, what is written is what the commit names, or nothing.
func TestHostileLargeFileServers(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("x", 1000)
	oid := sumOf([]byte(content))
	action := func(object map[string]any) map[string]any {
		return object["actions"].(map[string]any)["download"].(map[string]any)
	}
	for name, v := range map[string]struct {
		change func(s *largeStore)
		class  fault.Class
		want   string
	}{
		"other content": {func(s *largeStore) { s.files[oid] = strings.Repeat("y", 1000) }, fault.Failed, "content hash differs (f000.dat)"},
		"shorter":       {func(s *largeStore) { s.files[oid] = content[1:] }, fault.Failed, "content hash differs (f000.dat)"},
		"longer":        {func(s *largeStore) { s.files[oid] = content + "x" }, fault.Failed, "exceeds limit"},
		"another size":  {func(s *largeStore) { s.answer = func(o map[string]any, _ string) { o["size"] = 999 } }, fault.Inconclusive, "another size"},
		"another file": {func(s *largeStore) {
			s.answer = func(o map[string]any, _ string) { o["oid"] = strings.Repeat("0", 64) }
		}, fault.Inconclusive, "not asked for"},
		"a file twice": {func(s *largeStore) {
			s.batch = func(a map[string]any) any { o := a["objects"].([]any); a["objects"] = append(o, o[0]); return a }
		}, fault.Inconclusive, "one twice"},
		"other transfer": {func(s *largeStore) { s.batch = func(a map[string]any) any { a["transfer"] = "tus"; return a } }, fault.Inconclusive, "not offered"},
		"other digest":   {func(s *largeStore) { s.batch = func(a map[string]any) any { a["hash_algo"] = "md5"; return a } }, fault.Inconclusive, "not offered"},
		"no JSON":        {func(s *largeStore) { s.batch = func(map[string]any) any { return "<html>\x1b" } }, fault.Inconclusive, "no JSON"},
		"endless answer": {func(s *largeStore) {
			s.batch = func(map[string]any) any { return strings.Repeat(" ", maxLargeAnswer+1) }
		}, fault.Failed, "exceeds limit"},
		"plain http":   {func(s *largeStore) { s.href = func(string) string { return "http://example.com/x" } }, fault.Inconclusive, "only https is spoken"},
		"a local file": {func(s *largeStore) { s.href = func(string) string { return "file:///etc/passwd" } }, fault.Inconclusive, "only https is spoken"},
		"a password":   {func(s *largeStore) { s.href = func(string) string { return "https://me:pw@example.com/x" } }, fault.Inconclusive, "user information"},
		"control":      {func(s *largeStore) { s.href = func(string) string { return "https://example.com/\r\nHost: x" } }, fault.Inconclusive, "cannot be followed"},
		"bad header": {func(s *largeStore) {
			s.answer = func(o map[string]any, _ string) { action(o)["header"] = map[string]string{"A\r\nB": "x"} }
		}, fault.Inconclusive, "cannot be followed"},
		"bad value": {func(s *largeStore) {
			s.answer = func(o map[string]any, _ string) { action(o)["header"] = map[string]string{"A": "x\r\nHost: y"} }
		}, fault.Inconclusive, "cannot be followed"},
		"many headers": {func(s *largeStore) {
			s.answer = func(o map[string]any, _ string) {
				many := make(map[string]string)
				for i := range maxLargeHeaders + 1 {
					many[fmt.Sprint("X-", i)] = "x"
				}
				action(o)["header"] = many
			}
		}, fault.Inconclusive, "cannot be followed"},
		"framing": {func(s *largeStore) {
			s.answer = func(o map[string]any, _ string) {
				action(o)["header"] = map[string]string{"Range": "bytes=1-2", "content-length": "7", "Host": "x", "transfer-encoding": "chunked", "X-Internal-Cross-Host": "1"}
			}
		}, fault.Failed, ""},
		"not there": {func(s *largeStore) {
			s.answer = func(o map[string]any, _ string) {
				action(o)["href"] = strings.Replace(s.href(""), "content", "info/lfs", 1)
			}
		}, fault.Inconclusive, "content not in git: large file " + oid + " of 1000 bytes"},
		"always busy": {func(s *largeStore) { s.busy = 1000 }, fault.Inconclusive, "after 4 attempts"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, s, store, id := largeRepo(t, "", content)
			v.change(store)
			dir, _, err := exportInto(t, open(t, s.URL+"/repo.git", id, Options{Remote: s.client(t, remote.Options{}), CacheDir: t.TempDir(), RequireContent: true}))
			if v.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			wantFault(t, err, v.class, v.want)
			if left, _ := os.ReadDir(dir); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// FuzzLargeBatch: what a server answers is refused, or it is about files that were asked for.
func FuzzLargeBatch(f *testing.F) {
	oid := strings.Repeat("1", 64)
	f.Add([]byte(`{"objects":[{"oid":"` + oid + `","size":3,"actions":{"download":{"href":"https://example.org/x","header":{"A":"b"}}}}]}`))
	f.Add([]byte(`{"transfer":"basic","hash_algo":"sha256","objects":[{"oid":"` + oid + `","error":{"code":404,"message":"no"}}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		answers, err := parseBatch(text, map[string]pointer{oid: {oid, 3}})
		if err != nil {
			if !fault.Plain(err.Error()) {
				t.Fatalf("unprintable text in %q", err)
			}
			return
		}
		for name, a := range answers {
			if name != oid || a.OID != oid || (a.Error == nil && a.Size != 3) {
				t.Fatalf("%q: %+v", name, a)
			}
			if a.Actions.Download == nil {
				continue
			}
			header, err := largeHeader(a.Actions.Download.Header)
			if err != nil {
				continue
			}
			for name, values := range header {
				if name == "Host" || len(values) != 1 || hasControl(strings.ReplaceAll(name+values[0], "\t", "")) {
					t.Fatalf("%q %q", name, values)
				}
			}
		}
	})
}
