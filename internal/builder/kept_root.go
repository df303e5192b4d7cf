package builder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/glassbuild/glassbuild/internal/builder/rootfs"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/store"
)

// Names in the folder of a published root.
const (
	rootFolder   = "root"
	rootManifest = "manifest"
	rootStage    = "stage"
)

// errNoRoot says that no root of a key is kept, or none that holds.
var errNoRoot = errors.New("is not kept")

// openRoot returns the folder of a kept root and its digest. The digest that was computed when it was laid is kept apart,
// authenticated with this user's key; manifest and every file are held against it.
func openRoot(ctx context.Context, s *store.Store, kind, key string) (dir, digest string, err error) {
	tree, ok := s.Tree(kind, key)
	if !ok {
		return "", "", errNoRoot
	}
	want, ok := s.Result(kind, key)
	if !ok {
		return "", "", errNoRoot
	}
	m, err := rootfs.ReadText(filepath.Join(tree, rootManifest))
	if err != nil {
		return "", "", fmt.Errorf("%w: %w", errNoRoot, err)
	}
	if m.Digest() != string(want) {
		return "", "", fmt.Errorf("%w: its manifest is another", errNoRoot)
	}
	dir = filepath.Join(tree, rootFolder)
	if err := m.Verify(ctx, dir); err != nil {
		if ctx.Err() != nil {
			return "", "", ctx.Err()
		}
		return "", "", fmt.Errorf("%w: %w", errNoRoot, err)
	}
	return dir, m.Digest(), nil
}

// publishRoot lays a tree in the store.
func publishRoot(s *store.Store, kind, key string, lay func(*rootfs.Stage) (*rootfs.Tree, error)) (string, error) {
	return s.PublishTree(kind, key, func(dir string) error {
		stage, err := rootfs.NewStage(filepath.Join(dir, rootStage))
		if err != nil {
			return err
		}
		tree, err := lay(stage)
		if err != nil {
			return err
		}
		m, err := tree.Write(context.Background(), filepath.Join(dir, rootFolder))
		if err != nil {
			return err
		}
		if err := stage.Close(); err != nil {
			return fault.Inconclusivef("root file system", "%w", err)
		}
		if err := m.WriteText(filepath.Join(dir, rootManifest)); err != nil {
			return err
		}
		if err := os.Chmod(dir, 0o700); err != nil {
			return fault.Inconclusivef("root file system", "%w", err)
		}
		return s.PutResult(kind, key, []byte(m.Digest()))
	})
}
