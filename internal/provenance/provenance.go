// Package provenance writes what is said of a build of our own: SLSA provenance v1 that another party can rebuild from, the
// bill of materials of what the build really used, and the in-toto test result of its runs. What is written follows from
// the outcome of internal/rebuild alone; nothing is guessed and nothing is taken from the artefact's own claims.
//
// docs/predicates.md describes the statements, docs/build.schema.json the build type.
package provenance

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"io"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/glassbuild/glassbuild/internal/builder"
	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/rebuild"
	"github.com/glassbuild/glassbuild/internal/recipe"
	"github.com/glassbuild/glassbuild/internal/sandbox"
	"github.com/glassbuild/glassbuild/internal/source"
)

// Build is a build that came to its end: at least two runs that gave the same bytes, in this process, not from a cache.
type Build struct {
	Outcome    *rebuild.Outcome
	Commit     source.Facts
	Recipe     *recipe.Resolved
	Repository string // where others find the source, without credentials
	Ref        string // branch or tag that was named; may be empty
	Builder    string // builder id; "" is evidence.BuilderID
	Invocation string // address of the run, where there is one
	Tool       string // version of this program
}

func (b *Build) check() error {
	o := b.Outcome
	switch {
	case o == nil || !o.Agree():
		return fault.Inconclusivef("provenance", "the build did not reproduce: there is nothing to sign")
	case o.Cached:
		return fault.Inconclusivef("provenance", "the build came from the cache: there is nothing to sign").WithHint("build with --no-cache")
	case len(o.Record.Runs) < len(o.Runs):
		return fault.Failf("provenance", "a run left no record")
	}
	return nil
}

// Subjects are the artefacts that were built: one for each output of the recipe. They have the names of files, and
// those of paths below the output folder where two files have the same name.
func (b *Build) Subjects() ([]evidence.Resource, error) {
	if err := b.check(); err != nil {
		return nil, err
	}
	outputs := b.Outcome.Runs[0].Outputs
	count := map[string]int{}
	for _, o := range outputs {
		count[path.Base(o.Path)]++
	}
	var out []evidence.Resource
	for _, o := range outputs {
		name := path.Base(o.Path)
		if count[name] > 1 {
			name = o.Path
		}
		out = append(out, evidence.Resource{Name: name, Digest: sha256Digest(o.SHA256)})
	}
	return out, nil
}

// Provenance returns the SLSA provenance of subjects.
func (b *Build) Provenance(subjects ...evidence.Resource) ([]byte, error) {
	if err := b.check(); err != nil {
		return nil, err
	}
	rec := b.Outcome.Record
	byproducts, err := b.byproducts()
	if err != nil {
		return nil, err
	}
	started, finished := b.span()
	p := &evidence.Build{Repository: b.Repository, Commit: b.Commit.ID, Ref: b.Ref, Recipe: b.Recipe.Recipe.Digest, RecipeText: string(b.Recipe.Recipe.TOML()),
		Builder: b.Builder, Version: map[string]string{"glassbuild": b.Tool}, Invocation: b.Invocation, Started: started, Finished: finished,
		Limits: limits(rec.Runs[0].Isolation), Isolation: isolation(rec.Runs[0].Isolation), Byproducts: byproducts}
	if b.Recipe.Lock != nil {
		p.Lock = b.Recipe.Lock.Digest()
	}
	for _, r := range rec.Runs {
		p.Runs = append(p.Runs, evidence.Run{Started: r.Started, Finished: r.Finished, Variation: variation(r.Variation)})
	}
	if p.Dependencies, err = b.dependencies(); err != nil {
		return nil, err
	}
	return p.Marshal(subjects...)
}

// TestResult returns the test result of the runs about subjects.
func (b *Build) TestResult(subjects ...evidence.Resource) ([]byte, error) {
	if err := b.check(); err != nil {
		return nil, err
	}
	t := &evidence.TestResult{Result: "PASSED", Configuration: []evidence.Resource{
		{Name: "commit", URI: gitURI(b.Repository, ""), Digest: map[string]string{"gitCommit": b.Commit.ID}},
		{Name: recipe.FileName, Digest: sha256Digest(b.Recipe.Recipe.Digest)},
	}}
	if d := b.Outcome.Builder.Digest; d != "" {
		t.Configuration = append(t.Configuration, evidence.Resource{Name: "builder", Digest: sha256Digest(d)})
	}
	for n := range b.Outcome.Runs[1:] {
		for _, o := range b.Outcome.Runs[0].Outputs {
			t.Passed = append(t.Passed, "run 1 and run "+strconv.Itoa(n+2)+" gave the same bytes: "+o.Path)
		}
	}
	return t.Marshal(subjects...)
}

// span is the time from the first start to the last end.
func (b *Build) span() (started, finished time.Time) {
	runs := b.Outcome.Record.Runs
	if f := b.Outcome.Record.Fetch; f != nil {
		runs = append([]rebuild.RunRecord{*f}, runs...)
	}
	for _, r := range runs {
		if started.IsZero() || r.Started.Before(started) {
			started = r.Started
		}
		if r.Finished.After(finished) {
			finished = r.Finished
		}
	}
	return started, finished
}

// byproducts are the logs of all runs and the outputs of every run but the first.
func (b *Build) byproducts() ([]evidence.Resource, error) {
	var out []evidence.Resource
	for n, r := range b.Outcome.Runs {
		if r.Log != "" {
			sum, err := fileSum(r.Log)
			if err != nil {
				return nil, fault.Inconclusivef(fault.Quote(filepath.Base(r.Log)), "cannot be read: %w", err)
			}
			out = append(out, evidence.Resource{Name: filepath.Base(r.Log), MediaType: "text/plain", Digest: sha256Digest(sum)})
		}
		if n == 0 {
			continue
		}
		for _, o := range r.Outputs {
			out = append(out, evidence.Resource{Name: "run-" + strconv.Itoa(n+1) + "/" + o.Path, Digest: sha256Digest(o.SHA256)})
		}
	}
	return out, nil
}

// dependencies are all that the build was given, each by digest.
func (b *Build) dependencies() ([]evidence.Resource, error) {
	o := b.Outcome
	out := []evidence.Resource{
		{Name: "commit", URI: gitURI(b.Repository, b.Ref), Digest: map[string]string{"gitCommit": b.Commit.ID}},
		{Name: "tree", Digest: map[string]string{"gitTree": b.Commit.Tree}},
		{Name: "exported tree", Digest: sha256Digest(o.Tree.SHA256), Annotations: map[string]any{"attributes": string(b.Recipe.Recipe.Source.Attributes)}},
		{Name: recipe.FileName, Digest: sha256Digest(b.Recipe.Recipe.Digest)},
	}
	if l := b.Recipe.Lock; l != nil {
		out = append(out, evidence.Resource{Name: recipe.LockFileName, Digest: sha256Digest(l.Digest())})
	}
	for _, m := range o.Tree.Submodules {
		out = append(out, evidence.Resource{Name: m.Path, URI: gitURI(source.DisplayName(m.URL), ""), Digest: map[string]string{"gitCommit": m.Commit}})
	}
	for _, t := range o.Tree.Transformed {
		if strings.Contains(t.By, "lfs") {
			out = append(out, evidence.Resource{Name: t.Path, Digest: sha256Digest(t.SHA256), Annotations: map[string]any{"from": "git-lfs"}})
		}
	}
	layers, err := layers(o.Builder)
	if err != nil {
		return nil, err
	}
	return append(append(out, layers...), b.fetched()...), nil
}

func layers(root *builder.Root) ([]evidence.Resource, error) {
	var out []evidence.Resource
	if root.Digest != "" {
		out = append(out, evidence.Resource{Name: "builder", Digest: sha256Digest(root.Digest)})
	}
	for _, l := range root.Layers {
		if l.Digest == "" {
			return nil, fault.Inconclusivef("builder "+fault.Quote(l.Name), "is not pinned: nobody could rebuild with it").
				WithHint("use a builder with a digest; a build on the host's own programs cannot be attested")
		}
		d, err := layerDigest(l.Digest)
		if err != nil {
			return nil, fault.Failf("builder "+fault.Quote(l.Name), "%w", err)
		}
		r := evidence.Resource{Name: "builder/" + l.Name, URI: l.URI(), Digest: d}
		if l.Voucher.Kind != "" {
			r.Annotations = map[string]any{"voucher": l.Voucher.Kind, "by": l.Voucher.By}
		}
		out = append(out, r)
	}
	return out, nil
}

// layerDigest writes a digest of ours as in-toto's digest_set.md does: a module's h1 is dirHash there, in hex.
func layerDigest(d string) (map[string]string, error) {
	if sum, ok := strings.CutPrefix(d, "sha256:"); ok {
		return sha256Digest(sum), nil
	}
	if sum, ok := strings.CutPrefix(d, "sha512-"); ok {
		raw, err := base64.StdEncoding.DecodeString(sum)
		if err != nil || len(raw) != sha512.Size {
			return nil, fault.Failf("digest", "unknown form %s", fault.Quote(d))
		}
		return map[string]string{"sha512": hex.EncodeToString(raw)}, nil
	}
	sum, ok := strings.CutPrefix(d, "h1:")
	raw, err := base64.StdEncoding.DecodeString(sum)
	if !ok || err != nil || len(raw) != sha256.Size {
		return nil, fault.Failf("digest", "unknown form %s", fault.Quote(d))
	}
	return map[string]string{"dirHash": hex.EncodeToString(raw)}, nil
}

func (b *Build) fetched() []evidence.Resource {
	in := b.Outcome.Inputs
	if in == nil {
		return nil
	}
	var out []evidence.Resource
	for _, c := range in.Closures {
		for _, e := range c.Entries {
			r := evidence.Resource{Name: c.Ecosystem + "/" + e.Path, Digest: sha256Digest(e.SHA256)}
			if p, ok := c.Package(e.Path); ok {
				r.URI = p.PURL
			}
			out = append(out, r)
		}
	}
	return out
}

func sha256Digest(sum string) map[string]string { return map[string]string{"sha256": sum} }

// gitURI names a repository as SLSA does (SPDX download location): git+URL, with the ref behind an @.
func gitURI(repository, ref string) string {
	uri := repository
	if strings.Contains(uri, "://") && !strings.HasPrefix(uri, "git+") {
		uri = "git+" + uri
	}
	if ref != "" {
		uri += "@" + ref
	}
	return uri
}

func limits(i sandbox.Isolation) map[string]string {
	out := map[string]string{}
	for _, l := range i.Limits {
		out[l.Limit] = strings.TrimSuffix(l.By+", "+l.Detail, ", ")
	}
	return out
}

func isolation(i sandbox.Isolation) map[string]string {
	out := map[string]string{"runtime": i.Runtime, "carrier": i.Carrier, "kernel": i.Kernel, "namespaces": strings.Join(i.Namespaces, " "), "network": i.Network}
	if i.RuntimeVersion != "" {
		out["runtime-version"], out["runtime-sha256"] = i.RuntimeVersion, i.RuntimeSHA256
	}
	for _, n := range i.Notes { // what was had in another way than the best one, or not at all
		out["note "+n.Name] = n.Detail
	}
	for _, c := range i.Checks {
		if c.OK {
			out["check "+c.Name] = strings.TrimSuffix("holds, "+c.Detail, ", ")
		}
	}
	return out
}

func variation(v rebuild.Variation) map[string]string {
	return map[string]string{"hostname": v.Hostname, "domain": v.Domain, "user": v.User, "uid": strconv.Itoa(v.UID), "gid": strconv.Itoa(v.GID), "home": v.Home, "umask": v.Umask,
		"cpus": strconv.Itoa(v.CPUs), "time-zone": v.TimeZone, "locale": v.Locale, "file-order": v.Files, "boot-offset": strconv.FormatInt(v.Boot, 10), "wall-clock": v.Clock, "factors": strings.Join(v.Factors, " "), "source-path": v.Source, "addresses": v.Addresses, "outside-path-length": v.Outside}
}

func fileSum(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), err
}
