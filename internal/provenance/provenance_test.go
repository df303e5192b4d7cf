package provenance

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/glassbuild/glassbuild/internal/builder"
	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/rebuild"
	"github.com/glassbuild/glassbuild/internal/rebuild/fetchproxy"
	"github.com/glassbuild/glassbuild/internal/recipe"
	"github.com/glassbuild/glassbuild/internal/sandbox"
	"github.com/glassbuild/glassbuild/internal/source"
)

const commit = "0123456789abcdef0123456789abcdef01234567"

var began = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func sum(text string) string {
	s := sha256.Sum256([]byte(text))
	return hex.EncodeToString(s[:])
}

const recipeText = `format = 1

[builder]
go = "1.26.5"

[[step]]
run = ["go", "build", "-o", "/out/bin/tool", "."]

[[artifact]]
output = "bin/tool"

[[artifact]]
output = "other/tool"

[[artifact]]
output = "data.bin"
`

// made is a build of this very test program, of a copy under another name, and of something else.
func made(t *testing.T) *Build {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	r, err := recipe.Parse("glassbuild.toml", []byte(recipeText))
	if err != nil {
		t.Fatal(err)
	}
	run := func(n string) (*rebuild.Result, rebuild.RunRecord) {
		dir := t.TempDir()
		rec := rebuild.RunRecord{Started: began, Finished: began.Add(time.Minute), Variation: rebuild.Variation{Hostname: "host" + n, UID: 1000},
			Isolation: sandbox.Isolation{Runtime: "runc", RuntimeVersion: "1.1.5", RuntimeSHA256: sum("runc"), Notes: []sandbox.Check{{Name: "mount /src", Detail: "copied"}}, Kernel: "Linux", Network: "refused, listed", Checks: []sandbox.Check{{Name: "mounts", OK: true, Detail: "3"}, {Name: "broken"}},
				Limits: []sandbox.Enforced{{Limit: "memory", By: "cgroup v2"}}}}
		res := &rebuild.Result{Dir: dir, Log: filepath.Join(dir, "run-"+n+".log"), Record: rec}
		if err := os.WriteFile(res.Log, []byte("log "+n), 0o600); err != nil {
			t.Fatal(err)
		}
		for name, data := range map[string][]byte{"bin/tool": program, "other/tool": program, "data.bin": []byte("data")} {
			file := filepath.Join(dir, filepath.FromSlash(name))
			if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, data, 0o600)); err != nil {
				t.Fatal(err)
			}
		}
		for _, a := range r.Artifacts {
			data := string(program)
			if a.Output == "data.bin" {
				data = "data"
			}
			res.Outputs = append(res.Outputs, sandbox.Output{Path: a.Output, Kind: sandbox.OutputFile, SHA256: sum(data), Size: int64(len(data))})
		}
		return res, rec
	}
	one, rec1 := run("1")
	two, rec2 := run("2")
	h1 := sha256.Sum256([]byte("toolchain"))
	o := &rebuild.Outcome{Runs: []*rebuild.Result{one, two}, Record: rebuild.Record{Runs: []rebuild.RunRecord{rec1, rec2}},
		Tree: &source.Tree{SHA256: sum("tree"), Submodules: []source.Submodule{{Path: "sub", URL: "https://user:secret@example.org/sub.git", Commit: strings.Repeat("1", 40)}},
			Transformed: []source.Transformed{{Path: "large.bin", By: "lfs", SHA256: sum("large")}, {Path: "crlf.txt", By: "eol=crlf", SHA256: sum("crlf")}}},
		Builder: &builder.Root{Digest: sum("root"), Layers: []builder.Layer{
			{Name: "go", Version: "1.26.5", Digest: "h1:" + base64.StdEncoding.EncodeToString(h1[:]), Voucher: builder.Voucher{Kind: "checksum-database", By: "sums"}},
			{Name: "debian", Version: "bookworm", Digest: "sha256:" + sum("debian"), Packages: []builder.Package{{Name: "gcc", Version: "1:12.2", PURL: "pkg:deb/debian/gcc@1%3A12.2?arch=amd64"}}}}},
		Inputs: &rebuild.Inputs{Closures: []*fetchproxy.Closure{{Ecosystem: "go", Entries: []fetchproxy.Entry{
			{Path: linkedZip, SHA256: sum("linked")},
			{Path: "example.org/unused/@v/v1.0.0.zip", SHA256: sum("unused")}}}}}}
	return &Build{Outcome: o, Commit: source.Facts{ID: commit, Tree: strings.Repeat("2", 40)}, Recipe: &recipe.Resolved{Recipe: r}, Repository: "https://example.org/tool", Ref: "refs/tags/v1", Tool: "1.0.0"}
}

// What the closure of made holds beside a module that nothing is linked with.
const (
	linkedPURL = "pkg:golang/example.org/Linked/v2@v2.1.0"
	linkedZip  = "example.org/!linked/v2/@v/v2.1.0.zip"
)

// read validates a statement by a schema of docs, where one is named, and decodes it.
func read(t *testing.T, payload []byte, schema string, into any) {
	t.Helper()
	if _, err := evidence.ReadDraft(payload); err != nil {
		t.Fatal(err)
	}
	if schema != "" {
		s, err := jsonschema.NewCompiler().Compile(filepath.Join("..", "..", "docs", schema))
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if err := json.Unmarshal(payload, &v); err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(v); err != nil {
			t.Errorf("docs/%s: %v", schema, err)
		}
	}
	if err := json.Unmarshal(payload, into); err != nil {
		t.Fatal(err)
	}
}

func TestProvenanceNamesEveryInput(t *testing.T) {
	t.Parallel()
	b := made(t)
	subjects, err := b.Subjects()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range subjects {
		names = append(names, s.Name)
	}
	if !slices.Equal(names, []string{"bin/tool", "other/tool", "data.bin"}) {
		t.Errorf("subjects %q", names)
	}
	payload, err := b.Provenance(subjects...)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(payload), "secret") {
		t.Error("credentials of a submodule are signed")
	}
	var got struct {
		Predicate struct {
			BuildDefinition struct {
				InternalParameters struct {
					Isolation, Limits map[string]string
					Runs              []any
				}
				ResolvedDependencies []evidence.Resource
			}
			RunDetails struct{ Byproducts []evidence.Resource }
		}
	}
	read(t, payload, "build.schema.json", &got)
	has := func(list []evidence.Resource, name, uri, algorithm, digest string) {
		t.Helper()
		if !slices.ContainsFunc(list, func(r evidence.Resource) bool { return r.Name == name && r.URI == uri && r.Digest[algorithm] == digest }) {
			t.Errorf("no %s %s %s:%s in %+v", name, uri, algorithm, digest, list)
		}
	}
	deps := got.Predicate.BuildDefinition.ResolvedDependencies
	has(deps, "commit", "git+https://example.org/tool@refs/tags/v1", "gitCommit", commit)
	has(deps, "tree", "", "gitTree", strings.Repeat("2", 40))
	has(deps, "exported tree", "", "sha256", sum("tree"))
	has(deps, "glassbuild.toml", "", "sha256", b.Recipe.Recipe.Digest)
	has(deps, "sub", "git+https://example.org/sub.git", "gitCommit", strings.Repeat("1", 40))
	has(deps, "large.bin", "", "sha256", sum("large"))
	has(deps, "builder", "", "sha256", sum("root"))
	has(deps, "builder/go", "pkg:generic/go@1.26.5", "dirHash", sum("toolchain"))
	has(deps, "builder/debian", "pkg:generic/debian@bookworm", "sha256", sum("debian"))
	has(deps, "go/example.org/unused/@v/v1.0.0.zip", "pkg:golang/example.org/unused@v1.0.0", "sha256", sum("unused"))
	has(deps, "go/"+linkedZip, linkedPURL, "sha256", sum("linked"))
	if slices.ContainsFunc(deps, func(r evidence.Resource) bool { return r.Name == "crlf.txt" }) {
		t.Error("a file that only changed its line endings is an input of its own")
	}
	by := got.Predicate.RunDetails.Byproducts
	has(by, "run-1.log", "", "sha256", sum("log 1"))
	has(by, "run-2.log", "", "sha256", sum("log 2"))
	has(by, "run-2/data.bin", "", "sha256", sum("data"))
	in := got.Predicate.BuildDefinition.InternalParameters
	if len(in.Runs) != 2 || in.Limits["memory"] != "cgroup v2" || in.Isolation["check mounts"] != "holds, 3" || in.Isolation["check broken"] != "" {
		t.Errorf("%+v", in)
	}
	for name, want := range map[string]string{"runtime": "runc", "runtime-version": "1.1.5", "runtime-sha256": sum("runc"), "note mount /src": "copied"} {
		if in.Isolation[name] != want {
			t.Errorf("isolation %s is %q, want %q", name, in.Isolation[name], want)
		}
	}
}

func TestTestResult(t *testing.T) {
	t.Parallel()
	b := made(t)
	subjects, err := b.Subjects()
	if err != nil {
		t.Fatal(err)
	}
	payload, err := b.TestResult(subjects[0])
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Predicate evidence.TestResult
	}
	read(t, payload, "test-result.schema.json", &got)
	if got.Predicate.Result != "PASSED" || len(got.Predicate.Configuration) != 3 {
		t.Errorf("%s", payload)
	}
}

// components reads both bills of materials and returns what each calls a part and a tool.
func components(t *testing.T, b *Build, output string) (parts, tools []string) {
	t.Helper()
	subject := evidence.Resource{Name: "tool", Digest: map[string]string{"sha256": sum("subject")}}
	spdx, cyclonedx, err := b.BillOfMaterials(output, subject)
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		Predicate struct {
			Metadata struct {
				Component struct{ Hashes []struct{ Content string } }
			}
			Components []struct{ Purl, Scope string }
		}
	}
	read(t, cyclonedx, "", &c)
	if c.Predicate.Metadata.Component.Hashes[0].Content != sum("subject") {
		t.Error("the bill of materials is about something else")
	}
	for _, x := range c.Predicate.Components {
		if x.Scope == "excluded" {
			tools = append(tools, x.Purl)
		} else {
			parts = append(parts, x.Purl)
		}
	}
	var s struct {
		Predicate struct {
			Packages []struct {
				ExternalRefs []struct{ ReferenceLocator string }
			}
		}
	}
	read(t, spdx, "", &s)
	var locators []string
	for _, p := range s.Predicate.Packages {
		for _, r := range p.ExternalRefs {
			locators = append(locators, r.ReferenceLocator)
		}
	}
	for _, purl := range append(slices.Clone(parts), tools...) {
		if !slices.Contains(locators, purl) {
			t.Errorf("SPDX does not name %s", purl)
		}
	}
	return parts, tools
}

func TestBillOfMaterialsIsWhatWasUsed(t *testing.T) {
	t.Parallel()
	b := made(t)
	parts, tools := components(t, b, "bin/tool") // this test program, which says nothing of modules
	if !slices.Contains(parts, "pkg:golang/std@"+strings.TrimPrefix(runtime.Version(), "go")) {
		t.Errorf("parts %q", parts)
	}
	if slices.Contains(parts, "pkg:golang/example.org/unused@v1.0.0") {
		t.Error("a module that was fetched and not linked is a part")
	}
	for _, want := range []string{"pkg:generic/go@1.26.5", "pkg:generic/debian@bookworm", "pkg:deb/debian/gcc@1%3A12.2?arch=amd64"} {
		if !slices.Contains(tools, want) {
			t.Errorf("no %s among the tools %q", want, tools)
		}
	}
	parts, _ = components(t, b, "data.bin")
	if !slices.Equal(parts, []string{linkedPURL, "pkg:golang/example.org/unused@v1.0.0"}) {
		t.Errorf("what is no Go program: parts %q", parts)
	}
	if _, _, err := b.BillOfMaterials("nothing", evidence.Resource{}); fault.ClassOf(err) != fault.Usage {
		t.Errorf("an output that is none: %v", err)
	}
}

func TestLinkedModules(t *testing.T) {
	t.Parallel()
	b := made(t)
	b.Commit.Tags = []source.Tag{{Name: "v1.2.0", Commit: commit}, {Name: "v1.1.0", Commit: strings.Repeat("3", 40)}}
	info := &buildinfo.BuildInfo{GoVersion: "go1.26.5 X:foo", Path: "example.org/tool/cmd/tool", Main: debug.Module{Path: "example.org/tool", Version: "v1.2.0"}, Deps: []*debug.Module{
		{Path: "example.org/replaced", Version: "v1.0.0", Replace: &debug.Module{Path: "example.org/Linked/v2", Version: "v2.1.0"}}, {Path: "example.org/local", Version: "v1.0.0", Replace: &debug.Module{Path: "./local"}}}}
	list := b.linked(info)
	if len(list) != 3 || list[0].PURL != "pkg:golang/std@1.26.5" || list[1].PURL != linkedPURL || list[1].Digests["sha256"] != sum("linked") || list[2].Name != "./local" || list[2].PURL != "" {
		t.Errorf("%+v", list)
	}
	if version, purl := b.goProgram(info); version != "v1.2.0" || purl != "pkg:golang/example.org/tool@v1.2.0#cmd/tool" {
		t.Errorf("%s %s", version, purl)
	}
	info.Main.Version = "v1.1.0" // a tag of another commit
	if version, purl := b.goProgram(info); version != commit || purl != "" {
		t.Errorf("%s %s", version, purl)
	}
}

func TestNothingIsSaidOfABuildThatSaysNothing(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Build){
		"one run":            func(b *Build) { b.Outcome.Runs = b.Outcome.Runs[:1] },
		"runs disagree":      func(b *Build) { b.Outcome.Disagree = &rebuild.Disagreement{} },
		"from the cache":     func(b *Build) { b.Outcome.Cached = true },
		"a run unrecorded":   func(b *Build) { b.Outcome.Record.Runs = b.Outcome.Record.Runs[:1] },
		"no outcome":         func(b *Build) { b.Outcome = nil },
		"builder not pinned": func(b *Build) { b.Outcome.Builder.Layers[0].Digest = "" },
		"odd layer digest":   func(b *Build) { b.Outcome.Builder.Layers[0].Digest = "md5:00" },
		"log is gone":        func(b *Build) { os.Remove(b.Outcome.Runs[1].Log) },
	} {
		b := made(t)
		change(b)
		if _, err := b.Provenance(evidence.Resource{Name: "tool", Digest: map[string]string{"sha256": sum("x")}}); err == nil {
			t.Errorf("%s: provenance is written", name)
		}
	}
}
