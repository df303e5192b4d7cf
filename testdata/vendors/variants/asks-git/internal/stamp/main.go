// Stamp writes what git calls this commit into a file that the scanner embeds.
package main

import (
	"fmt"
	"os"
	"os/exec"
)

func main() {
	text, err := exec.Command("git", "describe", "--tags", "--always", "--dirty").Output()
	if err == nil {
		err = os.WriteFile("cmd/kestrel/described/as.txt", text, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "stamp: git describe:", err)
		os.Exit(1)
	}
}
