// Package modtest is a module proxy and a checksum database for tests: real protocols, its own key, on loopback.
package modtest

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb"
	"golang.org/x/mod/sumdb/dirhash"
	"golang.org/x/mod/sumdb/note"
)

// Database is the name of the checksum database.
const Database = "sum.example.com"

// Server is both.
type Server struct {
	URL string
	Key string // verifier key of the database

	// Tamper, when set, may answer a request in the server's place: it returns true when it did. Set it before the
	// first request.
	Tamper func(w http.ResponseWriter, r *http.Request) bool
	// Mangle, when set, changes a body on its way out.
	Mangle func(path string, body []byte) []byte

	mu      sync.Mutex
	modules map[module.Version]map[string]string
	asked   []string
}

// New starts a server that ends with the test.
func New(t testing.TB) *Server {
	t.Helper()
	signer, verifier, err := note.GenerateKey(nil, Database)
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Key: verifier, modules: map[module.Version]map[string]string{}}
	db := sumdb.NewServer(sumdb.NewTestServer(signer, s.goSum))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked = append(s.asked, r.URL.Path)
		s.mu.Unlock()
		if s.Tamper != nil && s.Tamper(w, r) {
			return
		}
		rec, path := httptest.NewRecorder(), r.URL.Path
		file, ok := strings.CutPrefix(path, "/sumdb/"+Database)
		switch {
		case !ok:
			s.serve(rec, r)
		case file != "/supported":
			r.URL.Path = file
			db.ServeHTTP(rec, r)
		}
		body := rec.Body.Bytes()
		if s.Mangle != nil {
			body = s.Mangle(path, body)
		}
		w.WriteHeader(rec.Code)
		w.Write(body)
	}))
	t.Cleanup(srv.Close)
	s.URL = srv.URL
	return s
}

// Add publishes a module. A go.mod file is made when files has none.
func (s *Server) Add(path, version string, files map[string]string) {
	if files = maps.Clone(files); files == nil {
		files = map[string]string{}
	}
	if files["go.mod"] == "" {
		files["go.mod"] = "module " + path + "\n\ngo 1.18\n"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.modules[module.Version{Path: path, Version: version}] = files
}

// Asked returns the paths that were asked for, in order.
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

func (s *Server) files(path, version string) map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.modules[module.Version{Path: path, Version: version}]
}

func (s *Server) goSum(path, version string) ([]byte, error) {
	files := s.files(path, version)
	if files == nil {
		return nil, fmt.Errorf("not found: %s@%s", path, version)
	}
	prefixed := map[string]string{}
	for name, data := range files {
		prefixed[path+"@"+version+"/"+name] = data
	}
	sum, err := hash(prefixed)
	if err != nil {
		return nil, err
	}
	modSum, err := hash(map[string]string{"go.mod": files["go.mod"]})
	return fmt.Appendf(nil, "%s %s %s\n%s %s/go.mod %s\n", path, version, sum, path, version, modSum), err
}

func hash(files map[string]string) (string, error) {
	return dirhash.Hash1(slices.Collect(maps.Keys(files)), func(name string) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(files[name])), nil
	})
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	escaped, name, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/@v/")
	path, err := module.UnescapePath(escaped)
	if !ok || err != nil {
		http.NotFound(w, r)
		return
	}
	if name == "list" {
		s.mu.Lock()
		defer s.mu.Unlock()
		for m := range s.modules {
			if m.Path == path {
				fmt.Fprintln(w, m.Version)
			}
		}
		return
	}
	i := strings.LastIndexByte(name, '.')
	version, err := module.UnescapeVersion(name[:max(i, 0)])
	files := s.files(path, version)
	if err != nil || files == nil {
		http.NotFound(w, r)
		return
	}
	switch name[i:] {
	case ".info":
		fmt.Fprintf(w, `{"Version":%q,"Time":"2025-01-01T00:00:00Z","Origin":{"VCS":"git"}}`, version)
	case ".mod":
		io.WriteString(w, files["go.mod"])
	case ".zip":
		w.Write(Zip(path, version, files))
	default:
		http.NotFound(w, r)
	}
}

// Zip makes a module zip.
func Zip(path, version string, files map[string]string) []byte {
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		w, err := z.Create(path + "@" + version + "/" + name)
		if err == nil {
			_, err = io.WriteString(w, files[name])
		}
		if err != nil {
			panic(err) // into memory: cannot fail
		}
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return buf.Bytes()
}
