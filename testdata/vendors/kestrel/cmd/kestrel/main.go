// Kestrel walks directories and reports files that match its rules.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime/debug"
	"strings"

	"kestrel.example/scanner/engine"
	"kestrel.example/scanner/rules"
)

// defaultExclude is a comma separated list of paths that packagers may set for their distribution.
var defaultExclude string

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run returns the exit code: 0 nothing found, 1 something found, 2 could not look.
func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("kestrel", flag.ContinueOnError)
	flags.SetOutput(stderr)
	asJSON := flags.Bool("json", false, "print the report as JSON")
	ruleDir := flags.String("rules", "", "read rules from `DIR` instead of the built-in ones")
	exclude := flags.String("exclude", defaultExclude, "comma separated `LIST` of paths to leave out")
	maxSize := flags.Int64("max-size", 64<<20, "skip files of more than this many `BYTES`")
	version := flags.Bool("version", false, "print the version")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if *version {
		fmt.Fprintln(stdout, "kestrel", release())
		return 0
	}
	if flags.NArg() == 0 {
		fmt.Fprintln(stderr, "kestrel: no directory given")
		return 2
	}
	source, from := rulesFrom(*ruleDir)
	set, _, err := engine.Load(source)
	if err != nil {
		fmt.Fprintf(stderr, "kestrel: %s: %v\n", from, err)
		return 2
	}
	opt := engine.Options{MaxSize: *maxSize}
	if *exclude != "" {
		opt.Exclude = strings.Split(*exclude, ",")
	}
	code := 0
	for _, root := range flags.Args() {
		code = max(code, report(engine.Scan(root, set, opt), *asJSON, stdout, stderr))
	}
	return code
}

func report(rep engine.Report, asJSON bool, stdout, stderr io.Writer) int {
	for _, text := range rep.Errors {
		fmt.Fprintln(stderr, "kestrel:", text)
	}
	if asJSON {
		enc := json.NewEncoder(stdout)
		enc.SetIndent("", "  ")
		if err := enc.Encode(rep); err != nil {
			return 2
		}
	} else {
		for _, f := range rep.Findings {
			for _, h := range f.Hits {
				fmt.Fprintf(stdout, "%-6s %s %q %s\n", h.Level, h.Rule, f.Path, h.Name)
			}
		}
		fmt.Fprintf(stdout, "%d files, %d skipped, %d findings\n", rep.Files, rep.Skipped, len(rep.Findings))
	}
	switch {
	case len(rep.Errors) > 0:
		return 2
	case len(rep.Findings) > 0:
		return 1
	}
	return 0
}

// release is the module version that the go command stamped.
func release() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

func rulesFrom(dir string) (source fs.FS, from string) {
	if dir == "" {
		return rules.Files, "built-in rules"
	}
	return os.DirFS(dir), dir
}
