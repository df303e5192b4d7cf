package rebuild

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/rebuild/fetchproxy"
	"github.com/glassbuild/glassbuild/internal/rebuild/vcs"
	"github.com/glassbuild/glassbuild/internal/recipe"
	"github.com/glassbuild/glassbuild/internal/sandbox"
	"github.com/glassbuild/glassbuild/internal/store"
)

// Result is what one run gave.
type Result struct {
	Dir     string           // host folder with the outputs
	Outputs []sandbox.Output // the declared ones, in the recipe's order
	Git     vcs.Log          // what the build asked git
	Log     string           // host path of the log
	Record  RunRecord
	Left    *Left // of the first run; nil of others
	tail    []string
	kept    *store.Store // where the outputs lie, in place of Dir, when they are of an earlier build
}

// Path returns the host path of an output, which is only read. Where the store does not hold what was built any more there is
// no file at that path.
func (r *Result) Path(output string) string {
	if sum, ok := r.keptAs(output); ok {
		if path, err := r.kept.BlobFile(sum); err == nil {
			return path
		}
	}
	return filepath.Join(r.Dir, filepath.FromSlash(output))
}

// keptAs tells the digest under which the store holds an output.
func (r *Result) keptAs(output string) (string, bool) {
	if r.kept == nil {
		return "", false
	}
	i := slices.IndexFunc(r.Outputs, func(o sandbox.Output) bool { return o.Path == output })
	if i < 0 {
		return "", false
	}
	return r.Outputs[i].SHA256, true
}

// OutputFile is an output that is open for reading.
type OutputFile struct {
	*os.File
	size int64
}

// Size returns the number of bytes.
func (o OutputFile) Size() int64 { return o.size }

// Open opens an output.
func (r *Result) Open(output string) (OutputFile, error) {
	var f *os.File
	var err error
	if sum, ok := r.keptAs(output); ok {
		if f, err = r.kept.OpenBlob(sum); err != nil {
			return OutputFile{}, err
		}
	} else {
		f, err = os.Open(filepath.Join(r.Dir, filepath.FromSlash(output)))
	}
	if err == nil {
		st, serr := f.Stat()
		if serr == nil {
			return OutputFile{f, st.Size()}, nil
		}
		f.Close()
		err = serr
	}
	var p *os.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return OutputFile{}, fault.Inconclusivef(fault.Quote(output), "%w", err)
}

// view is what a run is shown of its inputs, and whether it is written down what it opens.
type view struct {
	trace    bool
	restrict bool     // to the files that opened names
	opened   []string // paths inside
}

// runOnce builds once, from scratch.
func (o *Outcome) runOnce(ctx context.Context, req Request, n int, shown view) (*Result, error) {
	v := o.variation(req, n)
	res := &Result{Record: RunRecord{Variation: v, Clock: v.told, Started: time.Now().UTC()}}
	defer func() { res.Record.Finished = time.Now().UTC() }()
	logs, err := req.Run.Dir("log")
	if err != nil {
		return res, err
	}
	name := fmt.Sprintf("run-%d.log", n+1)
	if shown.restrict {
		name = "run-2-restricted.log"
	}
	res.Log = filepath.Join(logs, name)
	res.Record.log = res.Log
	log, err := os.Create(res.Log)
	if err != nil {
		return res, fault.Inconclusivef("log", "%w", err)
	}
	defer log.Close()
	spec, err := o.spec(req, v)
	if err != nil {
		return res, err
	}
	for _, m := range o.pinned(spec.Mounts) {
		m.Trace = shown.trace
		if shown.restrict {
			restrict(m, shown.opened, v)
		}
	}
	if shown.restrict {
		res.Record.Shown = len(shown.opened)
	}
	spec.Log = log
	s, err := req.Runtime.Start(ctx, spec)
	if err != nil {
		return res, err
	}
	defer s.Close()
	res.Record.Isolation = s.Isolation()
	proxies, stop, err := serve(ctx, req, s, o.replayed(), map[string]*fetchproxy.Closure{"npm": o.npmClosure()})
	if err != nil {
		return res, err
	}
	defer stop()
	if err := o.steps(ctx, req, s, v, n, res); err != nil {
		res.tail = tail(res.Log)
		return res, fetchFault(err, proxies)
	}
	if res.Git, err = gitLog(ctx, s); err != nil {
		return res, err
	}
	if err := res.collect(ctx, req, s); err != nil {
		return res, err
	}
	if n == 0 {
		res.Left = o.leave(ctx, req, s, v)
	}
	res.Record.Times, err = timesIn(res, res.Outputs, v.told.spans(res.Record.Started, time.Now()), req.Commit.Facts().Committer.When)
	return res, err
}

// spec describes the sandbox of one run.
func (o *Outcome) spec(req Request, v Variation) (sandbox.Spec, error) {
	spec := sandbox.Spec{Identity: v.identity(), Limits: limits(), Mounts: o.mounts(v), Files: o.files(), Dirs: []string{goPath}}
	if o.Inputs != nil && o.Inputs.dir != "" {
		spec.Mounts = append(spec.Mounts, sandbox.Mount{Kind: sandbox.ReadOnly, Source: o.Inputs.dir, Target: proxyDir})
	}
	spec.Listen = addresses(o.replayed())
	if err := v.told.preload(req, &spec); err != nil {
		return spec, err
	}
	if req.Recipe.VCS.Stamp {
		facts, err := o.gitFacts(req, v.Source)
		if err != nil {
			return spec, err
		}
		spec.GitStandIn = gitPath
		spec.Dirs = append(spec.Dirs, path.Join(v.Source, ".git"))
		for _, m := range o.Tree.Submodules {
			// a file, as git leaves it there: with a folder, Go from 1.21 on would stamp the submodule's commit
			spec.Files = append(spec.Files, sandbox.File{Path: path.Join(v.Source, m.Path, ".git"), Mode: 0o644})
		}
		spec.Files = append(spec.Files, sandbox.File{Path: vcs.FactsPath, Mode: 0o444, Data: facts})
	}
	return spec, nil
}

// steps runs the recipe's steps in order.
func (o *Outcome) steps(ctx context.Context, req Request, s sandbox.Session, v Variation, n int, res *Result) error {
	for i, st := range req.Recipe.Steps {
		req.Step("run %d of %d, %s", n+1, req.Runs, title("step", i, st))
		step := sandbox.Step{Argv: argv(v, st), Dir: path.Join(v.Source, st.Dir), Env: o.env(req, v, st)}
		r, err := s.Run(ctx, step)
		if err != nil {
			return named(err, checkSteps)
		}
		res.Record.Steps = append(res.Record.Steps, stepRecord(step, r))
		if err := stepFault(title("step", i, st), r); err != nil {
			if req.Shell != nil && n == 0 {
				return errors.Join(err, req.Shell(ctx, s, step.Env, step.Dir))
			}
			return err
		}
	}
	return nil
}

// env is what a build step sees: fixed base, builder, recipe, step, and over them where the frozen inputs lie.
func (o *Outcome) env(req Request, v Variation, st recipe.Step) []string {
	return v.env(req.Commit.Facts().Committer.When, o.Builder.Env, req.Recipe.Env, st.Env, o.replayEnv(v), v.told.env())
}

func argv(v Variation, st recipe.Step) []string {
	if st.Script != "" {
		return []string{v.Shell, "-euc", st.Script}
	}
	return st.Run
}

// stepFault says why a step did not end well, or returns nil.
func stepFault(name string, r sandbox.Result) error {
	var err *fault.Error
	switch {
	case r.Limit != "":
		err = fault.Inconclusivef(name, "limit reached: %s", r.Limit).WithHint("the build asked for more than a rebuild may cost; see docs/sandbox.md for the limits")
	case r.Signal != "":
		err = fault.Inconclusivef(name, "builder killed by signal %s", r.Signal)
	case r.ExitCode != 0 && len(r.Refused) > 0:
		a := r.Refused[0]
		err = fault.Inconclusivef(name, "network denied to it: %s tried %s; exit code %d", fault.Quote(a.Process), fault.Quote(a.Target), r.ExitCode).
			WithHint("what a build needs from outside belongs into a [[fetch]] step")
	case r.ExitCode != 0:
		err = fault.Inconclusivef(name, "exit code %d", r.ExitCode).WithHint("the end of its output stands above; --keep DIR leaves the whole log, glassbuild build --shell opens the sandbox after a failed step")
	default:
		return nil
	}
	return err.WithCheck(checkSteps)
}

// collect copies the declared outputs out of the sandbox and refuses what is not a plain file.
func (r *Result) collect(ctx context.Context, req Request, s sandbox.Session) error {
	dir, err := req.Run.Dir("out")
	if err != nil {
		return err
	}
	r.Dir = dir
	all, err := s.Outputs(ctx, recipe.OutputDir, dir, sandbox.OutputLimits{Files: outputFiles, Bytes: outputBytes})
	if err != nil {
		return err
	}
	found := map[string]sandbox.Output{}
	for _, o := range all {
		found[o.Path] = o
	}
	for _, a := range req.Recipe.Artifacts {
		o, ok := found[a.Output]
		switch {
		case !ok:
			return fault.Failf(fault.Quote(a.Output), "not produced: the steps left nothing of that name in %s", recipe.OutputDir).WithCheck(checkSteps)
		case o.Kind != sandbox.OutputFile:
			return fault.Failf(fault.Quote(a.Output), "not produced: a %s instead of a plain file", o.Kind).WithCheck(checkSteps)
		case o.Problem != "":
			return fault.Failf(fault.Quote(a.Output), "not produced: %s", o.Problem).WithCheck(checkSteps)
		}
		r.Outputs = append(r.Outputs, o)
	}
	return nil
}

// gitLog reads what the build asked git; a build that never did has no log.
func gitLog(ctx context.Context, s sandbox.Session) (vcs.Log, error) {
	data, err := s.Read(ctx, vcs.LogPath, gitLogBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return vcs.Log{}, nil
	}
	if err != nil {
		return vcs.Log{}, err
	}
	log, err := vcs.ParseLog(strings.NewReader(string(data)))
	if err != nil {
		return vcs.Log{}, fault.Failf("log of questions to git", "was altered by the build: %w", err).WithCheck(checkSteps)
	}
	return log, nil
}

// tail returns the last lines of a log.
func tail(path string) []string {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	const window = 16 << 10
	st, err := f.Stat()
	if err != nil {
		return nil
	}
	off := max(0, st.Size()-window)
	data := make([]byte, st.Size()-off)
	n, _ := f.ReadAt(data, off)
	text := strings.TrimRight(string(data[:n]), "\n")
	if text == "" {
		return nil
	}
	lines := strings.Split(text, "\n")
	if len(lines) > tailLines {
		lines = lines[len(lines)-tailLines:]
	}
	return lines
}
