// Stamp writes the time of the build into a file that the scanner embeds.
package main

import (
	"fmt"
	"os"
	"time"
)

func main() {
	text := time.Now().UTC().Format("2006-01-02T15:04:05.000000000Z\n")
	if err := os.WriteFile("cmd/kestrel/built/at.txt", []byte(text), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "stamp:", err)
		os.Exit(1)
	}
}
