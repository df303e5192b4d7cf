//go:build !unix

package source

import (
	"context"
	"io"
	"os"
)

// lockClone keeps the file open, which on Windows keeps others from replacing it.
func lockClone(_ context.Context, root *os.Root) (io.Closer, error) {
	f, err := root.OpenFile("lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, cacheError(err)
	}
	return f, nil
}
