package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/glassbuild/glassbuild/internal/evidence/evidencetest"
	"github.com/glassbuild/glassbuild/internal/fault"
)

// toolContent is the artefact that the vectors of evidence are about.
const toolContent = "the tool, byte for byte\n"

// asked is what a vector of evidence is judged by, as internal/evidence writes it.
type asked struct {
	Digests    map[string]string
	Names      []string
	Predicates []string
	Message    bool
	Require    struct {
		Logs, Timestamps int
		NoLog, NoSCT     bool
	}
	Demand struct {
		Repository, Commit, Ref, Builder, BuildType, Workflow, Trigger string
		Fields                                                         map[string]string
	}
	Principals []struct{ Name, Identity, Issuer, Key, Valid string }
	Need       int
}

// policy writes the same in the language of policies.
func (a *asked) policy(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("format = 1\n")
	line := func(key, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s = %s\n", key, strconv.Quote(value))
		}
	}
	var names []string
	for i, p := range a.Principals {
		b.WriteString("[[principal]]\n")
		line("name", p.Name)
		line("identity", p.Identity)
		line("issuer", p.Issuer)
		line("valid", p.Valid)
		if p.Key != "" {
			key := fmt.Sprintf("key-%d.pem", i)
			put(t, filepath.Join(dir, key), []byte(p.Key))
			line("key", key)
		}
		names = append(names, strconv.Quote(p.Name))
	}
	fmt.Fprintf(&b, "[[group]]\nname = \"everybody\"\nmembers = [%s]\nthreshold = %d\n[provenance]\nsigned-by = \"everybody\"\n", strings.Join(names, ", "), max(a.Need, 1))
	var types []string
	for _, p := range a.Predicates {
		types = append(types, strconv.Quote(p))
	}
	if a.Message {
		types = append(types, `"message"`)
	}
	fmt.Fprintf(&b, "types = [%s]\nsame-name = %t\n", strings.Join(types, ", "), len(a.Names) > 0 && !a.Message)
	var require []string
	if a.Require.NoLog {
		line("no-log", "the vector does without")
	} else {
		require = append(require, `"log"`)
		fmt.Fprintf(&b, "logs = %d\n", max(a.Require.Logs, 1))
	}
	if a.Require.Timestamps > 0 {
		require = append(require, `"timestamp"`)
		fmt.Fprintf(&b, "timestamps = %d\n", a.Require.Timestamps)
	}
	fmt.Fprintf(&b, "require = [%s]\n", strings.Join(require, ", "))
	if a.Require.NoSCT {
		line("no-sct", "the vector does without")
	}
	d := a.Demand
	for key, value := range map[string]string{"repository": d.Repository, "commit": d.Commit, "ref": d.Ref, "builder": d.Builder, "build-type": d.BuildType, "workflow": d.Workflow, "trigger": d.Trigger} {
		line(key, value)
	}
	if len(d.Fields) > 0 {
		b.WriteString("[provenance.fields]\n")
		for address, value := range d.Fields {
			line(strconv.Quote(address), value)
		}
	}
	return b.String()
}

func put(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// checked runs the program on evidence about the tool.
func checked(t *testing.T, policy string, root, evidence []byte, dir string) (code int, stdout, stderr string) {
	t.Helper()
	put(t, filepath.Join(dir, "tool"), []byte(toolContent))
	put(t, filepath.Join(dir, "policy.toml"), []byte(policy))
	put(t, filepath.Join(dir, "root.json"), root)
	put(t, filepath.Join(dir, "evidence.json"), evidence)
	var out, errs bytes.Buffer
	in := func(name string) string { return filepath.Join(dir, name) }
	code = run([]string{"check", in("tool"), "--policy", in("policy.toml"), "--trusted-root", in("root.json"), "--evidence", in("evidence.json")}, &out, &errs)
	return code, out.String(), errs.String()
}

// TestEvidenceVectors hands every vector of evidence to the program: rows 37 to 59 of the bad-input corpus, as files, with
// a policy that demands the same.
func TestEvidenceVectors(t *testing.T) {
	t.Parallel()
	const folder = "../../testdata/vectors/evidence/"
	shared, err := os.ReadFile(folder + "trusted_root.json")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(folder + "*.txtar")
	if err != nil || len(files) < 100 {
		t.Fatalf("%d vectors: %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		if strings.HasPrefix(name, "53-") {
			continue // in the future of their own clock alone: see TestFutureEvidence
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			root, data := shared, []byte(nil)
			var a asked
			for _, f := range archive.Files {
				switch f.Name {
				case "evidence.json":
					data = bytes.TrimSuffix(f.Data, []byte("\n"))
				case "trusted_root.json":
					root = f.Data
				case "options.json":
					if err := json.Unmarshal(f.Data, &a); err != nil {
						t.Fatal(err)
					}
				}
			}
			text := ""
			for line := range strings.Lines(string(archive.Comment)) {
				if v, ok := strings.CutPrefix(line, "text: "); ok {
					text = strings.TrimSuffix(v, "\n")
				}
			}
			dir := t.TempDir()
			code, stdout, stderr := checked(t, a.policy(t, dir), root, data, dir)
			answered(t, text, code, stdout, stderr)
		})
	}
}

// answered holds an answer of the program against a vector.
func answered(t *testing.T, text string, code int, stdout, stderr string) {
	t.Helper()
	want := 1
	switch {
	case text == "":
		want = 0
	case strings.Contains(text, "trusted root"):
		want = 4 // the auditor's own file
	}
	if code != want {
		t.Errorf("exit code %d, want %d\n%s%s", code, want, stdout, stderr)
	}
	if text != "" && !strings.Contains(stdout+stderr, text) {
		t.Errorf("want %q in\n%s%s", text, stdout, stderr)
	}
	if (want == 0) != strings.Contains(stdout, "PASSED (not-rebuilt)") || want == 1 && !strings.Contains(stdout, "FAILED (not-rebuilt)") {
		t.Errorf("the last line is not what the exit code says:\n%s", stdout)
	}
	for line := range strings.Lines(stdout + stderr) {
		if !fault.Plain(strings.TrimSuffix(line, "\n")) {
			t.Errorf("unprintable: %+q", line)
		}
	}
}

// release is a policy that accepts provenance by the workflow that evidencetest signs as.
const release = `format = 1
[[principal]]
name = "release"
identity = "https://forge.example/acme/tool/.github/workflows/release.yml@refs/tags/*"
issuer = "` + evidencetest.Issuer + `"
[provenance]
signed-by = "release"
`

func honestProvenance() map[string]any {
	const commit = "1111111111111111111111111111111111111111"
	return map[string]any{
		"buildDefinition": map[string]any{"buildType": "https://example.org/build/v1", "externalParameters": map[string]any{},
			"resolvedDependencies": []any{map[string]any{"uri": "git+https://forge.example/acme/tool", "digest": map[string]any{"gitCommit": commit}}}},
		"runDetails": map[string]any{"builder": map[string]any{"id": "https://example.org/builder"}},
	}
}

func provenanceOf(name string) []byte {
	return evidencetest.Statement(name, []byte(toolContent), "https://slsa.dev/provenance/v1", honestProvenance())
}

// TestFutureEvidence is row 53, made anew each time: a log or an authority whose clock runs ahead.
func TestFutureEvidence(t *testing.T) {
	t.Parallel()
	i := evidencetest.New(t, "future")
	ahead := time.Now().Add(time.Hour)
	b := i.Attest(provenanceOf("tool"), evidencetest.Leaf{From: ahead.Add(-time.Minute)})
	for _, e := range b.Entries {
		e.Integrated = ahead.Unix()
		e.Promise = i.Promise(e)
	}
	b.Stamps = nil
	dir := t.TempDir()
	code, stdout, stderr := checked(t, release, i.TrustedRoot(evidencetest.Spans{}), b.JSON(), dir)
	answered(t, "timestamp in future", code, stdout, stderr)
	b = i.Attest(provenanceOf("tool"), evidencetest.Leaf{From: ahead.Add(-time.Minute)})
	for _, e := range b.Entries {
		e.Integrated = ahead.Unix()
		e.Promise = i.Promise(e)
	}
	b.Stamps = nil
	b.Stamp(ahead)
	code, stdout, stderr = checked(t, release, i.TrustedRoot(evidencetest.Spans{}), b.JSON(), t.TempDir())
	answered(t, "timestamp in future", code, stdout, stderr)
}
