package policy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
)

// TestDocs reads every policy that docs/source.md shows.
func TestDocs(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/source.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	writeKey(t, filepath.Join(dir, "web-flow.asc"))
	blocks := strings.Split(string(page), "```toml\n")[1:]
	if len(blocks) != 2 {
		t.Fatalf("%d examples", len(blocks))
	}
	for i, b := range blocks {
		text, _, _ := strings.Cut(b, "```")
		if !strings.HasPrefix(text, "format") { // a part of one
			text = "format = 1\n" + text
		}
		p, err := parse(filepath.Join(dir, "policy.toml"), []byte(text), day)
		if err != nil {
			t.Fatalf("example %d: %v", i+1, err)
		}
		if !p.Trust.Known("alice") || i == 1 && (p.Source.Since == "" || len(p.Source.Paths) != 2 || p.Source.Tag == nil || p.Source.OpaqueRule != "fail") {
			t.Fatalf("example %d says less than it seems: %+v", i+1, p.Source)
		}
	}
}

func writeKey(t *testing.T, path string) {
	t.Helper()
	e, err := openpgp.NewEntity("Forge", "", "forge@example.org", nil)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := armor.Encode(f, openpgp.PublicKeyType, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Serialize(w); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// Keys of archives are read, and are part of the digest.
func TestArchiveKeys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeKey(t, filepath.Join(dir, "archive.asc"))
	text := []byte("format = 1\n[rebuild]\narchive-keys = [\"archive.asc\"]\n")
	p, err := parse(filepath.Join(dir, "policy.toml"), text, day)
	if err != nil || len(p.Rebuild.ArchiveKeys) != 1 || len(p.Rebuild.ArchiveKeys[0]) == 0 {
		t.Fatalf("%+v, %v", p, err)
	}
	writeKey(t, filepath.Join(dir, "archive.asc"))
	again, err := parse(filepath.Join(dir, "policy.toml"), text, day)
	if err != nil || again.SHA256 == p.SHA256 {
		t.Errorf("another key, the same digest: %v", err)
	}
	if _, err := parse(filepath.Join(dir, "policy.toml"), []byte("format = 1\n[rebuild]\narchive-keys = [\"none.asc\"]\n"), day); err == nil || !strings.Contains(err.Error(), "none.asc") {
		t.Error(err)
	}
}
