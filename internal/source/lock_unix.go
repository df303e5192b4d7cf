//go:build unix

package source

import (
	"context"
	"errors"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// lockClone waits for the clone's lock. The kernel drops it when a process dies.
func lockClone(ctx context.Context, root *os.Root) (io.Closer, error) {
	f, err := root.OpenFile("lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, cacheError(err)
	}
	deadline := time.Now().Add(lockPatience)
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			f.Close()
			return nil, cacheError(err)
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			f.Close()
			return nil, fault.Inconclusivef("cache", "another process is fetching the same repository")
		}
	}
}
