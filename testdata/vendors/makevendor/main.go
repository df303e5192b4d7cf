// Makevendor makes the sample vendors in a folder: repositories, releases, keys and expected.json.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"

	"github.com/glassbuild/glassbuild/testdata/vendors"
)

func main() {
	out := flag.String("out", "", "write into `DIR`, which must be new or empty")
	only := flag.String("only", "", "comma separated `NAMES` of the releases to make; default all")
	keep := flag.Bool("keep", false, "leave the work trees of the builds in DIR/.work")
	list := flag.Bool("list", false, "print the names of the releases and exit")
	flag.Parse()
	if *list {
		fmt.Println(strings.Join(vendors.Names(), "\n"))
		return
	}
	if *out == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	opt := vendors.Options{Keep: *keep}
	if *only != "" {
		opt.Only = strings.Split(*only, ",")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	made, err := vendors.Make(ctx, *out, opt)
	if err != nil {
		fmt.Fprintln(os.Stderr, "makevendor:", err)
		os.Exit(1)
	}
	fmt.Fprintf(os.Stderr, "makevendor: %d releases in %s\n", len(made.Releases), *out)
}
