// Assemble puts the release together.
package main

import (
	"archive/tar"
	"fmt"
	"io"
	"os"
)

func main() {
	if err := assemble("engine/testdata/corpus.tar", "/out/kestrel"); err != nil {
		fmt.Fprintln(os.Stderr, "assemble:", err)
		os.Exit(1)
	}
}

func assemble(from, to string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	archive := tar.NewReader(f)
	if _, err := archive.Next(); err != nil {
		return err
	}
	data, err := io.ReadAll(archive)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o755)
}
