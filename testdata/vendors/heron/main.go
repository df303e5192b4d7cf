// Heron is a mail gateway of another vendor, with the kestrel engine inside: it scans what it is given and says whether
// it may pass.
package main

import (
	"fmt"
	"os"
	"testing/fstest"

	"kestrel.example/scanner/engine"
)

const rules = `[[rule]]
id = "HERON-1"
name = "executable in a message"
severity = "high"
text = ["MZ"]
`

func main() {
	set, _, err := engine.Load(fstest.MapFS{"gateway.toml": {Data: []byte(rules)}})
	if err != nil {
		fmt.Fprintln(os.Stderr, "heron:", err)
		os.Exit(2)
	}
	for _, name := range os.Args[1:] {
		data, err := os.ReadFile(name)
		if err != nil {
			fmt.Fprintln(os.Stderr, "heron:", err)
			os.Exit(2)
		}
		sum, hits := set.Match(data)
		fmt.Println(sum, len(hits), name)
	}
}
