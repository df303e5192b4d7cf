// Package attest builds a commit in a sealed sandbox and signs what it gave, so that anybody else can rebuild it.
//
//	signer, err := attest.OpenSigner(ctx, attest.SignerRequest{KeyFile: "release.key"})
//	res, err := attest.Run(ctx, attest.Request{Repository: ".", Commit: id, Shipped: []string{"./tool"}, Signer: signer})
//	for _, b := range res.Bundles { fmt.Println(b.File) }
//
// What it promises:
//
//   - The commit is built by the same code that verifies others' releases, anew and at least twice. Nothing is signed
//     unless the runs gave the same bytes, every layer of the builder is pinned and vouched for (or the policy vouches
//     for it), every fetched module is what the world was given, no output is a copy of an input, and what is about to
//     be shipped, where it is named, is what was built.
//   - A work tree with local changes is refused: nobody should take what lies in it for the commit.
//   - For each artefact four statements are signed, each in a bundle of its own: SLSA provenance, two bills of materials
//     (SPDX and CycloneDX) and the test result of the runs. docs/predicates.md describes them.
//   - Nothing half-witnessed leaves: where a log, an authority or a registry keeps failing, the statements that are not
//     signed yet are left beside the bundles, and Resume signs them without building again, after holding them against
//     what this program wrote down of them.
//
// docs/attest.md shows the command.
package attest

import (
	"context"
	"time"

	"github.com/glassbuild/glassbuild/internal/builder"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/gomod"
	"github.com/glassbuild/glassbuild/internal/policy"
	"github.com/glassbuild/glassbuild/internal/provenance"
	"github.com/glassbuild/glassbuild/internal/rebuild"
	"github.com/glassbuild/glassbuild/internal/sandbox"
	"github.com/glassbuild/glassbuild/internal/store"
)

// Record is what was true of the run: times, memory, limits obtained, addresses.
type Record = rebuild.Record

// Request says what to build and sign. Commit and Signer are required.
type Request struct {
	Repository string   // folder or URL; "" is the repository in the current folder
	Commit     string   // full id
	Ref        string   // branch or tag that is released, refs/…; must be one that reaches the commit
	SourceURI  string   // where others find the repository; "" is Repository when it is a URL, else its remote origin
	RecipeFile string   // "" is the recipe at the commit
	Target     string   // of the recipe's build matrix; it can be left out where there is one
	Sandbox    string   // what makes sandboxes: "embedded", which "" is too, or an OCI runtime by its path or its name in PATH
	PolicyFile string   // what is demanded of the build; "" is the built-in policy
	Shipped    []string // files and archives that are about to be shipped; each must be what the commit gives
	Image      string   // reference of an image that the build gave as an OCI layout; it is the subject then
	Attach     []string // references of images that the bundles are attached to

	Bundles    string // folder for the bundles, or a file NAME.jsonl for all of them; "" is the current folder
	Out        string // folder for what was built; "" leaves nothing. It must not exist or be empty
	Builder    string // builder id; "" is ours
	Invocation string // address of the pipeline's run

	Signer      Signer
	Offline     bool // fetch nothing; services and registries are still reached
	ToolVersion string
	CacheDir    string // "" is the user's cache folder
	Progress    func(format string, args ...any)
	Now         func() time.Time
}

// What a caller must name.
type (
	// Signer signs a statement and returns the bundle. OpenSigner makes one.
	Signer = provenance.Signer
	// Bundle is one signed statement.
	Bundle = provenance.Bundle
)

// Result is what was signed.
type Result struct {
	Bundles  []Bundle
	Unsigned []string // files with statements that could not be signed yet
	Record   Record
	LogTail  []string // the end of the output of a step that failed
}

// Run builds and signs. The result is set also beside an error: what was signed before it was signed.
func Run(ctx context.Context, req Request) (*Result, error) {
	r, err := begin(ctx, req)
	if err != nil {
		return nil, err
	}
	defer r.close()
	err = r.chain(ctx)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	res := &Result{Bundles: r.bundles, Unsigned: r.unsigned}
	if r.outcome != nil {
		res.Record, res.LogTail = r.outcome.Record, r.outcome.LogTail
		res.Record.Format, res.Record.Runtime, res.Record.Requests = 1, r.runtime.Name(), r.remote.Requests()
		if r.commit != nil && r.outcome.Tree != nil {
			res.Record.Commit, res.Record.Tree = r.commit.Facts().ID, r.outcome.Tree.SHA256
		}
	}
	return res, err
}

// begin reads what the caller gave, before anything is built and before any connection.
func begin(ctx context.Context, req Request) (*run, error) {
	if req.Progress == nil {
		req.Progress = func(string, ...any) {}
	}
	if req.Now == nil {
		req.Now = time.Now
	}
	switch {
	case req.Commit == "":
		return nil, fault.Usagef("attest", "--commit is missing").WithHint("git rev-parse HEAD prints the full id of the current one")
	case req.Signer == nil:
		return nil, fault.Usagef("attest", "nothing to sign with").WithHint("--key FILE, --kms URI or --keyless")
	}
	r := &run{req: req, policy: policy.Default()}
	var err error
	if r.runtime, err = sandbox.Open(ctx, req.Sandbox, func() (string, error) { return r.dir.Dir("sandbox") }); err != nil {
		return nil, err
	}
	if req.PolicyFile != "" {
		p, err := policy.Load(req.PolicyFile, req.Now())
		if err != nil {
			return nil, err
		}
		r.policy = p
	}
	if err := r.places(); err != nil {
		return nil, err
	}
	return r, r.open()
}

// open makes the private folder and the dialers.
func (r *run) open() error {
	var err error
	if r.store, err = openStore(r.req.CacheDir); err != nil {
		return err
	}
	if r.remote, err = gomod.NewRemote(r.req.Offline, builder.PlainHTTP()...); err != nil {
		return err
	}
	if r.registries, err = gomod.NewRemote(false); err != nil {
		return err
	}
	r.dir, err = r.store.NewRun()
	return err
}

func openStore(dir string) (*store.Store, error) {
	if dir == "" {
		d, err := store.DefaultDir()
		if err != nil {
			return nil, err
		}
		dir = d
	}
	return store.Open(dir)
}

func (r *run) close() {
	for _, s := range r.shipped {
		s.Close()
	}
	for _, p := range r.attach {
		p.Close()
	}
	if r.image != nil {
		r.image.Close()
	}
	if r.commit != nil {
		r.commit.Close()
	}
	if r.dir != nil {
		r.dir.Close()
	}
}

// chain is the order of everything. Whatever can be refused without building is refused first.
func (r *run) chain(ctx context.Context) error {
	for _, link := range []func(context.Context) error{r.openSource, r.snapshot, r.openImages, r.build, r.matchShipped, r.matchImage, r.checkAttach, r.keep, r.signAll} {
		if err := link(ctx); err != nil {
			return err
		}
	}
	return nil
}
