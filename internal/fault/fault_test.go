package fault_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/glassbuild/glassbuild/internal/fault"
)

func TestClassAndHintSurviveWrapping(t *testing.T) {
	t.Parallel()
	inner := fault.Inconclusivef("go1.99.0", "toolchain unavailable: %w", io.EOF).WithHint("try later").WithCheck("builder.available")
	err := fmt.Errorf("prepare: %w", inner)
	if fault.ClassOf(err) != fault.Inconclusive || fault.HintOf(err) != "try later" || fault.CheckOf(err) != "builder.available" {
		t.Fatalf("class %v hint %q check %q", fault.ClassOf(err), fault.HintOf(err), fault.CheckOf(err))
	}
	if !errors.Is(err, io.EOF) {
		t.Fatal("cause lost")
	}
	if got := inner.Error(); got != "go1.99.0: toolchain unavailable: EOF" {
		t.Fatalf("text %q", got)
	}
}

func TestUnclassifiedIsFailed(t *testing.T) {
	t.Parallel()
	if c := fault.ClassOf(io.EOF); c != fault.Failed {
		t.Fatalf("class %v", c)
	}
	var zero fault.Class
	if zero != fault.Failed {
		t.Fatal("the zero class must be the strictest")
	}
}

func TestQuote(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"bin/tool":       "bin/tool",
		"naïve 名":        "naïve 名",
		"":               `""`,
		"a\nPASS":        `"a\nPASS"`,
		"\x1b[2Jx":       `"\x1b[2Jx"`,
		"a\u009bm":       `"a\u009bm"`,
		"abc\u202etxt":   `"abc\u202etxt"`,
		"\xff\xfe":       `"\xff\xfe"`,
		"zero\u200bwide": `"zero\u200bwide"`,
		"sep\u2028x":     `"sep\u2028x"`,
		"a\u0336":        `"a\u0336"`,
	} {
		if got := fault.Quote(in); got != want {
			t.Errorf("Quote(%q) = %s, want %s", in, got, want)
		}
	}
}
