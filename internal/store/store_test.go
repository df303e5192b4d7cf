package store_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/store"
)

func open(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestBlobRoundTripAndTamper(t *testing.T) {
	t.Parallel()
	s := open(t)
	b, err := s.Put(context.Background(), strings.NewReader("hello"), 5)
	if err != nil {
		t.Fatal(err)
	}
	if b.SHA256 != "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" || b.Size != 5 {
		t.Fatalf("%+v", b)
	}
	f, err := s.OpenBlob(b.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	path := filepath.Join(s.Dir(), "blobs", b.SHA256[:2], b.SHA256)
	os.Chmod(path, 0o600)
	if err := os.WriteFile(path, []byte("hacked!"), 0o600); err != nil {
		t.Fatal(err)
	}
	if f, err := s.OpenBlob(b.SHA256); err == nil {
		f.Close()
		t.Fatal("a changed blob was handed out")
	} else if fault.ClassOf(err) != fault.Inconclusive || !strings.Contains(err.Error(), "content was changed") {
		t.Fatal(err)
	}
	if _, err := s.OpenBlob(b.SHA256); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("a damaged blob must be gone, got %v", err)
	}
}

// TestAdopt keeps a file of a run; a file that is not what its digest says is never handed out.
func TestAdopt(t *testing.T) {
	t.Parallel()
	const hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
	s := open(t)
	run, err := s.NewRun()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := run.Dir("out")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "f")
	for _, text := range []string{"hacked!", "hello", "hello"} {
		os.Remove(file)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := s.Adopt(context.Background(), file, hello, 10); err != nil {
			t.Fatal(err)
		}
		f, err := s.OpenBlob(hello)
		if text != "hello" {
			if err == nil || !strings.Contains(err.Error(), "content was changed") {
				t.Fatalf("%q was handed out: %v", text, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	if err := run.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := s.OpenBlob(hello)
	if err != nil {
		t.Fatal("gone with its run:", err)
	}
	f.Close()
	if err := s.Adopt(context.Background(), file, hello, 10); err == nil {
		t.Error("a file that is not there was kept")
	}
	if left, err := os.ReadDir(filepath.Join(s.Dir(), "tmp")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestPutLimitLeavesNothing(t *testing.T) {
	t.Parallel()
	s := open(t)
	if _, err := s.Put(context.Background(), strings.NewReader("hello"), 4); err == nil || !strings.Contains(err.Error(), "exceeds 4 bytes") {
		t.Fatal(err)
	}
	if e, _ := os.ReadDir(filepath.Join(s.Dir(), "tmp")); len(e) != 0 {
		t.Fatal("left behind:", e)
	}
}

func TestMalformedDigests(t *testing.T) {
	t.Parallel()
	s := open(t)
	for _, sum := range []string{"", "../../etc/passwd", strings.Repeat("A", 64), strings.Repeat("a", 63), strings.Repeat("g", 64)} {
		if _, err := s.OpenBlob(sum); err == nil || !strings.Contains(err.Error(), "malformed digest") {
			t.Errorf("%q: %v", sum, err)
		}
	}
}

func TestPublishTreeIsAtomicAndFirstWins(t *testing.T) {
	t.Parallel()
	s := open(t)
	if _, err := s.PublishTree("k", "1", func(dir string) error {
		os.WriteFile(filepath.Join(dir, "half"), nil, 0o600)
		return errors.New("broken")
	}); err == nil {
		t.Fatal("no error")
	}
	if _, ok := s.Tree("k", "1"); ok {
		t.Fatal("a half-written tree is visible")
	}
	for _, text := range []string{"first", "second"} {
		dir, err := s.PublishTree("k", "1", func(dir string) error { return os.WriteFile(filepath.Join(dir, "f"), []byte(text), 0o600) })
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := os.ReadFile(filepath.Join(dir, "f")); string(b) != "first" {
			t.Fatalf("got %q", b)
		}
	}
	if e, _ := os.ReadDir(filepath.Join(s.Dir(), "tmp")); len(e) != 0 {
		t.Fatal("left behind:", e)
	}
}

func TestResultsAreAuthenticated(t *testing.T) {
	t.Parallel()
	s := open(t)
	if err := s.PutResult("rebuild", "a", []byte("value")); err != nil {
		t.Fatal(err)
	}
	if v, ok := s.Result("rebuild", "a"); !ok || string(v) != "value" {
		t.Fatal(v, ok)
	}
	files, _ := filepath.Glob(filepath.Join(s.Dir(), "results", "rebuild", "*"))
	data, _ := os.ReadFile(files[0])
	for i := range data {
		bad := bytes.Clone(data)
		bad[i] ^= 1
		os.WriteFile(files[0], bad, 0o600)
		if _, ok := s.Result("rebuild", "a"); ok {
			t.Fatalf("bit flip at %d accepted", i)
		}
	}
	// an honest entry moved to another key is not that key's
	if err := s.PutResult("rebuild", "b", []byte("other")); err != nil {
		t.Fatal(err)
	}
	if err := s.PutResult("rebuild", "a", []byte("value")); err != nil {
		t.Fatal(err)
	}
	files, _ = filepath.Glob(filepath.Join(s.Dir(), "results", "rebuild", "*"))
	x, _ := os.ReadFile(files[0])
	y, _ := os.ReadFile(files[1])
	os.WriteFile(files[0], y, 0o600)
	os.WriteFile(files[1], x, 0o600)
	for _, k := range []string{"a", "b"} {
		if v, ok := s.Result("rebuild", k); ok {
			t.Fatalf("moved entry accepted as %s: %q", k, v)
		}
	}
}

func TestRunLeavesNothing(t *testing.T) {
	t.Parallel()
	s := open(t)
	r, err := s.NewRun()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := r.Dir("src")
	if err != nil {
		t.Fatal(err)
	}
	os.MkdirAll(filepath.Join(dir, "ro"), 0o700)
	os.WriteFile(filepath.Join(dir, "ro", "f"), nil, 0o400)
	os.Chmod(filepath.Join(dir, "ro"), 0o500)
	s.Sweep()
	if _, err := os.Stat(dir); err != nil {
		t.Fatal("a live run was swept")
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if e, _ := os.ReadDir(filepath.Join(s.Dir(), "runs")); len(e) != 0 {
		t.Fatal("left behind:", e)
	}
}

func TestKilledRunIsSwept(t *testing.T) {
	if dir := os.Getenv("STORE_TEST_RUN"); dir != "" {
		s, err := store.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.NewRun(); err != nil {
			t.Fatal(err)
		}
		os.Stdout.WriteString("ready\n")
		time.Sleep(time.Minute)
		return
	}
	t.Parallel()
	s := open(t)
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledRunIsSwept$")
	cmd.Env = append(os.Environ(), "STORE_TEST_RUN="+s.Dir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	s.Sweep()
	if e, _ := os.ReadDir(filepath.Join(s.Dir(), "runs")); len(e) != 2 {
		t.Fatal("a live run of another process was swept:", e)
	}
	cmd.Process.Kill()
	cmd.Wait()
	s.Sweep()
	if e, _ := os.ReadDir(filepath.Join(s.Dir(), "runs")); len(e) != 0 {
		t.Fatal("left behind by a killed run:", e)
	}
}

func TestForeignStoreIsRefused(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "s")
	os.Mkdir(dir, 0o777)
	os.Chmod(dir, 0o777)
	if _, err := store.Open(dir); err == nil || !strings.Contains(err.Error(), "writable by others") {
		t.Fatal(err)
	}
}
