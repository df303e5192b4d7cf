// Makevendor makes the sample vendors in a folder: repositories, releases, keys and expected.json.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/glassbuild/glassbuild/testdata/vendors"
)

func main() {
	out := flag.String("out", "", "write into `DIR`, which must be new or empty")
	only := flag.String("only", "", "comma separated `NAMES` of the releases to make; default all")
	keep := flag.Bool("keep", false, "leave the work trees of the builds in DIR/.work")
	flock := flag.Bool("flock", false, "make the vendors that build with a whole Debian system instead of Kestrel")
	host := flag.Bool("host", false, "with -flock: build with this machine's own tools, where a vendor can")
	program := flag.String("bin", "glassbuild", "with -flock: the `PROGRAM` that locks and builds")
	list := flag.Bool("list", false, "print the names of the releases and exit")
	flag.Parse()
	if *list {
		names := vendors.Names()
		if *flock {
			names = vendors.FlockNames(*host)
		}
		fmt.Println(strings.Join(names, "\n"))
		return
	}
	if *out == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	var names []string
	if *only != "" {
		names = strings.Split(*only, ",")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var made *vendors.Expected
	var err error
	if *flock {
		bin := *program
		if strings.ContainsRune(bin, filepath.Separator) { // it is run in another folder
			bin, err = filepath.Abs(bin)
		}
		if err == nil {
			made, err = vendors.MakeFlock(ctx, *out, vendors.FlockOptions{Only: names, Keep: *keep, Host: *host, Program: bin})
		}
	} else {
		made, err = vendors.Make(ctx, *out, vendors.Options{Only: names, Keep: *keep})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "makevendor:", err)
		os.Exit(1)
	}
	fmt.Fprintf(os.Stderr, "makevendor: %d releases in %s\n", len(made.Releases), *out)
}
