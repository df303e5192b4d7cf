package signature_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/signature"
	"github.com/glassbuild/glassbuild/internal/trust"
)

// TestDocs holds docs/source.md against the code: the table has every status and no other, and the example is accepted.
func TestDocs(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/source.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "## Statuses")
	table, _, _ = strings.Cut(table, "\n### ")
	statuses := []signature.Status{
		signature.StatusGood, signature.StatusGoodUntrusted, signature.StatusGoodExpiredKey, signature.StatusRevoked,
		signature.StatusBad, signature.StatusUnsigned, signature.StatusUnknownKey, signature.StatusUnsupported,
	}
	texts := map[string]bool{}
	for _, s := range statuses {
		if !strings.Contains(table, "\n| `"+string(s)+"` | ") {
			t.Errorf("%s is not in the table", s)
		}
		if s.Good() != (s == signature.StatusGood) || s.Text() == signature.Status("").Text() || texts[s.Text()] {
			t.Errorf("%s: text %q", s, s.Text())
		}
		texts[s.Text()] = true
	}
	if rows := strings.Count(table, "\n| `"); rows != len(statuses) {
		t.Errorf("%d rows for %d statuses", rows, len(statuses))
	}
	if signature.Status("").Good() || (signature.Result{}).Status.Good() {
		t.Error("the zero value is good")
	}
	_, example, ok := bytes.Cut(page, []byte("```allowed_signers\n"))
	if !ok {
		t.Fatal("no example")
	}
	example, _, _ = bytes.Cut(example, []byte("```"))
	principals, err := trust.ParseAllowedSigners("docs/source.md", example)
	if err != nil || len(principals) != 2 || principals[0].Name != "alice@example.org" || !principals[1].SSH[0].Authority {
		t.Errorf("example: %v %+v", err, principals)
	}
}
