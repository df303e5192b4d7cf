package report_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/glassbuild/glassbuild/internal/policy"
	"github.com/glassbuild/glassbuild/internal/report"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

var update = flag.Bool("update", false, "write the golden files")

func sum(c string) string { return strings.Repeat(c, 64) }

// facts are what an honest run leaves; the cases below spoil them.
func facts() verdict.Facts {
	return verdict.Facts{
		Tool:    verdict.Tool{Name: "glassbuild", Version: "v1.0.0"},
		Subject: verdict.Subject{Name: "kestrel", SHA256: sum("a"), Size: 3_400_000, Format: "elf"},
		Source: &verdict.Source{Repository: "kestrel", Commit: strings.Repeat("1", 40), ChosenBy: verdict.ByArtefact, GitTree: strings.Repeat("2", 40),
			TreeSHA256: sum("b"), Files: 31, Bytes: 48_000, Refs: []string{"refs/heads/main", "refs/tags/v1.3.0"}, Signature: verdict.Signature{Status: "unsigned"},
			Roots: &verdict.RootsRef{Name: "trusted_root.json", SHA256: sum("7")}, Attributes: "raw"},
		Recipe:  &verdict.Recipe{SHA256: sum("c"), ChosenBy: verdict.ByArtefact, Text: "format = 1\n\n[builder]\ngo = \"1.26.5\"\n", Unknown: []string{"strings set with -X"}},
		Builder: &verdict.Builder{SHA256: sum("d"), Layers: []verdict.Layer{{Name: "go", Version: "1.26.5", Digest: "sha256:" + sum("d"), Voucher: verdict.Voucher{Kind: "checksum database"}}}},
		Inputs:  &verdict.Inputs{SHA256: sum("e"), Files: 3, Bytes: 90_000, Modules: []verdict.Module{{Path: "example.org/m", Version: "v1.0.0", Status: "verified"}}},
		Rebuild: &verdict.Rebuild{Runs: 2, Agree: true, Outputs: []verdict.Digest{{Name: "kestrel", SHA256: sum("a"), Size: 3_400_000}}, CopyCheck: true, Account: &verdict.Account{Proved: true, Of: 3, Source: []verdict.Digest{{Name: "main.go", SHA256: sum("b"), Size: 10}}, Layers: []verdict.LayerRead{{Name: "go", Digest: "sha256:" + sum("b"), Read: true}}},
			Origins: []verdict.Origin{{Names: []string{"kestrel"}, SHA256: sum("a"), By: []string{"go-line-table", "go-packages"}, Source: []verdict.Digest{{Name: "main.go", SHA256: sum("b"), Size: 10}},
				Package: []verdict.Digest{{Name: "rules.toml", SHA256: sum("c"), Size: 4}}, Made: []verdict.MadeFile{{Name: "zz_version.go", SHA256: sum("d")}}, Gone: 1, Unread: []string{"gram\x1b[2Jmar.y"},
				Unknown: []string{"/home/somebody/x.go"}, More: 2, Parts: []verdict.OriginPart{{Kind: "builder", Name: "go 1.26.5", Files: 370}, {Kind: "module", Name: "example.org/m@v1.0.0", Files: 3}, {Kind: "module", Name: "example.org/n@v1.0.0", Files: 2}}},
				{Names: []string{"kestrel-static"}, SHA256: sum("f"), By: []string{}, Silent: 1, Why: "it holds no line table", Source: []verdict.Digest{}}}},
		Comparison: &verdict.Comparison{Whole: verdict.Identical, Members: []verdict.MemberResult{{Path: "kestrel", State: verdict.Identical, SHA256: sum("a"), Size: 3_400_000, Output: "kestrel"}}},
	}
}

func cases() map[string]verdict.Verdict {
	honest := facts()
	different := facts()
	different.Comparison = &verdict.Comparison{Whole: verdict.Different, Members: []verdict.MemberResult{{Path: "kestrel", State: verdict.Different, SHA256: sum("f"), Size: 3_400_100,
		Difference: &verdict.Difference{Rebuilt: verdict.Digest{Name: "kestrel", SHA256: sum("a"), Size: 3_400_000}, Bytes: 99_000, First: 100, Last: 3_400_099, Stable: true}}}}
	partial := facts()
	partial.Comparison = &verdict.Comparison{Whole: verdict.NotRebuilt, Members: []verdict.MemberResult{
		{Path: "package/bin/kestrel", State: verdict.Identical, SHA256: sum("a"), Output: "kestrel"},
		{Path: "package/README.md", State: verdict.InTree, SHA256: sum("7"), TreePath: "README.md"},
		{Path: "package/post\x1b[2Jinstall\nPASSED.js", State: verdict.Nowhere, SHA256: sum("8")}}}
	early := verdict.Facts{Tool: honest.Tool, Subject: honest.Subject, Problems: []verdict.Problem{{Check: verdict.CheckObjects, Class: "failed", Text: "object 12799c…: content hash differs"}}}
	out := map[string]verdict.Verdict{}
	for name, f := range map[string]verdict.Facts{"identical": honest, "different": different, "partial": partial, "early": early} {
		out[name] = verdict.Decide(f, policy.Default())
	}
	gate, err := policy.FromGate(policy.Gate{Identity: "https://forge.example/acme/tool/ci.yml@v1", Issuer: "https://token.forge.example", Commit: strings.Repeat("1", 40)}, time.Time{})
	if err != nil {
		panic(err) // values of tests
	}
	signed := verdict.Statement{Name: "kestrel.sigstore.json", SHA256: sum("3"), Payload: sum("4"), Format: "sigstore-bundle-0.3", Type: policy.TypeProvenanceV1, Subject: "kestrel",
		Signers: []verdict.Signer{{Principal: "signer", Key: "sha256:" + sum("5"), Identity: "https://forge.example/acme/tool/ci.yml@v1", Issuer: "https://token.forge.example"}},
		Time:    1772600767, Logs: []string{"https://log.example"}, Says: map[string]string{"commit": strings.Repeat("1", 40), "repository": "https://forge.example/acme/tool\x1b[2J", "builder": "https://forge.example/runner"}}
	checked := verdict.Facts{Scope: verdict.ScopeCheck, Tool: honest.Tool, Subject: honest.Subject, Now: time.Unix(1772600800, 0),
		Provenance: &verdict.Evidence{Pieces: 2, Elsewhere: 1, TrustedRoots: sum("6"), Statements: []verdict.Statement{signed}, Refused: []verdict.Refused{{Name: "other.bundle", SHA256: sum("9"), Reason: "other.bundle: malformed bundle"}}}}
	out["checked"] = verdict.Decide(checked, gate)
	signed.Says = map[string]string{"commit": strings.Repeat("2", 40)}
	checked.Provenance = &verdict.Evidence{Pieces: 1, Statements: []verdict.Statement{signed}}
	out["checked-other-commit"] = verdict.Decide(checked, gate)
	return out
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for name, v := range cases() {
		js, err := report.JSON(v)
		if err != nil {
			t.Fatal(err)
		}
		for file, got := range map[string][]byte{name + ".txt": report.Text(v, report.Style{Width: 80}), name + ".json": js} {
			path := filepath.Join("testdata", file)
			if *update {
				os.MkdirAll("testdata", 0o755)
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s differs from its golden file (go test ./internal/report -update writes it):\n%s", file, got)
			}
		}
	}
}

func TestJSONFollowsItsSchema(t *testing.T) {
	t.Parallel()
	schema, err := jsonschema.NewCompiler().Compile(filepath.Join("..", "..", "docs", "verdict.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	validate := func(data []byte) error {
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		return schema.Validate(v)
	}
	for name, v := range cases() {
		data, err := report.JSON(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(data); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		// the schema is not empty: what is not in it is refused, what must be there is missed
		var m map[string]any
		json.Unmarshal(data, &m)
		m["extra"] = 1
		b, _ := json.Marshal(m)
		if validate(b) == nil {
			t.Errorf("%s: an unknown key is accepted", name)
		}
		delete(m, "extra")
		delete(m, "result")
		b, _ = json.Marshal(m)
		if validate(b) == nil {
			t.Errorf("%s: a verdict without result is accepted", name)
		}
	}
	forged := cases()["early"]
	forged.Result, forged.Match = verdict.Passed, verdict.MatchIdentical
	data, _ := report.JSON(forged)
	if validate(data) == nil {
		t.Error("the schema accepts a pass with a failed check")
	}
}

func TestForeignNamesCannotSpeak(t *testing.T) {
	t.Parallel()
	text := string(report.Text(cases()["partial"], report.Style{Color: true, Width: 80}))
	for _, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "PASSED") {
			t.Fatalf("a member's name begins a line with PASSED:\n%s", text)
		}
	}
	if strings.Contains(text, "\x1b[2J") {
		t.Fatal("a member's name reaches the terminal raw")
	}
}

func TestNoColorMeansNoEscape(t *testing.T) {
	t.Parallel()
	for name, v := range cases() {
		if bytes.ContainsRune(report.Text(v, report.Style{}), '\x1b') {
			t.Errorf("%s: an escape sequence without colour", name)
		}
		for _, line := range strings.Split(string(report.Text(v, report.Style{Width: 80})), "\n") {
			if n := len([]rune(line)); n > 80 && !strings.Contains(line, strings.Repeat("1", 40)) {
				t.Errorf("%s: %d columns: %s", name, n, line)
			}
		}
	}
}

// TestOriginsInTheDocument: docs/sandbox.md shows what a report says.
func TestOriginsInTheDocument(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "sandbox.md"))
	if err != nil {
		t.Fatal(err)
	}
	files := func(n int) []verdict.Digest { return make([]verdict.Digest, n) }
	parts := func(n int) []verdict.OriginPart {
		return []verdict.OriginPart{{Kind: "builder", Name: "go 1.26.5", Files: n}, {Kind: "module", Name: "github.com/BurntSushi/toml@v1.6.0", Files: 9}}
	}
	golang := []string{"go-line-table", "go-packages"}
	f := facts()
	f.Rebuild.Account.Source, f.Rebuild.Account.Of = files(17), 18
	f.Rebuild.Origins = []verdict.Origin{
		{Names: []string{"kestrel"}, By: golang, Source: files(5), Package: files(4), Parts: parts(373)},
		{Names: []string{"kestrel-rules"}, By: golang, Source: files(4), Package: files(5), Parts: parts(367)},
		{Names: []string{"bison-made"}, By: []string{"debug-data"}, Source: files(2), Unread: []string{"src/grammar.y"}},
		{Names: []string{"static"}, Silent: 1, Why: "it holds no line table, no debug data and no file symbols"},
	}
	text := string(report.Text(verdict.Decide(f, policy.Default()), report.Style{}))
	_, text, _ = strings.Cut(text, "The build read")
	text, _, _ = strings.Cut(text, "\n\n")
	if !strings.Contains(string(doc), "```\nThe build read"+text+"\n```") {
		t.Errorf("docs/sandbox.md does not show it:\nThe build read%s", text)
	}
}

// TestEveryReportCountsWhatWasRead closes F19 for reports: also where the account fails, every form says how much of what was read nobody
// can read, was generated or is somebody else's.
func TestEveryReportCountsWhatWasRead(t *testing.T) {
	t.Parallel()
	f := facts()
	f.Rebuild.Account = &verdict.Account{Why: "no step was traced", Of: 90, Generated: 41, Vendored: 52, Source: make([]verdict.Digest, 77),
		Opaque: []verdict.Opaque{{Path: "tests/x.xz", Kind: "compressed", SHA256: sum("1")}, {Path: "y.xz", Kind: "compressed", SHA256: sum("2")}}}
	build := verdict.BuildFacts{Rebuild: f.Rebuild}
	second := facts()
	second.Scope, second.Release = verdict.ScopeRelease, &verdict.Release{Builds: []verdict.BuildFacts{build}}
	for name, facts := range map[string]verdict.Facts{"one file": f, "the second build of a release": second} {
		v := verdict.Decide(facts, policy.Default())
		for _, format := range report.Formats {
			data, err := report.Render(v, format, report.Style{})
			if err != nil {
				t.Fatal(err)
			}
			want := []string{"77 of 90 files of the source", "41 generated, 52 vendored"}
			switch format {
			case "json":
				want = []string{`"generated-files": 41`, `"vendored-files": 52`, `"tests/x.xz"`}
			case "sarif":
				want = []string{`"generated": 41`, `"vendored": 52`, `"opaque": 2`, `"source": 77`, `"of": 90`}
			}
			for _, w := range want {
				if !strings.Contains(string(data), w) {
					t.Errorf("%s, %s does not say %q", name, format, w)
				}
			}
		}
	}
}
