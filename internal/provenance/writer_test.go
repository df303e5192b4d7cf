package provenance

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/store"
)

// failing signs so many statements, and then no more.
type failing struct{ left int }

// Statement implements Signer.
func (f *failing) Statement(_ context.Context, payload []byte) ([]byte, error) {
	if f.left == 0 {
		return nil, fault.Inconclusivef("log", "unreachable after 4 attempts")
	}
	f.left--
	return append([]byte("signed "), payload...), nil
}

func newStore(t *testing.T) *store.Store {
	t.Helper()
	st, err := store.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// statements are what is said of a build, each under a stem of its own.
func statements(t *testing.T) []Statement {
	t.Helper()
	b := made(t)
	subjects, err := b.Subjects()
	if err != nil {
		t.Fatal(err)
	}
	var out []Statement
	for _, s := range subjects {
		payload, err := b.Provenance(s)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, Statement{Stem(s.Name), s, evidence.PredicateProvenanceV1, payload})
	}
	return out
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestHalfSigned(t *testing.T) {
	t.Parallel()
	st, list := newStore(t), statements(t)
	for to, want := range map[string][]string{"": {"bin-tool.sigstore.json", "data.bin.unsigned.json", "other-tool.unsigned.json"}, "all.jsonl": {"all.jsonl", "data.bin.unsigned.json", "other-tool.unsigned.json"}} {
		dir := t.TempDir()
		w := &Writer{Signer: &failing{left: 1}, Store: st, To: filepath.Join(dir, to), Fresh: true, Step: func(string, ...any) {}}
		err := w.All(t.Context(), list)
		if fault.ClassOf(err) != fault.Inconclusive || !strings.Contains(fault.HintOf(err), "--resume") || len(w.Bundles) != 1 || len(w.Unsigned) != 2 {
			t.Fatalf("%v, %+v, %q", err, w.Bundles, w.Unsigned)
		}
		if got := names(t, dir); !slices.Equal(got, want) {
			t.Errorf("left %q, want %q", got, want)
		}
		left, files, err := Leftover(st, dir)
		if err != nil || len(left) != 2 || len(files) != 2 || left[0].Artefact.Name != "data.bin" {
			t.Fatalf("%+v, %v", left, err)
		}
		again := &Writer{Signer: &failing{left: 9}, Store: st, To: filepath.Join(dir, to), Step: func(string, ...any) {}}
		if err := again.All(t.Context(), left); err != nil || len(again.Bundles) != 2 {
			t.Fatal(err)
		}
		if to != "" {
			text, err := os.ReadFile(filepath.Join(dir, to))
			if err != nil || strings.Count(string(text), "\n") != 3 || strings.Count(string(text), "signed ") != 3 {
				t.Errorf("%d lines, %v", strings.Count(string(text), "\n"), err)
			}
		}
	}
}

func TestLeftoverIsOurs(t *testing.T) {
	t.Parallel()
	st, list, dir := newStore(t), statements(t)[:1], t.TempDir()
	w := &Writer{Signer: &failing{}, Store: st, To: dir, Step: func(string, ...any) {}}
	if err := w.All(t.Context(), list); err == nil {
		t.Fatal("signed")
	}
	if _, _, err := Leftover(newStore(t), dir); fault.ClassOf(err) != fault.Failed {
		t.Errorf("another user's: %v", err)
	}
	file := w.Unsigned[0]
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; n < len(text); n += 97 {
		altered := slices.Clone(text)
		altered[n] ^= 1
		if err := os.WriteFile(file, altered, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := Leftover(st, dir); err == nil {
			t.Fatalf("byte %d altered, and taken", n)
		}
	}
	if _, _, err := Leftover(st, t.TempDir()); fault.ClassOf(err) != fault.Usage {
		t.Errorf("nothing left: %v", err)
	}
}

func TestNoBundleIsLost(t *testing.T) {
	t.Parallel()
	list := statements(t)[:2]
	list[1].Stem = list[0].Stem
	dir := t.TempDir()
	w := &Writer{Signer: &failing{left: 9}, Store: newStore(t), To: dir, Step: func(string, ...any) {}}
	if err := w.All(t.Context(), list); fault.ClassOf(err) != fault.Usage || len(names(t, dir)) != 0 {
		t.Errorf("two statements of one name: %v", err)
	}
	for name, want := range map[string]string{"tool": "tool", "a/b": "a-b", "..": "artefact", "": "artefact", "a\x1b[2J": "a-[2J", `a\b`: "a-b"} {
		if got := Stem(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
