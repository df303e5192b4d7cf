package builder

import (
	"debug/elf"
	"errors"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// checkLoader refuses a toolchain whose go command needs a loader and a C library, for a root that holds nothing else: it could not
// start, and the kernel would say no more than that a file is missing (execve(2), ENOENT). Toolchains before Go 1.21 are so
// (https://go.dev/blog/rebuild).
func checkLoader(layer *Layer) error {
	f, err := elf.Open(filepath.Join(layer.Dir, "bin", "go"))
	var malformed *elf.FormatError
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, io.EOF), errors.As(err, &malformed):
		return nil // left out on purpose, or a program of another system
	case err != nil:
		return fault.Inconclusivef("go"+layer.Version, "its go command cannot be read: %w", err).WithCheck(CheckAvailable)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return fault.Inconclusivef("go"+layer.Version, "its go command needs a C library, and the builder holds none").
				WithHint("add host = true under [builder] in a recipe of your own; nobody vouches for that builder").WithCheck(CheckAvailable)
		}
	}
	return nil
}
