package rebuild

import (
	"bufio"
	"context"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/glassbuild/glassbuild/internal/builder"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/recipe"
	"github.com/glassbuild/glassbuild/internal/sandbox"
)

// toolRuns is how often the tools of a patched toolchain are built: they must come out the same, as unlike as the runs are.
const toolRuns = 2

// patchToolchain lays the patched toolchain over the stock one. What it needs is built with the stock one, in sandboxes that hold nothing of
// the vendor's but the patch.
func (o *Outcome) patchToolchain(ctx context.Context, req Request, opts builder.Options) error {
	p := req.Recipe.Builder.Patch
	if p == nil {
		return nil
	}
	self, err := ToolDigest()
	if err != nil {
		return err
	}
	scratch, err := req.Run.Dir("toolchain")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	return builder.PatchGo(ctx, o.Builder, p.File, req.Recipe.PatchText, scratch, self, opts, func(ctx context.Context, w *builder.PatchedGo) (map[string]string, error) {
		return o.buildTools(ctx, req, scratch, w)
	})
}

// toolStage is one sandbox that builds tools.
type toolStage struct {
	req     Request
	outcome *Outcome // the builder with the changed tree in the toolchain's place, and no source
	work    *builder.PatchedGo
	n       int
	record  RunRecord
	log     string
	built   map[string]sandbox.Output // by Tool.Path
	dir     string
}

// buildTools finds out which tools the changed packages are part of and builds those, twice.
func (o *Outcome) buildTools(ctx context.Context, req Request, scratch string, w *builder.PatchedGo) (map[string]string, error) {
	nothing := filepath.Join(scratch, "nothing")
	if err := os.Mkdir(nothing, 0o755); err != nil {
		return nil, fault.Inconclusivef("go toolchain", "%w", err)
	}
	root := *o.Builder
	root.Layers = slices.Clone(root.Layers)
	for i := range root.Layers {
		if root.Layers[i].Name == "go" {
			root.Layers[i].Dir = w.Tree
		}
	}
	stages := make([]*toolStage, toolRuns)
	var g errgroup.Group
	for n := range stages {
		stages[n] = &toolStage{req: req, outcome: &Outcome{Builder: &root, TreeDir: nothing}, work: w, n: n}
		g.Go(func() error { return stages[n].run(ctx) })
	}
	err := g.Wait()
	for _, s := range stages {
		o.Record.Tools = append(o.Record.Tools, s.record)
	}
	if err != nil {
		o.LogTail = tail(stages[0].log)
		return nil, err
	}
	tools := map[string]string{}
	for at, out := range stages[0].built {
		if other, ok := stages[1].built[at]; !ok || other.SHA256 != out.SHA256 {
			return nil, fault.Inconclusivef(fault.Quote(at), "two builds of this patched tool differ: nobody could say which one the vendor had").WithCheck(checkBuilder)
		}
		tools[at] = filepath.Join(stages[0].dir, filepath.FromSlash(out.Path))
	}
	return tools, nil
}

// run builds the tools once.
func (s *toolStage) run(ctx context.Context) error {
	usual, err := ParseVary("usual") // the source is the toolchain's and lies where this program says
	if err != nil {
		return err
	}
	v := s.outcome.variation(Request{Vary: usual, Recipe: s.req.Recipe}, s.n)
	s.record = RunRecord{Variation: v, Started: time.Now().UTC()}
	defer func() { s.record.Finished = time.Now().UTC() }()
	logs, err := s.req.Run.Dir("log")
	if err != nil {
		return err
	}
	s.log = filepath.Join(logs, "toolchain-"+string(rune('1'+s.n))+".log")
	log, err := os.Create(s.log)
	if err != nil {
		return fault.Inconclusivef("log", "%w", err)
	}
	defer log.Close()
	session, err := s.req.Runtime.Start(ctx, sandbox.Spec{Identity: v.identity(), Limits: limits(), Mounts: s.outcome.mounts(v), Files: s.outcome.files(), Dirs: []string{goPath}, Log: log})
	if err != nil {
		return err
	}
	defer session.Close()
	s.record.Isolation = session.Isolation()
	list := []string{"go", "list", "-f", toolMark + "{{.ImportPath}} {{join .Deps \" \"}}"}
	for _, t := range s.work.Tools {
		list = append(list, t.Package)
	}
	if err := s.step(ctx, session, v, list); err != nil {
		return err
	}
	touched, err := s.touched()
	if err != nil {
		return err
	}
	for _, t := range touched {
		s.req.Step("toolchain, build %d of %d: %s", s.n+1, toolRuns, t.Package)
		if err := s.step(ctx, session, v, []string{"go", "build", "-trimpath", "-buildvcs=false", "-o", recipe.OutputDir + "/" + t.Path, t.Package}); err != nil {
			return err
		}
	}
	return s.collect(ctx, session, touched)
}

func (s *toolStage) step(ctx context.Context, session sandbox.Session, v Variation, argv []string) error {
	env := map[string]string{"CGO_ENABLED": "0", "GOFLAGS": "", "GOPROXY": "off"}
	maps.Copy(env, goDirs(v))
	step := sandbox.Step{Argv: argv, Dir: recipe.SourceDir, Env: v.env(0, s.outcome.Builder.Env, env)}
	r, err := session.Run(ctx, step)
	if err != nil {
		return err
	}
	s.record.Steps = append(s.record.Steps, stepRecord(step, r))
	return stepFault("toolchain, "+strings.Join(argv[:2], " "), r)
}

// toolMark begins the lines of the go command's answer that are meant.
const toolMark = "tool: "

// touched reads from the log which tools are made of changed packages.
func (s *toolStage) touched() ([]builder.Tool, error) {
	f, err := os.Open(s.log)
	if err != nil {
		return nil, fault.Inconclusivef("log", "%w", err)
	}
	defer f.Close()
	deps := map[string][]string{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, logBytes)
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), toolMark); ok {
			all := strings.Fields(rest)
			if len(all) > 0 {
				deps[all[0]] = all
			}
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fault.Inconclusivef("log", "%w", err)
	}
	var list []builder.Tool
	for _, t := range s.work.Tools {
		if deps[t.Package] == nil {
			return nil, fault.Inconclusivef("toolchain", "the go command does not say what %s is made of", fault.Quote(t.Package))
		}
		if slices.ContainsFunc(s.work.Packages, func(p string) bool { return slices.Contains(deps[t.Package], p) }) {
			list = append(list, t)
		}
	}
	return list, nil
}

// collect copies the tools out of the sandbox.
func (s *toolStage) collect(ctx context.Context, session sandbox.Session, touched []builder.Tool) error {
	var err error
	if s.dir, err = s.req.Run.Dir("tools"); err != nil {
		return err
	}
	all, err := session.Outputs(ctx, recipe.OutputDir, s.dir, sandbox.OutputLimits{Files: outputFiles, Bytes: outputBytes})
	if err != nil {
		return err
	}
	s.built = map[string]sandbox.Output{}
	for _, t := range touched {
		i := slices.IndexFunc(all, func(o sandbox.Output) bool {
			return o.Path == path.Clean(t.Path) && o.Kind == sandbox.OutputFile && o.Problem == ""
		})
		if i < 0 {
			return fault.Inconclusivef(fault.Quote(t.Path), "the toolchain left no such program")
		}
		s.built[t.Path] = all[i]
	}
	return nil
}
