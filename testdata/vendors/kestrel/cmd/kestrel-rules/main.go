// Kestrel-rules lists, validates and compiles detection rules.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"

	"kestrel.example/scanner/engine"
	"kestrel.example/scanner/rules"
)

const usage = `usage: kestrel-rules list
       kestrel-rules validate FILE...
       kestrel-rules compile -o OUT FILE...
`

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return 2
	}
	var err error
	switch args[0] {
	case "list":
		err = list(stdout)
	case "validate":
		err = validate(args[1:], stdout)
	case "compile":
		err = compile(args[1:], stderr)
	default:
		fmt.Fprint(stderr, usage)
		return 2
	}
	if err != nil {
		fmt.Fprintln(stderr, "kestrel-rules:", err)
		return 1
	}
	return 0
}

func list(w io.Writer) error {
	_, all, err := engine.Load(rules.Files)
	for _, r := range all {
		fmt.Fprintf(w, "%s %-6s %s\n", r.ID, r.Severity, r.Name)
	}
	return err
}

func read(files []string) ([]engine.Rule, error) {
	var all []engine.Rule
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		more, err := engine.Parse(name, data)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	_, err := engine.Compile(all)
	return all, err
}

func validate(files []string, w io.Writer) error {
	all, err := read(files)
	if err == nil {
		fmt.Fprintf(w, "%d rules in %d files\n", len(all), len(files))
	}
	return err
}

func compile(args []string, stderr io.Writer) error {
	flags := flag.NewFlagSet("compile", flag.ContinueOnError)
	flags.SetOutput(stderr)
	out := flags.String("o", "rules.json", "write to `FILE`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	all, err := read(flags.Args())
	if err != nil {
		return err
	}
	data, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return os.WriteFile(*out, append(data, '\n'), 0o644)
}
