// Package recipe says how a commit becomes what is shipped.
//
// A recipe is the TOML document glassbuild.toml (see package tomlfile for how strictly it is read):
//
//	format = 1
//
//	[builder]                    # what the steps run in; see package builder
//	go = "1.26.5"
//	debian = { suite = "bookworm", packages = ["gcc", "libc6-dev", "make"] }
//	patch = { file = "go.patch", sha256 = "…" }  # applied to the Go toolchain's source
//
//	[source]
//	attributes = "raw"           # raw | checkout | archive: whether .gitattributes transform the exported files
//
//	[vcs]                        # what the build may see of the repository
//	stamp = true                 # whether there seems to be one: the go command then stamps the revision
//	dirty = false                # answer that tracked files were changed; only because the shipped file says so
//	tags  = "all"                # none | at-commit | all: which of the tags merged into the commit are seen
//
//	[env]                        # environment of every step, from a closed list of names
//	CGO_ENABLED = "0"
//
//	[[fetch]]                    # reaches the configured registries only
//	run = ["go", "mod", "download"]
//
//	[[step]]                     # no network; run = argv, or script = "…" for a shell that the builder must hold
//	run = ["go", "build", "-trimpath", "-o", "/out/tool", "./cmd/tool"]
//	dir = "."                    # below the source root, which lies at /src
//
//	[[artifact]]
//	output = "tool"              # below /out
//	member = "package/bin/tool"  # where it sits in what is shipped; left out when it is the shipped file itself
//	allow  = []                  # differences that the vendor declares, by the names of package allow
//
// Nothing in a recipe is expanded: no variables, no templates (melange CVE-2026-24844). Paths stay below their root
// (CVE-2026-24843). The names of environment variables come from a closed list, see env.go.
//
// Where no file says how to build, Infer derives a recipe from a shipped Go binary. Only a closed list of settings is
// ever taken from the binary; string data is taken only when it equals something derived from the commit.
package recipe

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/tomlfile"
)

// Names and places that every recipe shares.
const (
	FileName     = "glassbuild.toml" // at the root of the commit
	LockFileName = "glassbuild.lock" // beside it
	SourceDir    = "/src"            // the source root, inside the sandbox
	OutputDir    = "/out"            // where steps leave what they make, inside the sandbox
)

// Recipe is one checked recipe.
type Recipe struct {
	Builder   Builder
	Source    Source
	VCS       VCS
	Env       map[string]string
	Fetch     []Step
	Steps     []Step
	Artifacts []Artifact
	Digest    string   // SHA-256 of TOML(), hex
	Targets   []Target // of a recipe from which none was chosen yet; it has no Artifacts then
	Target    string   // name of the one that was chosen
	whole     string   // digest of the recipe with all its targets
	PatchText []byte   // content of Builder.Patch; the digest there is its own
}

// Builder names what the steps run in.
type Builder struct {
	Go      string   `toml:"go"`      // exact version without "go", such as "1.26.5"
	Without []string `toml:"without"` // files of the Go toolchain that are left out: patterns of path.Match, such as "bin/gofmt"
	Node    string   `toml:"node"`    // exact version
	NPM     string   `toml:"npm"`     // exact version
	Patch   *Patch   `toml:"patch"`   // a change of the Go toolchain's source
	// Platform is what the steps run on, "linux/amd64"; "" is that of the machine.
	Platform string  `toml:"platform"`
	Image    string  `toml:"image"`  // pinned by digest
	Debian   *Debian `toml:"debian"` // packages of a Debian suite
	Host     bool    `toml:"host"`   // this machine's own /usr
}

// Patch names a file beside the recipe, by its digest.
type Patch struct {
	File   string `toml:"file,required"`
	SHA256 string `toml:"sha256,required"`
}

// Debian names packages of a suite; their versions and digests stand in the lock.
type Debian struct {
	Suite    string   `toml:"suite,required"`
	Packages []string `toml:"packages"`
	Mirror   string   `toml:"mirror"` // address of a dated snapshot; "" is what the system's apt sources say
}

// Attributes says which tree is built: the blobs as they are, or as one of git's commands transforms them.
type Attributes string

// The export modes.
const (
	Raw      Attributes = "raw"
	Checkout Attributes = "checkout"
	Archive  Attributes = "archive"
)

// Source says how the commit's tree is exported.
type Source struct {
	Attributes Attributes
}

// Tags says which tags the build can see, of those merged into the commit.
type Tags string

// The tags that the vendor's clone could see: a clone of depth one has those at the commit, or none.
const (
	NoTags       Tags = "none"
	TagsAtCommit Tags = "at-commit"
	AllTags      Tags = "all"
)

// VCS says what the build may see of the repository.
type VCS struct {
	Stamp bool
	Dirty bool
	Tags  Tags
}

// Argv is a program and its arguments.
type Argv []string

// UnmarshalTOML refuses a string with the reason that explains the format.
func (a *Argv) UnmarshalTOML(v tomlfile.Value) error {
	if v.Kind() == tomlfile.String {
		return v.Errorf("steps are argv lists").WithHint(`write run = ["program", "argument"], or script = "…" where a shell is wanted`)
	}
	return v.Decode((*[]string)(a))
}

// Step is one command: Run, or Script, never both.
type Step struct {
	Run    Argv              `toml:"run"`
	Script string            `toml:"script"`
	Dir    string            `toml:"dir"` // below the source root; "." is the root itself
	Env    map[string]string `toml:"env"` // beside, and over, the recipe's own
}

// Artifact is one output, and where it sits in what is shipped.
type Artifact struct {
	Output string   `toml:"output,required"`
	Member string   `toml:"member"`
	Allow  []string `toml:"allow"`
}

// Target is one row of a build matrix: the same steps with an environment and artefacts of its own.
type Target struct {
	Name      string            `toml:"name,required"`
	Platform  string            `toml:"platform"` // over that of the builder
	Env       map[string]string `toml:"env"`      // beside, and over, the recipe's own
	Artifacts []Artifact        `toml:"artifact,required"`
}

// LockDigest is the digest that a lock names: of the whole recipe, with all its targets.
func (r *Recipe) LockDigest() string {
	if r.whole != "" {
		return r.whole
	}
	return r.Digest
}

// For returns the recipe of one target alone.
func (r *Recipe) For(t Target) *Recipe {
	one := *r
	one.Targets, one.Target, one.whole, one.Artifacts = nil, t.Name, r.Digest, t.Artifacts
	if t.Platform != "" {
		one.Builder.Platform = t.Platform
	}
	if len(t.Env) > 0 {
		one.Env = maps.Clone(r.Env)
		if one.Env == nil {
			one.Env = map[string]string{}
		}
		maps.Copy(one.Env, t.Env)
	}
	one.Digest = digest(one.TOML())
	return &one
}

// file is the document as it is written.
type file struct {
	Builder Builder `toml:"builder,required"`
	Source  struct {
		Attributes string `toml:"attributes"`
	} `toml:"source"`
	VCS struct {
		Stamp *bool  `toml:"stamp"`
		Dirty bool   `toml:"dirty"`
		Tags  string `toml:"tags"`
	} `toml:"vcs"`
	Env       map[string]string `toml:"env"`
	Fetch     []Step            `toml:"fetch"`
	Steps     []Step            `toml:"step,required"`
	Artifacts []Artifact        `toml:"artifact"`
	Targets   []Target          `toml:"target"`
}

// Parse reads a recipe that the user knows as name.
func Parse(name string, data []byte) (*Recipe, error) {
	var f file
	doc, err := tomlfile.Decode(name, data, &f)
	if err != nil {
		return nil, err
	}
	r := &Recipe{
		Builder:   f.Builder,
		Source:    Source{Attributes: Attributes(f.Source.Attributes)},
		VCS:       VCS{Stamp: f.VCS.Stamp == nil || *f.VCS.Stamp, Dirty: f.VCS.Dirty, Tags: Tags(f.VCS.Tags)},
		Env:       f.Env,
		Fetch:     f.Fetch,
		Steps:     f.Steps,
		Artifacts: f.Artifacts,
		Targets:   f.Targets,
	}
	r.fillDefaults(doc)
	if err := check(r, doc.Errorf); err != nil {
		return nil, err
	}
	r.Digest = digest(r.TOML())
	return r, nil
}

// fillDefaults fills in what the document leaves out; an empty string that it does hold stays, and is refused.
func (r *Recipe) fillDefaults(doc *tomlfile.Document) {
	if !doc.Has("source.attributes") {
		r.Source.Attributes = Raw
	}
	if !doc.Has("vcs.tags") {
		r.VCS.Tags = AllTags
	}
	for i, list := range [][]Step{r.Fetch, r.Steps} {
		for j := range list {
			if !doc.Has(stepPath(i == 0, j) + ".dir") {
				list[j].Dir = "."
			}
		}
	}
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// reporter makes an error about the value at a path of the document.
type reporter func(path, format string, args ...any) *fault.Error
