package evidence

import (
	"errors"
	"strings"
	"time"

	"github.com/glassbuild/glassbuild/internal/evidence/strictjson"
)

// Provenance is one view of SLSA provenance v1 and v0.2. What a statement does not say is empty.
type Provenance struct {
	BuildType    string     `json:"buildType"`
	BuilderID    string     `json:"builder"`
	Repository   string     `json:"repository,omitempty"` // as the builder writes it, without git+ and ref
	Commit       string     `json:"commit,omitempty"`     // lower-case hex
	Ref          string     `json:"ref,omitempty"`        // refs/…
	Workflow     string     `json:"workflow,omitempty"`   // path of the build's definition in the repository
	Trigger      string     `json:"trigger,omitempty"`
	Invocation   string     `json:"invocation,omitempty"`
	Started      time.Time  `json:"started,omitzero"`
	Finished     time.Time  `json:"finished,omitzero"`
	Dependencies []Resource `json:"dependencies,omitempty"` // resolvedDependencies or materials
	Byproducts   []Resource `json:"byproducts,omitempty"`

	builderGo string // version of Go that the builder names among its own
}

// Build types that say where a workflow's source stands.
const (
	buildGitHubWorkflow    = "https://actions.github.io/buildtypes/workflow/v1"
	buildGitHubWorkflowOld = "https://slsa-framework.github.io/github-actions-buildtypes/workflow/v1"
	buildOSSRebuild        = "https://docs.oss-rebuild.dev/builds/Rebuild@v0.1"
)

// Provenance reads the predicate as SLSA provenance.
func (s *Statement) Provenance() (*Provenance, error) {
	if err := s.of(PredicateProvenanceV1, PredicateProvenanceV02); err != nil {
		return nil, err
	}
	if s.predicate.Absent() {
		return nil, errors.New("is missing")
	}
	p := &Provenance{}
	read := p.readV1
	if s.PredicateType == PredicateProvenanceV02 {
		read = p.readV02
	}
	if err := read(s.predicate); err != nil {
		return nil, err
	}
	if p.Commit != "" {
		if err := checkDigest("gitCommit", p.Commit); err != nil {
			return nil, in("commit", err)
		}
	}
	return p, nil
}

func (p *Provenance) readV1(v strictjson.Value) error {
	var r reader
	o := r.object(v, "predicate", "buildDefinition", "runDetails")
	def := r.object(o.Get("buildDefinition"), "buildDefinition", "buildType", "externalParameters", "internalParameters", "resolvedDependencies")
	run := r.object(o.Get("runDetails"), "runDetails", "builder", "metadata", "byproducts")
	builder := r.object(run.Get("builder"), "builder", "id", "version")
	meta := r.object(run.Get("metadata"), "metadata", "invocationId", "startedOn", "finishedOn")
	p.BuildType = r.must(def.Get("buildType"), "buildType")
	p.BuilderID = r.must(builder.Get("id"), "builder.id")
	p.builderGo = r.text(builder.Get("version").At("go"), "builder.version.go")
	p.Invocation = r.text(meta.Get("invocationId"), "invocationId")
	p.Started = r.time(meta.Get("startedOn"), "startedOn")
	p.Finished = r.time(meta.Get("finishedOn"), "finishedOn")
	p.Dependencies = r.resources(def.Get("resolvedDependencies"), "resolvedDependencies")
	p.Byproducts = r.resources(run.Get("byproducts"), "byproducts")
	if r.err != nil {
		return r.err
	}
	p.sourceV1(&r, def.Get("externalParameters"), def.Get("internalParameters"))
	return r.err
}

// sourceV1 finds the source where the build type puts it. For a build type that is not known, the one dependency that
// is a commit is the source; where there are several, nothing is said.
func (p *Provenance) sourceV1(r *reader, external, internal strictjson.Value) {
	switch p.BuildType {
	case BuildType:
		o := r.object(external, "externalParameters", "repository", "commit", "ref")
		p.Repository = r.must(o.Get("repository"), "repository")
		p.Commit = r.must(o.Get("commit"), "commit")
		p.Ref = r.text(o.Get("ref"), "ref")
	case buildGitHubWorkflow, buildGitHubWorkflowOld:
		w := r.object(external.At("workflow"), "workflow", "ref", "repository", "path")
		p.Repository = r.text(w.Get("repository"), "repository")
		p.Ref = r.text(w.Get("ref"), "ref")
		p.Workflow = r.text(w.Get("path"), "path")
		p.Trigger = r.text(internal.At("github", "event_name"), "event_name")
		for _, d := range p.Dependencies {
			if repository, ref := splitGit(d.URI); repository == trimGit(p.Repository) && ref == p.Ref {
				p.Commit = d.Digest["gitCommit"]
			}
		}
	default:
		var commits []Resource
		for _, d := range p.Dependencies {
			if d.Digest["gitCommit"] != "" {
				commits = append(commits, d)
			}
		}
		if len(commits) == 1 {
			p.Repository, p.Ref = splitGit(commits[0].URI)
			p.Commit = commits[0].Digest["gitCommit"]
		}
	}
	p.Repository = trimGit(p.Repository)
}

func (p *Provenance) readV02(v strictjson.Value) error {
	var r reader
	o := r.object(v, "predicate", "builder", "buildType", "invocation", "buildConfig", "metadata", "materials")
	builder := r.object(o.Get("builder"), "builder", "id")
	inv := r.object(o.Get("invocation"), "invocation", "configSource", "parameters", "environment")
	src := r.object(inv.Get("configSource"), "configSource", "uri", "digest", "entryPoint")
	meta := r.object(o.Get("metadata"), "metadata", "buildInvocationId", "buildStartedOn", "buildFinishedOn")
	p.BuildType = r.must(o.Get("buildType"), "buildType")
	p.BuilderID = r.must(builder.Get("id"), "builder.id")
	p.Invocation = r.text(meta.Get("buildInvocationId"), "buildInvocationId")
	p.Started = r.time(meta.Get("buildStartedOn"), "buildStartedOn")
	p.Finished = r.time(meta.Get("buildFinishedOn"), "buildFinishedOn")
	p.Dependencies = r.resources(o.Get("materials"), "materials")
	p.Workflow = r.text(src.Get("entryPoint"), "entryPoint")
	p.Repository, p.Ref = splitGit(r.text(src.Get("uri"), "uri"))
	digest := r.object(src.Get("digest"), "digest")
	p.Commit = r.text(digest.Get("sha1"), "sha1")
	if c := r.text(digest.Get("gitCommit"), "gitCommit"); c != "" {
		p.Commit = c
	}
	env := inv.Get("environment")
	for _, name := range []string{"github_event_name", "GITHUB_EVENT_NAME"} {
		if t := r.text(env.At(name), name); t != "" {
			p.Trigger = t
		}
	}
	return r.err
}

// splitGit splits git+https://host/path@ref.
func splitGit(uri string) (repository, ref string) {
	uri = strings.TrimPrefix(uri, "git+")
	scheme, rest, ok := strings.Cut(uri, "://")
	if !ok {
		return trimGit(uri), ""
	}
	if host, path, ok := strings.Cut(rest, "/"); ok { // an @ in the host part is user information
		path, ref, _ = strings.Cut(path, "@")
		rest = host + "/" + path
	}
	return trimGit(scheme + "://" + rest), ref
}

// trimGit drops what writes the same repository in another way.
func trimGit(repository string) string {
	return strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(repository, "git+"), "/"), ".git")
}
