package verify

import (
	"context"
	"encoding/json"
	"io"
	"path"
	"strings"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/builder"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/npm"
	"github.com/glassbuild/glassbuild/internal/pattern"
	"github.com/glassbuild/glassbuild/internal/recipe"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// registryWord is what the registry says of exactly the tarball that was shipped. Nothing of it is believed: it chooses what is tried.
type registryWord struct{ Commit, Node, NPM string }

// publishedKind is the kind of the store's results that hold it, by the integrity of the tarball.
const publishedKind = "npm-published"

// npmPackage returns what was shipped where it is a tarball of the npm registry: one folder with a package.json; else nil.
func (r *run) npmPackage() (*recipe.Package, error) {
	root := r.shipped.Root
	if r.subject != root || root.Problem != nil || root.Format != "tar+gzip" || len(root.Streams) == 0 || root.Streams[0].Gzip == nil {
		return nil, nil
	}
	p := &recipe.Package{Output: r.shipped.Name, System: root.Streams[0].Gzip.OS}
	top := ""
	for _, m := range root.Members {
		first, below, ok := strings.Cut(m.Path, "/")
		if top == "" {
			top = first
		}
		if first != top || !ok && m.Type != artifact.Directory {
			return nil, nil
		}
		if m.Type != artifact.Directory {
			p.Members = append(p.Members, below)
		}
		if below != "package.json" {
			continue
		}
		data, err := r.shipped.Head(m, maxPackageJSON)
		if err != nil {
			return nil, withCheck(err, verdict.CheckArtefact)
		}
		p.JSON = data
	}
	if p.JSON == nil {
		return nil, nil
	}
	return p, nil
}

// packed fills in what the package was packed with, as far as anybody says so: the auditor, else the registry.
func (r *run) packed(ctx context.Context, p *recipe.Package) {
	if r.req.Node != "" {
		p.Node, p.NPM, p.By = r.req.Node, r.req.NPM, recipe.Auditor
		return
	}
	if said := r.publishedAs(ctx, p); said.Node != "" && said.NPM != "" {
		p.Node, p.NPM, p.By = said.Node, said.NPM, recipe.Registry
	}
}

// publishedAs asks the registry that the auditor's npm is configured with. Its silence decides nothing.
func (r *run) publishedAs(ctx context.Context, p *recipe.Package) registryWord {
	var said registryWord
	name, version, ok := p.ClaimedPackage()
	if !ok || !npm.ValidName(name) || !npm.ValidVersion(version) {
		return said
	}
	sum, err := r.integrity()
	if err != nil {
		return said
	}
	if data, ok := r.store.Result(publishedKind, sum); ok {
		_ = json.Unmarshal(data, &said) // what is damaged says nothing
		return said
	}
	registry, err := npm.LoadRegistry(ctx, r.remote)
	if err != nil || registry.Config.Check() != nil || r.req.Offline && !r.remote.Sealed() {
		return said
	}
	r.req.Progress("asking the registry about %s", fault.Quote(name+"@"+version))
	v, err := registry.Describe(ctx, name, version)
	if err != nil || v.Integrity != sum {
		return said // of another tarball it may say what it likes
	}
	said = registryWord{v.Commit, v.Node, v.NPM}
	if data, err := json.Marshal(said); err == nil {
		r.store.PutResult(publishedKind, sum, data)
	}
	return said
}

// registryCommit is the commit that the registry names for the tarball; "" for none. It is a claim like one of the artefact's own.
func (r *run) registryCommit(ctx context.Context) (string, error) {
	p, err := r.npmPackage()
	if err != nil || p == nil {
		return "", err
	}
	if id := r.publishedAs(ctx, p).Commit; fullID.MatchString(id) {
		return id, nil
	}
	return "", nil
}

var fullID = pattern.New(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

func (r *run) integrity() (string, error) {
	c, err := r.shipped.Content(r.shipped.Root)
	if err != nil {
		return "", err
	}
	defer c.Close()
	return npm.Integrity(io.NewSectionReader(c, 0, r.shipped.Size))
}

// base is what Node.js stands on where no recipe says so: packages of this machine's own Debian, which their archive vouches for, else
// this machine itself, for which nobody does.
func (r *run) base() (recipe.Builder, string) {
	if suite := builder.SystemSuite(); suite != "" {
		return recipe.Builder{Debian: &recipe.Debian{Suite: suite, Packages: []string{"libstdc++6"}}}, "the suite of this machine"
	}
	return recipe.Builder{Host: true}, "this machine has no Debian archive configured"
}

// onlyContainer tells whether the one thing that differs is a package, and its members are the same in the same order: then another
// version of Node.js or npm may have packed it.
func (r *run) onlyContainer(ctx context.Context) bool {
	c := r.facts.Comparison
	if r.recipe.Recipe.Builder.NPM == "" || c.Whole != verdict.Different || len(r.outcome.Runs[0].Outputs) != 1 {
		return false
	}
	dir, err := r.dir.Dir("packed")
	if err != nil {
		return false
	}
	out := r.outcome.Runs[0].Outputs[0]
	a, err := artifact.Open(ctx, r.outcome.Runs[0].Path(out.Path), artifact.Options{Dir: dir, Name: path.Base(out.Path)})
	if err != nil {
		return false
	}
	defer a.Close()
	x, y := r.shipped.Root.Members, a.Root.Members
	if len(x) != len(y) {
		return false
	}
	sums := map[string]string{}
	for _, m := range x {
		sums[m.Path] = m.SHA256
	}
	for _, m := range y {
		if sums[m.Path] != m.SHA256 {
			return false
		}
	}
	return true
}
