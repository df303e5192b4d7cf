package rebuild

import (
	"context"
	"encoding/json"

	"github.com/glassbuild/glassbuild/internal/rebuild/vcs"
	"github.com/glassbuild/glassbuild/internal/sandbox"
)

// firstRun is the first run of a build that was interrupted before the others ended. It is bound to what a whole outcome is bound
// to, and authenticated in the same way; whoever goes on from it says that the outcome is a cached one.
type firstRun struct {
	Outputs []sandbox.Output
	Git     vcs.Log
	Record  RunRecord
	Left    *Left
}

const firstKind = "first-run"

// keepFirst keeps the first run for whoever builds the same again. What cannot be kept is built anew.
func (o *Outcome) keepFirst(ctx context.Context, req Request, key string) {
	r := o.Runs[0]
	if r == nil || req.Fresh || req.Shell != nil {
		return
	}
	ctx = context.WithoutCancel(ctx) // it is over because of that
	for _, out := range r.Outputs {
		if req.Store.Adopt(ctx, r.Path(out.Path), out.SHA256, outputBytes) != nil {
			return
		}
	}
	if data, err := json.Marshal(firstRun{r.Outputs, r.Git, r.Record, r.Left}); err == nil {
		_ = req.Store.PutResult(firstKind, key, data)
	}
}

// firstKept returns the first run of an interrupted build, nil where there is none that is whole.
func (o *Outcome) firstKept(req Request, key string) *Result {
	if req.Fresh || req.Shell != nil {
		return nil
	}
	data, ok := req.Store.Result(firstKind, key)
	var f firstRun
	if !ok || json.Unmarshal(data, &f) != nil || len(f.Outputs) != len(req.Recipe.Artifacts) {
		return nil
	}
	dir, err := req.Run.Dir("out")
	if err != nil {
		return nil
	}
	r := &Result{Dir: dir, Outputs: f.Outputs, Git: f.Git, Record: f.Record, Left: f.Left}
	for i, out := range f.Outputs {
		if out.Path != req.Recipe.Artifacts[i].Output || restore(req, out, r.Path(out.Path)) != nil {
			return nil
		}
	}
	req.Step("going on from the first run of a build that was interrupted")
	o.Cached, o.Record.Cached = true, true
	return r
}
