package verify

import (
	"slices"
	"testing"
)

func TestWords(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][]string{
		"":                          nil,
		"  go  build\t-x ":          {"go", "build", "-x"},
		`go build "-ldflags=-s -w"`: {"go", "build", "-ldflags=-s -w"},
		`echo '' "a"'b'`:            {"echo", "", "ab"},
	} {
		got, err := words(in)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	if _, err := words(`go "x`); err == nil {
		t.Error("an open quote is accepted")
	}
}
