package builder

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/gomod"
)

// grow makes the database look up other modules, so that its tree has more than one record.
func (w *world) grow(n int) {
	w.t.Helper()
	for i := range n {
		resp, err := http.Get(w.server.URL + "/sumdb/" + testDB + "/lookup/example.org/m@v1.0." + strings.Repeat("1", i+1))
		if err != nil {
			w.t.Fatal(err)
		}
		resp.Body.Close()
	}
}

// TestEveryBitOfTheAnswers flips bits in every answer of the database, one at a time. No flip may go unnoticed where
// it would change the hash, and none may be published.
func TestEveryBitOfTheAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish("1.26.5", toolchainFiles)
	w.grow(3)
	want := w.sums[moduleVersion("1.26.5")]
	sizes := map[string]int{}
	var mu sync.Mutex
	w.alter = func(path string, body []byte) []byte {
		mu.Lock()
		defer mu.Unlock()
		if strings.Contains(path, "/lookup/") || strings.Contains(path, "/tile/") {
			sizes[path] = len(body)
		}
		return body
	}
	if _, _, err := w.prove("1.26.5", w.options()); err != nil {
		t.Fatal(err)
	}
	if len(sizes) < 2 {
		t.Fatalf("answers %v", sizes)
	}
	flipped := 0
	for target, size := range sizes {
		for at := 0; at < size; at += 3 {
			bit := byte(1) << (at % 8)
			w.alter = func(path string, body []byte) []byte {
				if path == target && at < len(body) {
					body[at] ^= bit
				}
				return body
			}
			opts := w.options()
			opts.Store = newStore(t)
			hash, _, err := w.prove("1.26.5", opts)
			if err == nil && hash != want {
				t.Fatalf("%s, byte %d: accepted %s", target, at, hash)
			}
			if err != nil && fault.ClassOf(err) != fault.Failed {
				t.Fatalf("%s, byte %d: class %v of %v", target, at, fault.ClassOf(err), err)
			}
			if err != nil {
				flipped++
			}
		}
	}
	if flipped < 100 {
		t.Errorf("only %d flips were noticed", flipped)
	}
}

// TestEveryBitOfTheEvidence does the same with what is kept.
func TestEveryBitOfTheEvidence(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish("1.26.5", toolchainFiles)
	w.grow(3)
	want, kept, err := w.prove("1.26.5", w.options())
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, e *evidence) {
		t.Helper()
		hash, err := replay(context.Background(), toolchainModule, moduleVersion("1.26.5"), w.verifier, e)
		if err == nil && hash != want {
			t.Fatalf("%s: accepted %s", what, hash)
		}
	}
	for name, data := range kept.Files {
		for at := range data {
			changed := &evidence{Latest: kept.Latest, Files: maps.Clone(kept.Files)}
			changed.Files[name] = slices.Clone(data)
			changed.Files[name][at] ^= 1 << (at % 8)
			check(name, changed)
		}
		missing := &evidence{Latest: kept.Latest, Files: maps.Clone(kept.Files)}
		delete(missing.Files, name)
		if _, err := replay(context.Background(), toolchainModule, moduleVersion("1.26.5"), w.verifier, missing); err == nil && strings.Contains(name, "/lookup/") {
			t.Errorf("proven without %s", name)
		}
	}
	for at := range kept.Latest {
		changed := &evidence{Latest: slices.Clone(kept.Latest), Files: kept.Files}
		changed.Latest[at] ^= 1 << (at % 8)
		check("latest", changed)
	}
	_, otherKey, _ := note.GenerateKey(rand.Reader, testDB)
	if _, err := replay(context.Background(), toolchainModule, moduleVersion("1.26.5"), otherKey, kept); err == nil || fault.ClassOf(err) != fault.Failed {
		t.Errorf("another key of the same name: %v", err)
	}
	if _, err := replay(context.Background(), toolchainModule, moduleVersion("1.26.4"), w.verifier, kept); err == nil {
		t.Error("the evidence proves another version")
	}
	if _, err := replay(context.Background(), toolchainModule, moduleVersion("1.26.5"), gomod.ChecksumDatabaseKey, kept); err == nil {
		t.Error("the evidence satisfies the public database's key")
	}
}

func TestRecordOfAnotherVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish("1.26.4", toolchainFiles)
	w.publish("1.26.5", toolchainFiles)
	prefix := "/sumdb/" + testDB + "/lookup/" + toolchainModule + "@"
	w.intercept = func(rw http.ResponseWriter, path string) bool {
		if path != prefix+moduleVersion("1.26.5") {
			return false
		}
		resp, err := http.Get(w.server.URL + prefix + moduleVersion("1.26.4"))
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		io.Copy(rw, resp.Body)
		return true
	}
	_, err := w.prepare("1.26.5", w.options())
	if fault.ClassOf(err) != fault.Failed || !strings.Contains(err.Error(), "ambiguous record: 0 hashes") {
		t.Errorf("%v", err)
	}
}

// TestForkedDatabase: a database that shows another history than before is caught, even though it signs both.
func TestForkedDatabase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish("1.26.4", toolchainFiles)
	w.grow(2)
	if _, err := w.prepare("1.26.4", w.options()); err != nil {
		t.Fatal(err)
	}
	fork := newWorld(t)
	fork.signer, fork.verifier, fork.store = w.signer, w.verifier, w.store
	fork.publish("1.26.5", toolchainFiles)
	fork.grow(5)
	_, err := fork.prepare("1.26.5", fork.options())
	if fault.ClassOf(err) != fault.Failed || err == nil || !strings.HasPrefix(err.Error(), "checksum database, ") {
		t.Errorf("%v", err)
	}
	if n, _ := w.trees(); n != 1 {
		t.Errorf("%d trees", n)
	}
}

// TestConfiguredKeyIsNotTrusted: GOSUMDB can name another address, never another key.
func TestConfiguredKeyIsNotTrusted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish("1.26.5", toolchainFiles)
	evil := newWorld(t)
	evil.publish("1.26.5", map[string]string{"bin/go": "evil"})
	opts := w.options()
	opts.GoEnv.GOPROXY = evil.server.URL
	opts.GoEnv.GOSUMDB = evil.verifier + " " + evil.server.URL + "/sumdb/" + testDB
	_, err := w.prepare("1.26.5", opts)
	if fault.ClassOf(err) != fault.Failed || err == nil {
		t.Errorf("%v", err)
	}
	opts.GoEnv.GOSUMDB = "off"
	if _, err = w.prepare("1.26.5", opts); fault.ClassOf(err) != fault.Failed || err == nil {
		t.Errorf("off: %v", err)
	}
}

// TestDefaultKey: without a test's own key it is the public database's, and its name is the address.
func TestDefaultKey(t *testing.T) {
	t.Parallel()
	if _, err := note.NewVerifier((Options{}).key()); err != nil {
		t.Error(err)
	}
	w := newWorld(t)
	w.publish("1.26.5", toolchainFiles)
	opts := w.options()
	opts.verifier = ""
	_, err := w.prepare("1.26.5", opts) // the proxy does not serve the public database
	if err == nil {
		t.Error("accepted")
	}
	if !slices.ContainsFunc(w.asked(), func(p string) bool { return strings.HasPrefix(p, "/sumdb/sum.") }) {
		t.Error("the configured proxy was not asked for the database")
	}
}

// FuzzEvidence: whatever is kept, only the true hash is ever proven.
func FuzzEvidence(f *testing.F) {
	f.Add([]byte(`{"latest":"","files":{}}`))
	f.Add([]byte(`{"latest":"Z28uc3VtIGRhdGFiYXNlIHRyZWUKMQo=","files":{"sum.example.org/lookup/golang.org/toolchain@v0.0.1-go1.26.5.linux-amd64":"MQo="}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := unmarshalEvidence(data)
		if err != nil {
			return
		}
		if hash, err := replay(context.Background(), toolchainModule, moduleVersion("1.26.5"), gomod.ChecksumDatabaseKey, e); err == nil {
			t.Fatalf("proven: %s", hash)
		}
		if _, err := json.Marshal(e); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzManifest: a manifest that parses has only local names, and its text is its own.
func FuzzManifest(f *testing.F) {
	f.Add([]byte(strings.Repeat("a", 64) + "  m@v1/bin/go\n"))
	f.Add([]byte(strings.Repeat("a", 64) + "  m@v1/../x\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseManifest(data, "m@v1/")
		if err != nil {
			return
		}
		again, err := parseManifest(m.text(), "m@v1/")
		if err != nil || again.h1() != m.h1() {
			t.Fatalf("%v: %q", err, m.text())
		}
		for name := range m.files {
			if !filepath.IsLocal(name) {
				t.Fatalf("name %q", name)
			}
		}
	})
}
