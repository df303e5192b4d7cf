package verify

import (
	"context"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/gomod"
	"github.com/glassbuild/glassbuild/internal/sandbox"
	"github.com/glassbuild/glassbuild/internal/store"
)

// Finding is one thing that this machine offers, or does not.
type Finding = sandbox.Finding

// Doctor tries out what a verification needs of this machine. The second value tells whether it can rebuild.
func Doctor(ctx context.Context) ([]Finding, bool) {
	caps, err := sandbox.Embedded().Probe(ctx)
	list := caps.Findings
	ok := err == nil && caps.OK()
	if err != nil {
		list = append(list, Finding{Name: "sandbox", Needed: true, Detail: err.Error(), Remedy: fault.HintOf(err)})
	}
	list = append(list, cacheFinding(), goFinding())
	for _, f := range list {
		ok = ok && (f.OK || !f.Needed)
	}
	return list, ok
}

func cacheFinding() Finding {
	f := Finding{Name: "cache folder", Needed: true}
	dir, err := store.DefaultDir()
	if err == nil {
		f.Detail = dir
		_, err = store.Open(dir)
	}
	if err != nil {
		f.Detail, f.Remedy = err.Error(), fault.HintOf(err)
		return f
	}
	f.OK = true
	return f
}

func goFinding() Finding {
	env, err := gomod.LoadEnv()
	if err == nil {
		_, err = gomod.NewSource(env, nil) // reads the configuration, and connects to nothing
	}
	if err != nil {
		return Finding{Name: "go configuration", Detail: err.Error(), Remedy: fault.HintOf(err)}
	}
	return Finding{Name: "go configuration", OK: true, Detail: "modules come from GOPROXY=" + env.Proxies()}
}
