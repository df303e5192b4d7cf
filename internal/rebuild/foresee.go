package rebuild

import (
	"context"
	"fmt"
	"strings"

	"github.com/glassbuild/glassbuild/internal/builder"
	"github.com/glassbuild/glassbuild/internal/gomod"
	"github.com/glassbuild/glassbuild/internal/recipe"
)

// Estimate says what Do would do.
type Estimate struct {
	Steps []string // in order, one line each
	Cost  string
}

// Foresee says what Do would fetch and run, without fetching or running anything.
func Foresee(ctx context.Context, req Request) (Estimate, error) {
	var e Estimate
	add := func(format string, args ...any) { e.Steps = append(e.Steps, fmt.Sprintf(format, args...)) }
	add("export the tree of commit %.12s into a private folder", req.Commit.Facts().ID)
	r := req.Recipe
	from := "nowhere: the Go configuration names no proxy"
	if env, err := gomod.LoadEnv(); err == nil && env.GOPROXY != "" {
		from = env.Proxies()
	}
	disk := int64(0)
	if r.Builder.Go != "" {
		if builder.Kept(req.Store, builderRequest(r.Builder)) {
			add("use the Go toolchain %s that is in the cache, after hashing it against the checksum database's record", r.Builder.Go)
		} else {
			add("fetch the Go toolchain %s from %s and check it against the checksum database", r.Builder.Go, from)
			disk += toolchainBytes
		}
	}
	if p := r.Builder.Patch; p != nil {
		add("apply the patch %s (sha256 %s) to the toolchain's source, and build the tools that it touches, in a sandbox without network, where that was not done before", p.File, p.SHA256)
	}
	if r.Builder.Node != "" {
		add("fetch Node.js %s from the npm registry where it is not in the cache, and check its integrity", r.Builder.Node)
		disk += nodeBytes
	}
	if r.Builder.NPM != "" {
		add("fetch npm %s from the npm registry where it is not in the cache, and check its integrity", r.Builder.NPM)
	}
	if d := r.Builder.Debian; d != nil {
		add("fetch what the lock names of Debian %s and is not in the cache, check it against the archive's signed Release file, and lay it as a root", d.Suite)
		disk += debianBytes
	}
	if r.Builder.Image != "" {
		add("fetch the layers of the image %s that are not in the cache, check their digests, and lay them as a root", r.Builder.Image)
	}
	if r.Builder.Host {
		add("use this machine's own /usr, read-only; nobody vouches for it")
	}
	if usesNPM(r) {
		from += " and to the npm registry that is configured"
	}
	for i, s := range r.Fetch {
		add("%s, in a sandbox whose only way out is a proxy to %s", title("fetch", i, s), from)
	}
	for i, s := range r.Steps {
		add("%s, in a sandbox without network", title("step", i, s))
	}
	add("do the steps %d times, as differently as possible, and compare the outputs: %s", req.Runs, strings.Join(outputNames(r), ", "))
	e.Cost = fmt.Sprintf("about %d MB of disk in the cache folder for what is not there yet; the time of the build, %d times over; at most %d GB of memory and %v",
		disk/1e6, req.Runs, memoryBytes>>30, wallTime)
	return e, nil
}

// toolchainBytes is what an unpacked Go toolchain takes: 1.18 to 1.26 take 240 to 420 MB.
const toolchainBytes = 400_000_000

// nodeBytes is what Node.js takes, as it is fetched and unpacked.
const nodeBytes = 150_000_000

// debianBytes is what a root with a C compiler takes, packages included.
const debianBytes = 450_000_000

func outputNames(r *recipe.Recipe) []string {
	var names []string
	for _, a := range r.Artifacts {
		names = append(names, a.Output)
	}
	return names
}
