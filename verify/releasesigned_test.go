package verify

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/evidence/evidencetest"
	"github.com/glassbuild/glassbuild/internal/policy"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// TestBundledLists: a bundle counts where it signs the very bytes of the list, under an identity of the policy.
func TestBundledLists(t *testing.T) {
	t.Parallel()
	i := evidencetest.New(t, "lists")
	roots, err := evidence.ParseTrustedRoots("root", i.TrustedRoot(evidencetest.Spans{}))
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Parse("p", fmt.Appendf(nil, "format = 1\n[[principal]]\nname = \"vendor\"\nidentity = %q\nissuer = %q\n[release]\nlists-signed-by = \"vendor\"\n", evidencetest.Identity, evidencetest.Issuer), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte("x"))
	text := fmt.Appendf(nil, "%x  tool\n", sum)
	dir := t.TempDir()
	for name, c := range map[string]struct {
		signed []byte
		by     string
		want   string
	}{
		"the list":       {text, evidencetest.Identity, "good"},
		"other bytes":    {append(bytes.Clone(text), '\n'), evidencetest.Identity, "bad"},
		"somebody else":  {text, "https://forge.example/other/tool/.github/workflows/release.yml@refs/tags/v1", "bad"},
		"not even a one": {nil, "", "bad"},
	} {
		data := []byte("{}")
		if c.signed != nil {
			data = i.Message(c.signed, evidencetest.Leaf{Identity: c.by}).JSON()
		}
		file := filepath.Join(dir, "SHA256SUMS")
		if err := os.WriteFile(file+".sigstore.json", data, 0o644); err != nil {
			t.Fatal(err)
		}
		l := &release{run: &run{policy: p, now: evidencetest.At.Add(time.Hour), roots: roots}}
		l.lists = []*digestList{{name: "SHA256SUMS", sum: digestOf(text), file: file, data: text, algorithm: "sha256", entries: []listed{{"tool", fmt.Sprintf("%x", sum)}}}}
		l.facts.Release = &verdict.Release{Lists: []verdict.DigestList{{Name: "SHA256SUMS"}}}
		if err := l.judgeLists(); err != nil {
			t.Fatal(err)
		}
		got := l.facts.Release.Lists[0].Signatures
		if len(got) != 1 || got[0].Status != c.want || (got[0].Signer == "vendor") != (c.want == "good") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestOnePacket(t *testing.T) {
	t.Parallel()
	long := append([]byte{0xc2, 192, 8}, make([]byte, 200)...)
	for name, c := range map[string]struct {
		data []byte
		want bool
	}{
		"one octet":    {[]byte{0x88, 2, 1, 2}, true},
		"two octets":   {append([]byte{0x89, 0, 5}, make([]byte, 5)...), true},
		"new form":     {[]byte{0xc2, 2, 1, 2}, true},
		"new and long": {long, true},
		"more behind":  {[]byte{0x88, 2, 1, 2, 3}, false},
		"too short":    {[]byte{0x88, 4, 1, 2}, false},
		"another kind": {[]byte{0x90, 2, 1, 2}, false},
		"nothing":      {nil, false},
	} {
		if got := onePacket(c.data); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
