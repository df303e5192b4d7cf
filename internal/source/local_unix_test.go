//go:build unix

package source

import (
	"context"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Opening a FIFO waits for its other end, which a hostile repository never opens.
func TestFIFOsDoNotBlock(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"refs/heads/fifo", "packed-refs", "config", "shallow", "objects/pack/pack-1.idx"} {
		r := newRepo(t)
		id := r.commit("m")
		if name == "config" {
			r.run("config", "--rename-section", "core", "core2")
		}
		path := filepath.Join(r.dir, ".git", name)
		if name == "objects/pack/pack-1.idx" {
			r.write(".git/objects/pack/pack-1.pack", "PACK")
		}
		removeFile(t, path)
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Skip("no pipes on this file system:", err)
		}
		_, err := Open(context.Background(), r.dir, id, Options{})
		wantFault(t, err, fault.Inconclusive, "not a regular file")
	}
}
