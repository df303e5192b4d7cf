package verify

import (
	"context"
	"os"
	"path/filepath"

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
	list = append(list, runtimeFindings(ctx)...)
	list = append(list, cacheFinding(), goFinding())
	for _, f := range list {
		ok = ok && (f.OK || !f.Needed)
	}
	return list, ok
}

// runtimeFindings tries out the OCI runtimes of this machine. None is needed.
func runtimeFindings(ctx context.Context) []Finding {
	var list []Finding
	for _, path := range sandbox.Found() {
		f := Finding{Name: "runtime " + filepath.Base(path), Detail: path}
		if err := tryRuntime(ctx, path); err != nil {
			f.Detail, f.Remedy = err.Error(), fault.HintOf(err)
		} else {
			f.OK, f.Detail = true, path+": --sandbox "+path+" works as well"
		}
		list = append(list, f)
	}
	if len(list) == 0 {
		list = append(list, Finding{Name: "OCI runtime", Detail: "none found; none is needed", Remedy: "with runc installed, --sandbox runc builds in sandboxes that another program makes"})
	}
	return list
}

func tryRuntime(ctx context.Context, path string) error {
	dir, err := os.MkdirTemp("", "glassbuild-doctor-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	r, err := sandbox.OCI(ctx, path, func() (string, error) { return os.MkdirTemp(dir, "bundle-") })
	if err != nil {
		return err
	}
	s, err := r.Start(ctx, sandbox.Spec{})
	if err != nil {
		return err
	}
	return s.Close()
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
