package evidence_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/evidence/evidencetest"
)

// signedAs signs a payload and reads it back as any other reader would.
func signedAs(t *testing.T, payload []byte, predicate string) *evidence.Statement {
	t.Helper()
	i := evidencetest.New(t, "predicates")
	o := ask()
	o.Predicates = []string{predicate}
	verified, err := o.judge(i.TrustedRoot(evidencetest.Spans{}), i.Attest(payload, evidencetest.Leaf{}).JSON())
	if err != nil {
		t.Fatalf("%v: %s", err, payload)
	}
	return verified[0].Statement()
}

// valid holds the predicate of a payload against a schema of docs.
func valid(t *testing.T, schema string, payload []byte) error {
	t.Helper()
	c := jsonschema.NewCompiler()
	s, err := c.Compile(filepath.Join("..", "..", "docs", schema))
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(payload, &v); err != nil {
		t.Fatal(err)
	}
	return s.Validate(v)
}

func toolSubject() evidence.Resource {
	return evidence.Resource{Name: "tool", Digest: map[string]string{"sha256": evidencetest.SHA256(tool)}}
}

func build() *evidence.Build {
	at := evidencetest.At
	return &evidence.Build{Repository: toolRepo, Commit: toolCommit, Ref: "refs/tags/v1", Recipe: strings.Repeat("a", 64), RecipeText: "format = 1\n",
		Version: map[string]string{"glassbuild": "1.0.0"}, Started: at, Finished: at.Add(time.Minute), Limits: map[string]string{"memory": "cgroup v2"},
		Isolation:    map[string]string{"network": "refused, listed"},
		Runs:         []evidence.Run{{Started: at, Finished: at.Add(time.Second), Variation: map[string]string{"cpus": "1"}}, {Started: at, Finished: at.Add(time.Second)}},
		Dependencies: []evidence.Resource{{URI: "git+" + toolRepo, Digest: map[string]string{"gitCommit": toolCommit}}, {URI: "pkg:golang/example.org/m@v1.0.0", Digest: map[string]string{"sha256": strings.Repeat("b", 64)}}},
		Byproducts:   []evidence.Resource{{Name: "build.log", Digest: map[string]string{"sha256": strings.Repeat("c", 64)}}}}
}

func TestProvenanceRoundTrip(t *testing.T) {
	t.Parallel()
	payload, err := build().Marshal(toolSubject())
	if err != nil {
		t.Fatal(err)
	}
	again, err := build().Marshal(toolSubject())
	if err != nil || string(again) != string(payload) {
		t.Error("the same build is not the same bytes")
	}
	if err := valid(t, "build.schema.json", payload); err != nil {
		t.Errorf("docs/build.schema.json: %v", err)
	}
	p, err := signedAs(t, payload, evidence.PredicateProvenanceV1).Provenance()
	if err != nil {
		t.Fatal(err)
	}
	if p.BuildType != evidence.BuildType || p.BuilderID != evidence.BuilderID || p.Repository != toolRepo || p.Commit != toolCommit || p.Ref != "refs/tags/v1" ||
		len(p.Dependencies) != 2 || len(p.Byproducts) != 1 || !p.Started.Equal(evidencetest.At) {
		t.Errorf("read back as %+v", p)
	}
	for name, change := range map[string]func(*evidence.Build){
		"one run": func(b *evidence.Build) { b.Runs = b.Runs[:1] }, "short commit": func(b *evidence.Build) { b.Commit = "1111" },
		"no repository": func(b *evidence.Build) { b.Repository = "" }, "no recipe": func(b *evidence.Build) { b.Recipe = "" },
		"no dependencies": func(b *evidence.Build) { b.Dependencies = nil }, "no times": func(b *evidence.Build) { b.Started = time.Time{} },
		"dependency without digest": func(b *evidence.Build) { b.Dependencies[1].Digest = nil },
		"upper-case digest":         func(b *evidence.Build) { b.Dependencies[1].Digest["sha256"] = strings.Repeat("B", 64) },
	} {
		b := build()
		change(b)
		if _, err := b.Marshal(toolSubject()); err == nil {
			t.Errorf("%s: written", name)
		}
	}
	if _, err := build().Marshal(); err == nil {
		t.Error("written without a subject")
	}
}

func TestProvenanceOfOthers(t *testing.T) {
	t.Parallel()
	git := func(uri string) object { return object{"uri": uri, "digest": object{"gitCommit": toolCommit}} }
	for name, tc := range map[string]struct {
		predicate object
		want      evidence.Provenance
	}{
		"a forge's workflow": {object{"runDetails": object{"builder": object{"id": "b"}}, "buildDefinition": object{"buildType": "https://actions.github.io/buildtypes/workflow/v1",
			"externalParameters":   object{"workflow": object{"ref": "refs/tags/v1", "repository": toolRepo, "path": ".github/workflows/r.yml"}},
			"internalParameters":   object{"github": object{"event_name": "push"}},
			"resolvedDependencies": []any{object{"uri": "git+" + toolRepo + "@refs/heads/other", "digest": object{"gitCommit": otherCommit}}, git("git+" + toolRepo + "@refs/tags/v1")}}},
			evidence.Provenance{Repository: toolRepo, Commit: toolCommit, Ref: "refs/tags/v1", Workflow: ".github/workflows/r.yml", Trigger: "push"}},
		"one commit among the dependencies": {object{"runDetails": object{"builder": object{"id": "b"}}, "buildDefinition": object{"buildType": "https://example.org/b", "resolvedDependencies": []any{git("git+" + toolRepo + ".git@refs/heads/main"), object{"uri": "pkg:golang/m"}}}},
			evidence.Provenance{Repository: toolRepo, Commit: toolCommit, Ref: "refs/heads/main"}},
		"two commits say nothing": {object{"runDetails": object{"builder": object{"id": "b"}}, "buildDefinition": object{"buildType": "https://example.org/b", "resolvedDependencies": []any{git("git+https://a.example/x"), git("git+https://b.example/y")}}},
			evidence.Provenance{}},
	} {
		p, err := signedAs(t, evidencetest.Statement("tool", tool, evidence.PredicateProvenanceV1, tc.predicate), evidence.PredicateProvenanceV1).Provenance()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if p.Repository != tc.want.Repository || p.Commit != tc.want.Commit || p.Ref != tc.want.Ref || p.Workflow != tc.want.Workflow || p.Trigger != tc.want.Trigger {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

func summary() *evidence.Summary {
	return &evidence.Summary{Verifier: evidence.Verifier{ID: evidence.VerifierID, Version: map[string]string{"glassbuild": "1.0.0"}}, Time: evidencetest.At, Resource: "pkg:generic/tool@1.2.3",
		Policy: evidence.PolicyReference{URI: "policy.toml", Digest: map[string]string{"sha256": strings.Repeat("d", 64)}},
		Inputs: []evidence.InputStatement{{URI: "tool.sigstore.json", Digest: map[string]string{"sha256": strings.Repeat("e", 64)}}},
		Result: evidence.SummaryPassed, Levels: []string{evidence.LevelUnevaluated, evidence.LevelReproduced}, Version: evidence.SLSAVersion,
		Rebuild: &evidence.Rebuild{Match: "identical", Repository: toolRepo, Commit: toolCommit, Tree: strings.Repeat("1", 64), Recipe: strings.Repeat("2", 64), Builder: strings.Repeat("3", 64), Runs: 2, Expires: evidencetest.At.AddDate(1, 0, 0)}}
}

func TestSummaryRoundTrip(t *testing.T) {
	t.Parallel()
	for _, result := range []string{evidence.SummaryPassed, evidence.SummaryFailed} {
		s := summary()
		s.Result = result
		payload, err := s.Marshal(toolSubject())
		if err != nil {
			t.Fatal(err)
		}
		if err := valid(t, "rebuild.schema.json", payload); err != nil {
			t.Errorf("docs/rebuild.schema.json: %v", err)
		}
		got, err := signedAs(t, payload, evidence.PredicateSummary).Summary()
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, s) {
			t.Errorf("read back as %+v, was %+v", got, s)
		}
	}
	for name, change := range map[string]func(*evidence.Summary){
		"a level of SLSA": func(s *evidence.Summary) { s.Levels = []string{"SLSA_BUILD_LEVEL_3"} }, "no result": func(s *evidence.Summary) { s.Result = "" },
		"inconclusive": func(s *evidence.Summary) { s.Result = "INCONCLUSIVE" }, "no time": func(s *evidence.Summary) { s.Time = time.Time{} },
		"passed and different": func(s *evidence.Summary) { s.Rebuild.Match = "different" }, "one run": func(s *evidence.Summary) { s.Rebuild.Runs = 1 },
		"no commit": func(s *evidence.Summary) { s.Rebuild.Commit = "" }, "expired at once": func(s *evidence.Summary) { s.Rebuild.Expires = s.Time }, "no resource": func(s *evidence.Summary) { s.Resource = "" },
	} {
		s := summary()
		change(s)
		if _, err := s.Marshal(toolSubject()); err == nil {
			t.Errorf("%s: written", name)
		}
	}
}

func TestSmallPredicatesRoundTrip(t *testing.T) {
	t.Parallel()
	result := &evidence.TestResult{Result: "PASSED", Configuration: []evidence.Resource{{Name: "recipe", Digest: map[string]string{"sha256": strings.Repeat("2", 64)}}}, Passed: []string{"run 1 and run 2 agree"}}
	payload, err := result.Marshal(toolSubject())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := signedAs(t, payload, evidence.PredicateTestResult).TestResult(); err != nil || !reflect.DeepEqual(got, result) {
		t.Errorf("read back as %+v, %v", got, err)
	}
	if _, err := (&evidence.TestResult{Result: "PASSED", Configuration: result.Configuration, Failed: []string{"x"}}).Marshal(toolSubject()); err == nil {
		t.Error("a passed result with failed tests is written")
	}
	w := &evidence.Withdrawal{Statement: strings.Repeat("1", 64), Superseded: strings.Repeat("2", 64), Reason: "the builder was compromised", Time: evidencetest.At}
	if payload, err = w.Marshal(toolSubject()); err != nil {
		t.Fatal(err)
	}
	if err := valid(t, "withdrawal.schema.json", payload); err != nil {
		t.Errorf("docs/withdrawal.schema.json: %v", err)
	}
	if got, err := signedAs(t, payload, evidence.PredicateWithdrawal).Withdrawal(); err != nil || !reflect.DeepEqual(got, w) {
		t.Errorf("read back as %+v, %v", got, err)
	}
	if _, err := (&evidence.Withdrawal{Statement: w.Statement, Time: w.Time}).Marshal(toolSubject()); err == nil {
		t.Error("a withdrawal without a reason is written")
	}
}

// TestSchemasMatchDocumentation keeps docs/predicates.md and the schemas beside it in step with the code.
func TestSchemasMatchDocumentation(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "predicates.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, uri := range []string{evidence.PredicateProvenanceV1, evidence.PredicateProvenanceV02, evidence.PredicateSummary, evidence.PredicateTestResult, evidence.PredicateNPMPublish,
		evidence.PredicateSPDX, evidence.PredicateCycloneDX, evidence.PredicateWithdrawal, evidence.BuildType, evidence.BuilderID, evidence.VerifierID, evidence.LevelReproduced, evidence.LevelUnevaluated,
		"build.schema.json", "rebuild.schema.json", "withdrawal.schema.json", "source-repository-digest", "build-config-uri", "glassbuild_rebuild"} {
		if !strings.Contains(string(doc), uri) {
			t.Errorf("docs/predicates.md does not name %s", uri)
		}
	}
}
