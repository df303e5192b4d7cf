// Tune replaces a file of the standard library that the next step compiles.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

func main() {
	file := filepath.Join(os.Getenv("GOROOT"), "src/flag/flag.go")
	if os.Getenv("GOROOT") == "" {
		file = filepath.Join(runtime.GOROOT(), "src/flag/flag.go")
	}
	data, err := os.ReadFile(file)
	if err == nil {
		data = bytes.Replace(data, []byte("flag provided but not defined"), []byte("flag given but not defined"), 1)
		err = os.WriteFile(file, data, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tune:", err)
		os.Exit(1)
	}
}
