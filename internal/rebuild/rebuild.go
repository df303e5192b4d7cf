// Package rebuild turns a verified commit and a recipe into outputs: export, prepare the builder, fetch, run, run again,
// hold the runs against each other.
//
// What it promises:
//
//   - Fetch steps have no network of their own: their only way out is a plain-HTTP proxy of this program on the sandbox's
//     loopback. What the proxy saw, never what the step wrote, is frozen by digest and replayed to the build (F6).
//   - Build steps have no network at all. They run in as many independent sandboxes as the policy demands, each made from
//     scratch and as unlike the others as can be; what was varied, and what could not be, is in the record.
//   - Nothing that a build writes is read by another run: work and outputs lie in memory of the sandbox, outputs are copied
//     out as plain files, and links, devices and set-uid files are refused (F7, row 78 of the bad-input list).
//   - A cached outcome is bound to every input and to the digest of this program, is authenticated, and says that it is one.
package rebuild

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/glassbuild/glassbuild/internal/builder"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/gomod"
	"github.com/glassbuild/glassbuild/internal/recipe"
	"github.com/glassbuild/glassbuild/internal/remote"
	"github.com/glassbuild/glassbuild/internal/sandbox"
	"github.com/glassbuild/glassbuild/internal/source"
	"github.com/glassbuild/glassbuild/internal/store"
)

// Checks that this package decides.
const (
	checkSteps    = "rebuild.steps"
	checkFetched  = "inputs.fetched"
	checkVendored = "inputs.vendored"
	checkBuilder  = "builder.available"
)

// Request says what to rebuild and with what.
type Request struct {
	Commit  *source.Commit
	Recipe  *recipe.Recipe
	Lock    *recipe.Lock // nil for none
	Runs    int
	Vary    []string // factors in which the runs differ, see ParseVary
	Runtime sandbox.Runtime
	Store   *store.Store
	Run     *store.Run
	Remote  *remote.Client
	// ArchiveKeys are OpenPGP keys that vouch for package archives beside the system's own.
	ArchiveKeys [][]byte
	// Buildinfo is a .buildinfo file whose versions of packages a lock takes; nil for none. It counts when a lock is made.
	Buildinfo []byte
	// Choose lets a builder choose versions where no lock names them. Only for a recipe that this program wrote itself: the vendor has no
	// say in it, and what was chosen stays chosen.
	Choose bool
	// resolve lets a builder choose versions anew: whoever makes a lock does.
	resolve bool
	// still is the second at which the wall clock of every run stands; 0 lets it go.
	still int64
	Fresh bool // take no cached outcome
	Shell Shell
	Step  func(format string, args ...any) // progress; must not be nil
}

// Shell is called after a failed step with the sandbox still open; nil for nothing.
type Shell func(ctx context.Context, s sandbox.Session, env []string, dir string) error

// Outcome is what a rebuild gave. After an error it holds what was reached.
type Outcome struct {
	Tree        *source.Tree
	TreeDir     string // where the tree was exported
	Builder     *builder.Root
	Inputs      *Inputs
	Runs        []*Result
	Disagree    *Disagreement // nil when the runs agree
	Account     *Account      // what was read; nil where no run ended well
	Cached      bool
	Record      Record
	LogTail     []string         // last lines of the step that failed
	pinnedFiles []recipe.Fetched // of the builder, where versions were chosen
	logs        []string         // of the runs, also of those that failed
	Isolation   sandbox.Isolation
}

// Agree tells whether there were at least two runs and all gave the same bytes.
func (o *Outcome) Agree() bool {
	return len(o.Runs) >= 2 && o.Disagree == nil
}

// Do rebuilds. The outcome is never nil.
func Do(ctx context.Context, req Request) (*Outcome, error) {
	o, err := Gather(ctx, req)
	if err != nil {
		return o, err
	}
	key, err := o.cacheKey(req)
	if err != nil {
		return o, err
	}
	if !req.Fresh && o.fromCache(req, key) {
		return o, nil
	}
	if err := o.build(ctx, req, key); err != nil {
		return o, err
	}
	if o.Disagree, err = disagreement(o.Runs, req.Recipe); err != nil {
		return o, err
	}
	if o.Agree() {
		o.toCache(ctx, req, key)
	}
	return o, nil
}

// Gather does what comes before the steps: it exports, prepares and fetches, and runs nothing but fetch steps. The outcome is never nil.
func Gather(ctx context.Context, req Request) (*Outcome, error) {
	o := &Outcome{}
	for _, step := range []func(context.Context, Request) error{o.export, o.prepare, o.fetch} {
		if err := step(ctx, req); err != nil {
			return o, err
		}
	}
	return o, nil
}

// export writes the commit's tree to a private folder.
func (o *Outcome) export(ctx context.Context, req Request) error {
	dir, err := req.Run.Dir("source")
	if err != nil {
		return err
	}
	req.Step("exporting commit %.12s", req.Commit.Facts().ID)
	o.Tree, err = req.Commit.Export(ctx, dir)
	o.TreeDir = dir
	return err
}

// prepare makes the builder's root ready.
func (o *Outcome) prepare(ctx context.Context, req Request) error {
	req.Step("preparing the builder")
	if p := req.Recipe.Builder.Platform; p != "" && p != runtime.GOOS+"/"+runtime.GOARCH {
		return fault.Inconclusivef("builder", "no builder for %s", fault.Quote(p)).WithCheck(checkBuilder).
			WithHint("this machine builds for and on %s; what others can cross-compile needs no platform", runtime.GOOS+"/"+runtime.GOARCH)
	}
	env, err := gomod.LoadEnv()
	if err != nil {
		return named(err, checkBuilder)
	}
	want, err := builderRequest(req.Recipe.Builder), lockFits(req)
	if err != nil {
		return named(err, checkBuilder)
	}
	want.Pins = pins(req.Lock)
	opts := builder.Options{Store: req.Store, Remote: req.Remote, Offline: req.Remote.Offline(), GoEnv: env, ArchiveKeys: req.ArchiveKeys}
	if want.Debian != nil {
		if want.Debian.Pins, err = o.debianPins(ctx, req, want, opts); err != nil {
			return named(err, checkBuilder)
		}
	}
	root, err := builder.Prepare(ctx, want, opts)
	if err != nil {
		return named(err, checkBuilder)
	}
	o.Builder = root
	if err := o.patchToolchain(ctx, req, opts); err != nil {
		return named(err, checkBuilder)
	}
	if err := pinned(req.Lock, root); err != nil {
		return err
	}
	o.Record.Packages = root.Packages()
	return checkScripts(req.Recipe, root)
}

// builderRequest translates what the recipe says.
func builderRequest(b recipe.Builder) builder.Request {
	req := builder.Request{Image: b.Image, Go: b.Go, Without: b.Without, Host: b.Host, Node: b.Node, NPM: b.NPM}
	if d := b.Debian; d != nil {
		req.Debian = &builder.Debian{Suite: d.Suite, Wanted: d.Packages, Mirror: d.Mirror}
	}
	return req
}

// checkScripts refuses a script where no shell is: a Go toolchain alone holds none.
func checkScripts(r *recipe.Recipe, root *builder.Root) error {
	if holdsShell(root) {
		return nil
	}
	for _, list := range [][]recipe.Step{r.Fetch, r.Steps} {
		for _, s := range list {
			if s.Script != "" {
				return fault.Usagef("recipe", "a step is a script, and the builder holds no shell").
					WithHint("write it as run = [\"program\", \"argument\"], or choose a builder that holds /bin/sh")
			}
		}
	}
	return nil
}

func holdsShell(root *builder.Root) bool { return holds(root, "/bin/sh", "/usr/bin/sh") }

// mayHold looks for a name below a folder. A link on the way that leads out of it, which is where an absolute one seems to
// lead, is not followed on this machine: then the name may be there.
func mayHold(dir, name string) bool {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return false
	}
	defer root.Close()
	_, err = root.Lstat(strings.TrimPrefix(name, "/"))
	return err == nil || !errors.Is(err, fs.ErrNotExist)
}

// build runs the steps in independent sandboxes. The second run waits for the first, whose trace says what it is shown;
// further ones run beside the first. A run that fails does not end the others: which one failed first is a matter of
// timing, and the same inputs give the same verdict.
func (o *Outcome) build(ctx context.Context, req Request, key string) error {
	o.Runs = make([]*Result, req.Runs)
	errs := make([]error, req.Runs)
	var g errgroup.Group
	g.SetLimit(parallelRuns(req))
	g.Go(func() error {
		if o.Runs[0] = o.firstKept(req, key); o.Runs[0] == nil {
			o.Runs[0], errs[0] = o.runOnce(ctx, req, 0, view{trace: true})
		}
		if req.Shell == nil || errs[0] == nil { // else somebody has looked at it already
			errs[1] = o.second(ctx, req, errs[0])
		}
		return nil
	})
	for i := 2; i < req.Runs; i++ {
		g.Go(func() error {
			o.Runs[i], errs[i] = o.runOnce(ctx, req, i, view{})
			return nil
		})
	}
	_ = g.Wait() // every error stands in errs
	o.gather()
	if ctx.Err() != nil {
		if errs[0] == nil {
			o.keepFirst(ctx, req, key)
		}
		o.Runs = nil
		return ctx.Err()
	}
	if err := firstOf(errs); err != nil {
		o.Runs = nil
		return err
	}
	return nil
}

// second runs the build again, shown only what the trace of the first run names. Where that ends otherwise it is run once
// more with everything: whether the build reproduces, and what it reads, are two questions.
func (o *Outcome) second(ctx context.Context, req Request, failed error) (err error) {
	if failed != nil {
		o.Runs[1], err = o.runOnce(ctx, req, 1, view{})
		return err
	}
	steps := o.Runs[0].Record.Steps
	names := openedBy(steps, recipe.SourceDir)
	if o.Account = o.account(steps, names); o.Account.Why == "" {
		if err := o.prove(ctx, req, names); err != nil || o.Account.Proved {
			return err
		}
		o.keepLog(o.Record.Restricted)
		req.Step("%s; running it again with everything", o.Account.Why)
	}
	if o.Runs[1], err = o.runOnce(ctx, req, 1, view{trace: o.Account.Refuted}); err != nil || !o.Account.Refuted {
		return err
	}
	return o.again(ctx, req, names)
}

// again tries the account once more with the files that the second run opened as well: in another locale a program reads
// other files.
func (o *Outcome) again(ctx context.Context, req Request, names []string) error {
	other := o.Runs[1]
	if d, err := disagreement(o.Runs[:2], req.Recipe); err != nil || d != nil {
		return err
	}
	more := union(names, openedBy(other.Record.Steps, other.Record.Variation.Source))
	a := o.account(append(slices.Clone(o.Runs[0].Record.Steps), other.Record.Steps...), more)
	if len(more) == len(names) || a.Why != "" {
		return nil
	}
	o.Account = a
	if err := o.prove(ctx, req, more); err != nil {
		return err
	}
	if !o.Account.Proved {
		o.keepLog(o.Record.Restricted)
		o.Runs[1] = other
	}
	return nil
}

// prove runs the build as the second run, shown only the named files, and takes that for the second run where it gives the
// same bytes as the first.
func (o *Outcome) prove(ctx context.Context, req Request, names []string) error {
	r, err := o.runOnce(ctx, req, 1, view{restrict: true, opened: names})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	why, err := refute([]*Result{o.Runs[0], r}, req.Recipe, err)
	if err != nil {
		return err
	}
	if why == "" {
		o.Account.Proved, o.Runs[1], o.Record.Restricted = true, r, nil
		return r.isSecond()
	}
	o.Account.Why, o.Account.Refuted, o.Record.Restricted = why, true, &r.Record
	return nil
}

// isSecond gives the log of a restricted run the name of the second run's.
func (r *Result) isSecond() error {
	name := filepath.Join(filepath.Dir(r.Log), "run-2.log")
	if err := os.Rename(r.Log, name); err != nil {
		return fault.Inconclusivef("log", "%w", err)
	}
	r.Log, r.Record.log = name, name
	return nil
}

// keepLog puts the log of a restricted run aside, before the run that takes its place writes one.
func (o *Outcome) keepLog(r *RunRecord) {
	aside := filepath.Join(filepath.Dir(r.log), "restricted.log")
	if os.Rename(r.log, aside) == nil && !slices.Contains(o.logs, aside) {
		o.logs = append(o.logs, aside)
	}
}

// gather takes over what the runs left, also those that failed.
func (o *Outcome) gather() {
	for _, r := range o.Runs {
		if r == nil {
			continue
		}
		if o.Runs[0] != nil {
			o.programs(r.Record.Clock, o.Runs[0].Record.Steps)
		}
		o.Record.Runs = append(o.Record.Runs, r.Record)
		if r.Log != "" {
			o.logs = append(o.logs, r.Log)
		}
		if o.LogTail == nil {
			o.LogTail = r.tail
		}
	}
	if r := o.Record.Restricted; r != nil && o.Runs[0] != nil {
		o.programs(r.Clock, o.Runs[0].Record.Steps)
	}
	o.Record.Account = o.Account
}

// firstOf returns the error of the first run that failed, and says so when another run did not.
func firstOf(errs []error) error {
	failed := slices.IndexFunc(errs, func(err error) bool { return err != nil })
	if failed < 0 {
		return nil
	}
	fine := slices.Index(errs, nil)
	var f *fault.Error
	if fine < 0 || !errors.As(errs[failed], &f) {
		return errs[failed]
	}
	return f.WithHint("run %d failed and run %d did not: the build depends on something that is varied between runs; --keep DIR leaves both logs", failed+1, fine+1)
}

// parallelRuns is one when somebody may be asked to look at a failed step.
func parallelRuns(req Request) int {
	if req.Shell != nil {
		return 1
	}
	return 2
}

// KeepOutputs copies what the runs made into dir, one folder a run where they disagree.
func (o *Outcome) KeepOutputs(dir string) error {
	for i, r := range o.Runs {
		if i > 0 && o.Disagree == nil {
			break
		}
		to := dir
		if o.Disagree != nil {
			to = filepath.Join(dir, fmt.Sprintf("run-%d", i+1))
		}
		for _, out := range r.Outputs {
			if err := copyFile(r.Path(out.Path), filepath.Join(to, filepath.FromSlash(out.Path)), out.Mode.Perm()); err != nil {
				return fault.Inconclusivef(fault.Quote(out.Path), "output not kept: %w", err)
			}
		}
	}
	return nil
}

func copyFile(from, to string, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode&0o777|0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	return err
}

// KeepLogs copies the logs of the runs into dir, above all of those that failed.
func (o *Outcome) KeepLogs(dir string) error {
	for _, log := range o.logs {
		data, err := os.ReadFile(log)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, filepath.Base(log)), data, 0o644)
		}
		if err != nil {
			return fault.Inconclusivef(dir, "log not kept: %w", err)
		}
	}
	return nil
}
