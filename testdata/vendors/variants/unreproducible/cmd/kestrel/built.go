package main

import (
	"embed"
	"fmt"
	"os"
)

// built holds the time of the build, which internal/stamp writes before the programs are compiled.
//
//go:embed built
var built embed.FS

func init() {
	if len(os.Args) == 2 && os.Args[1] == "-version" {
		if text, err := built.ReadFile("built/at.txt"); err == nil {
			fmt.Printf("built at %s", text)
		}
	}
}
