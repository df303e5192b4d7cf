// Package verify walks the chain from a shipped file to the commit it is said to come from, and judges it.
//
//	res, err := verify.Run(ctx, verify.Request{Artefact: "./tool", Repository: "./source", Commit: id})
//	if err != nil { … }                    // wrong arguments, policy or recipe; interrupted
//	os.Exit(res.Verdict.ExitCode())        // 0 passed, 1 failed, 3 inconclusive
//
// The package orchestrates only: what was shipped is copied once and opened once (artifact), the policy is read before
// anything else is touched, the commit is opened and hashed (source), the recipe is found (recipe), the commit is rebuilt
// (rebuild), the two are compared (compare), and verdict.Decide judges. A step that fails still leaves what it learned.
package verify

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/builder"
	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/gomod"
	"github.com/glassbuild/glassbuild/internal/npm"
	"github.com/glassbuild/glassbuild/internal/oci"
	"github.com/glassbuild/glassbuild/internal/policy"
	"github.com/glassbuild/glassbuild/internal/purl"
	"github.com/glassbuild/glassbuild/internal/rebuild"
	"github.com/glassbuild/glassbuild/internal/recipe"
	"github.com/glassbuild/glassbuild/internal/redact"
	"github.com/glassbuild/glassbuild/internal/remote"
	"github.com/glassbuild/glassbuild/internal/sandbox"
	"github.com/glassbuild/glassbuild/internal/signature"
	"github.com/glassbuild/glassbuild/internal/source"
	"github.com/glassbuild/glassbuild/internal/store"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// What a caller must name.
type (
	// Verdict is the answer, see package documentation of the fields in docs/verdict.schema.json.
	Verdict = verdict.Verdict
	// Record is what was true of the run and not of its inputs.
	Record = rebuild.Record
)

// Request says what to verify. The zero value of every field but Artefact is usable.
type Request struct {
	Artefact    string   // path of a file, folder or archive
	Member      string   // judge only this file inside it
	Repository  string   // folder or URL; "" is the repository in the current folder
	Commit      string   // full id; "" is what the artefact says of itself
	RecipeFile  string   // a recipe of the auditor's own; a lock beside it is read too
	Node, NPM   string   // for a tarball of the npm registry: what it was packed with; "" is what the registry says, or a guess
	Target      string   // of the recipe's build matrix; "" is the one that makes what was shipped
	Buildinfo   string   // only for Lock: a .buildinfo file whose versions of packages the lock takes
	PolicyFile  string   // "" is the built-in policy
	Evidence    []string // files, folders and images with signed evidence, beside what lies next to the artefact
	TrustedRoot string   // file; "" is the one that the policy names, or the one that UpdateTrust stored
	History     string   // file that says where tags were seen earlier; new ones are added. "" is none
	Offline     bool
	NoCache     bool
	Keep        string // folder for outputs, logs, recipe, verdict and record; it must not exist or be empty
	ToolVersion string
	CacheDir    string // "" is the user's cache folder
	DataDir     string // where UpdateTrust stores; "" is the user's data folder
	Sign        Sign   // the zero value signs nothing
	Progress    func(format string, args ...any)
	Sandbox     string // what makes sandboxes: "embedded", which "" is too, or an OCI runtime by its path or its name in PATH
	Kit         string // file or image that everything is taken from which is not the auditor's own; "" is none

	packing *packing // what is read falls into this kit
}

// Result is a verdict and the record of the run.
type Result struct {
	Verdict Verdict
	Record  Record
	LogTail []string // the end of the output of a step that failed; comes from the vendor: quote it
	Signed  *Signed  // nil where nothing was to be signed, or nothing was
	SignErr error    // why the verdict was not signed; the verdict stands all the same
	Notes   []string // what else a person should know, quoted
}

// Run verifies. An error means that there is no verdict: wrong arguments, policy or recipe, or an interruption. Beside an interruption
// comes what had been learned until then, which never passes: it is for a person to read, and not to be kept, signed or counted.
func Run(ctx context.Context, req Request) (*Result, error) {
	r, err := begin(ctx, req)
	if err != nil {
		return nil, err
	}
	defer r.close()
	if r.kit != nil && r.kit.release != nil {
		if err := req.wantsOneFile(); err != nil {
			return nil, err
		}
		return r.release(ctx, r.kit.release)
	}
	for _, check := range []func(context.Context) error{r.demandsEvidence, func(context.Context) error { return r.checkSign() }} {
		if err := check(ctx); err != nil {
			return nil, err
		}
	}
	err = r.chain(ctx)
	r.judged()
	if ctx.Err() != nil {
		return r.interrupted(), ctx.Err()
	}
	if err != nil && fault.ClassOf(err) == fault.Usage {
		return nil, err
	}
	if err != nil {
		r.facts.Problems = append(r.facts.Problems, verdict.ProblemOf(r.notInKit(err), ""))
	}
	if r.facts.Comparison == nil {
		r.hostile()
	}
	res := &Result{Verdict: verdict.Decide(r.facts, r.policy), Record: r.record(), Notes: r.notes}
	if r.req.Sign.Signer != nil && r.signable(res.Verdict) == nil {
		if res.Verdict, err = redact.Seal(res.Verdict); err != nil {
			return nil, err
		}
	}
	if r.outcome != nil {
		res.LogTail = r.outcome.LogTail
	}
	if req.Keep != "" {
		if err := r.keep(res); err != nil {
			return nil, err
		}
	}
	res.Signed, res.SignErr = r.sign(ctx, res.Verdict)
	return res, nil
}

// interrupted is what was learned before an interruption.
func (r *run) interrupted() *Result {
	r.facts.Problems = append(r.facts.Problems, verdict.ProblemOf(fault.Inconclusivef("verification", "interrupted: what was not reached until then is not known"), ""))
	return &Result{Verdict: verdict.Decide(r.facts, r.policy), Record: r.record(), Notes: r.notes}
}

// hostile keeps what was refused in the subject for a verdict without a comparison: a build that fails must not turn a
// hostile archive into one that could not be decided.
func (r *run) hostile() {
	if r.shipped == nil {
		return
	}
	for _, p := range r.shipped.Hostile {
		if strings.HasPrefix(p.Path, r.subject.Path) {
			r.facts.Problems = append(r.facts.Problems, verdict.ProblemOf(p.Err, verdict.CheckArtefact))
		}
	}
}

// run is one verification under way.
type run struct {
	req     Request
	policy  *policy.Policy
	store   *store.Store
	dir     *store.Run
	remote  *remote.Client
	facts   verdict.Facts
	shipped *artifact.Artifact
	subject *artifact.Member
	commit  *source.Commit
	where   string // the repository that it was opened from
	recipe  *recipe.Resolved
	outcome *rebuild.Outcome
	runtime sandbox.Runtime
	now     time.Time // at which trust is judged
	history string    // the auditor's file of tags
	checker *checker  // judges signed evidence; nil where the policy demands none
	judged  func()    // waits for the checker
	since   string    // commit from which on every one is looked at; "" is what the policy says

	kit   *opened // stands in the place of repository, network and cache; nil for none
	notes []string

	vary        []string // overrides the policy's; only Build does
	lastTouched bool     // the history of single files is wanted
	math        *mathMemory
	roots       *evidence.TrustedRoots // for identities that the policy names no authority for; nil without such
	rootsRef    *verdict.RootsRef
	authorities []signature.Authority // of those roots
}

// begin reads what the auditor gave, before anything of the vendor's is touched and before any connection.
func begin(ctx context.Context, req Request) (*run, error) {
	if req.Progress == nil {
		req.Progress = func(string, ...any) {}
	}
	r := &run{req: req, policy: policy.Default(), now: time.Now(), history: req.History, judged: func() {}}
	var err error
	if r.runtime, err = sandbox.Open(ctx, req.Sandbox, func() (string, error) { return r.dir.Dir("sandbox") }); err != nil {
		return nil, err
	}
	r.facts.Now = r.now
	r.facts.Tool = verdict.Tool{Name: "glassbuild", Version: req.ToolVersion}
	if (req.Node == "") != (req.NPM == "") || req.Node != "" && !(npm.ValidVersion(req.Node) && npm.ValidVersion(req.NPM)) {
		return nil, fault.Usagef("--node", "wants an exact version, and one of npm with --npm").WithHint("for example: --node 20.20.2 --npm 11.19.1")
	}
	if req.PolicyFile != "" {
		p, err := policy.Load(req.PolicyFile, r.now)
		if err != nil {
			return nil, err
		}
		p.Name = filepath.Base(req.PolicyFile)
		r.policy = p
	}
	if err := r.trustedRoots(); err != nil {
		return nil, err
	}
	if req.Keep != "" {
		if err := emptyFolder(req.Keep); err != nil {
			return nil, err
		}
	}
	if req.Artefact != "" && !purl.Is(req.Artefact) {
		if _, err := os.Lstat(req.Artefact); err != nil && !(errors.Is(err, fs.ErrNotExist) && oci.IsReference(req.Artefact)) {
			return nil, fault.Usagef(fault.Quote(req.Artefact), "cannot be read: %w", bare(err))
		}
	}
	if err := r.open(ctx); err != nil {
		return nil, err
	}
	if purl.Is(req.Artefact) && !isImage(req.Artefact) { // an image is a release, which fetches it
		var err error
		if r.req.Artefact, err = r.packages().fetch(ctx, req.Artefact); err != nil {
			r.dir.Close()
			return nil, err
		}
	}
	return r, nil
}

// packages fetches by package URL.
func (r *run) packages() *packages {
	return &packages{store: r.store, remote: r.remote, dir: r.dir, offline: r.req.Offline, step: r.req.Progress}
}

// open makes the private folder and the only dialer.
func (r *run) open(ctx context.Context) error {
	dir := r.req.CacheDir
	if dir == "" {
		d, err := store.DefaultDir()
		if err != nil {
			return err
		}
		dir = d
	}
	var err error
	if r.store, err = store.Open(dir); err != nil {
		return err
	}
	if r.dir, err = r.store.NewRun(); err != nil {
		return err
	}
	switch {
	case r.req.Kit != "":
		err = r.openKit(ctx)
	case r.req.packing != nil:
		err = r.openStaging(ctx)
	default:
		r.remote, err = gomod.NewRemote(r.req.Offline, builder.PlainHTTP()...)
	}
	if err != nil {
		r.dir.Close()
	}
	return err
}

func (r *run) close() {
	if r.commit != nil {
		r.commit.Close()
	}
	if r.shipped != nil {
		r.shipped.Close()
	}
	r.dir.Close()
}

// chain is the order of everything. Each link is handed what the one before it verified.
func (r *run) chain(ctx context.Context) error {
	links := []func(context.Context) error{r.findRecipe, r.rebuild, r.compare, r.otherSpellings}
	if err := r.snapshot(ctx); err != nil {
		return err
	}
	r.judged = r.judgeEvidence(ctx)
	if mod, ok := r.module(); ok {
		links = []func(context.Context) error{func(ctx context.Context) error { return r.packModule(ctx, mod) }}
	}
	for _, link := range append([]func(context.Context) error{r.openSource}, links...) {
		if err := link(ctx); err != nil {
			return err
		}
	}
	return nil
}

// record is what was true of this run.
func (r *run) record() Record {
	var rec Record
	if r.outcome != nil {
		rec = r.outcome.Record
	}
	rec.Format = 1
	if r.kit != nil {
		rec.Kit = r.kit.Digest
	}
	rec.Runtime = r.runtime.Name()
	rec.Requests = r.remote.Requests()
	if f := r.facts.Source; f != nil {
		rec.Commit, rec.Tree = f.Commit, f.TreeSHA256
	}
	return rec
}

func emptyFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fault.Usagef(fault.Quote(dir), "cannot be used: %w", bare(err))
	}
	if len(entries) > 0 {
		return fault.Usagef(fault.Quote(dir), "is not empty").WithHint("name a folder that does not exist yet")
	}
	return nil
}

func bare(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
