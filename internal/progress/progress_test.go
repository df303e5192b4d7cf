package progress_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/progress"
)

func TestReaderTellsTheSink(t *testing.T) {
	t.Parallel()
	var m progress.Meter
	ctx := progress.With(t.Context(), &m)
	r := progress.Reader(ctx, strings.NewReader("twelve bytes"), 12)
	if _, err := io.CopyN(io.Discard, r, 5); err != nil {
		t.Fatal(err)
	}
	if done, expected := m.Read(); done != 5 || expected != 12 {
		t.Errorf("done %d of %d, want 5 of 12", done, expected)
	}
	m.Reset()
	if done, expected := m.Read(); done != 0 || expected != 0 {
		t.Errorf("after a reset: done %d of %d", done, expected)
	}
}

func TestNobodyLooks(t *testing.T) {
	t.Parallel()
	r := strings.NewReader("x")
	if progress.Reader(context.Background(), r, 1) != io.Reader(r) {
		t.Error("a reader that nobody watches is wrapped")
	}
	var m progress.Meter
	if progress.Reader(progress.With(t.Context(), &m), r, 0) != io.Reader(r) {
		t.Error("a reader of unknown size is wrapped: its bytes would count against nothing")
	}
}
