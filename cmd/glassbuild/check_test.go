package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/evidence/evidencetest"
)

// instance is one Sigstore instance and a folder for a check by it.
func instance(t *testing.T, seed string) (*evidencetest.Instance, string) {
	t.Helper()
	return evidencetest.New(t, seed), t.TempDir()
}

// TestHugeEvidence: size and counts decide before anything is built, and memory stays flat.
func TestHugeEvidence(t *testing.T) {
	t.Parallel()
	i, dir := instance(t, "huge")
	root := i.TrustedRoot(evidencetest.Spans{})
	million := []byte(`{"_type":"https://in-toto.io/Statement/v1","predicateType":"https://slsa.dev/provenance/v1","predicate":{},"subject":[` + strings.Repeat("{},", 999_999) + "{}]}")
	code, stdout, stderr := checked(t, release, root, i.Attest(million, evidencetest.Leaf{}).JSON(), dir)
	answered(t, "exceeds limit", code, stdout, stderr)

	file, err := os.Create(filepath.Join(dir, "huge.sigstore.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Truncate(1 << 30); err != nil { // no byte of it is ever written or read
		t.Fatal(err)
	}
	file.Close()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	code, stdout, stderr = checked(t, release, root, i.Attest(provenanceOf("tool"), evidencetest.Leaf{}).JSON(), dir)
	runtime.ReadMemStats(&after)
	answered(t, "", code, stdout, stderr) // what is too large takes nothing from what holds
	if grown := after.Sys - before.Sys; grown > 256<<20 {
		t.Errorf("%d MiB for a file that was refused by its size", grown>>20)
	}
	if err := os.Remove(filepath.Join(dir, "evidence.json")); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	code = run([]string{"check", filepath.Join(dir, "tool"), "--policy", filepath.Join(dir, "policy.toml"), "--trusted-root", filepath.Join(dir, "root.json")}, &out, &errs)
	answered(t, "exceeds 67108864 bytes", code, out.String(), errs.String())
}

// TestDisagreement: two statements that hold and name different sources fail together, whoever of them is right.
func TestDisagreement(t *testing.T) {
	t.Parallel()
	i, dir := instance(t, "disagree")
	one := i.Attest(provenanceOf("tool"), evidencetest.Leaf{}).JSON()
	other := honestProvenance()
	other["buildDefinition"].(map[string]any)["resolvedDependencies"] = []any{map[string]any{"uri": "git+https://forge.example/acme/tool", "digest": map[string]any{"gitCommit": strings.Repeat("2", 40)}}}
	two := i.Attest(evidencetest.Statement("tool", []byte(toolContent), "https://slsa.dev/provenance/v1", other), evidencetest.Leaf{}).JSON()
	code, stdout, stderr := checked(t, release, i.TrustedRoot(evidencetest.Spans{}), append(compact(t, one), compact(t, two)...), dir)
	answered(t, "provenance.contradiction", code, stdout, stderr)
	if !strings.Contains(stdout, `says commit "1111111111111111111111111111111111111111"`) {
		t.Errorf("the contradiction is not told:\n%s", stdout)
	}
}

func compact(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, data); err != nil {
		t.Fatal(err)
	}
	b.WriteByte('\n')
	return b.Bytes()
}

// TestBadBesideGood: what does not hold takes nothing from what holds, and adds nothing to what does not.
func TestBadBesideGood(t *testing.T) {
	t.Parallel()
	i, dir := instance(t, "beside")
	root := i.TrustedRoot(evidencetest.Spans{})
	good := compact(t, i.Attest(provenanceOf("tool"), evidencetest.Leaf{}).JSON())
	stranger := compact(t, i.Attest(provenanceOf("tool"), evidencetest.Leaf{Identity: "mallory@example.org"}).JSON())
	code, stdout, stderr := checked(t, release, root, append(bytes.Clone(stranger), good...), dir)
	answered(t, "", code, stdout, stderr)
	code, stdout, stderr = checked(t, release, root, append(bytes.Clone(stranger), stranger...), dir)
	answered(t, "identity differs", code, stdout, stderr)
}

// TestOtherName: the same digest, signed as something else, is told, and refused where the policy demands the name.
func TestOtherName(t *testing.T) {
	t.Parallel()
	i, dir := instance(t, "name")
	data := i.Attest(provenanceOf("README"), evidencetest.Leaf{}).JSON()
	code, stdout, stderr := checked(t, release, i.TrustedRoot(evidencetest.Spans{}), data, dir)
	answered(t, "", code, stdout, stderr)
	if !strings.Contains(stdout, "the statement calls it README, here it is called tool") {
		t.Errorf("the other name is not told:\n%s", stdout)
	}
	code, stdout, stderr = checked(t, release+"same-name = true\n", i.TrustedRoot(evidencetest.Spans{}), data, dir)
	answered(t, "subject name differs: README, want tool", code, stdout, stderr)
}

// TestUnwitnessed: a key that signed without a log, and a certificate that no log saw, count only where the policy says so and why, and
// the verdict repeats it. Else the hint says what to write.
func TestUnwitnessed(t *testing.T) {
	t.Parallel()
	i, dir := instance(t, "unwitnessed")
	root := i.TrustedRoot(evidencetest.Spans{})
	key := evidencetest.Key("release")
	put(t, filepath.Join(dir, "release.pub"), evidencetest.PublicPEM(t, key.Public()))
	envelope, err := json.Marshal(i.AttestKey(provenanceOf("tool"), key).EnvelopeObject())
	if err != nil {
		t.Fatal(err)
	}
	keyed := "format = 1\n[[principal]]\nname = \"release\"\nkey = \"release.pub\"\n[provenance]\nsigned-by = \"release\"\n"
	code, stdout, stderr := checked(t, keyed, root, envelope, dir)
	answered(t, "0 distinct logs, need 1", code, stdout, stderr)
	if !strings.Contains(stderr, "hint: a key that signs without a log counts under a policy that says so") {
		t.Errorf("nothing says what to do:\n%s", stderr)
	}
	unpublished := i.Attest(provenanceOf("tool"), evidencetest.Leaf{NoSCT: true}).JSON()
	code, stdout, stderr = checked(t, release, root, unpublished, dir)
	answered(t, "no SCT in the certificate", code, stdout, stderr)
	for said, tc := range map[string]struct {
		policy string
		data   []byte
	}{
		"no log demanded for provenance: our own key":                  {keyed + "no-log = \"our own key\"\n", envelope},
		"no certificate log demanded for provenance: a private Fulcio": {release + "no-sct = \"a private Fulcio\"\n", unpublished},
	} {
		code, stdout, stderr = checked(t, tc.policy, root, tc.data, dir)
		answered(t, "", code, stdout, stderr)
		if !strings.Contains(stdout, said) {
			t.Errorf("the verdict does not repeat %q:\n%s", said, stdout)
		}
	}
}

// TestNobodyInParticular: policies that would accept anyone are refused before anything is read.
func TestNobodyInParticular(t *testing.T) {
	t.Parallel()
	i, dir := instance(t, "anyone")
	data, root := i.Attest(provenanceOf("tool"), evidencetest.Leaf{}).JSON(), i.TrustedRoot(evidencetest.Spans{})
	identity := func(identity, issuer string) string {
		return fmt.Sprintf("format = 1\n[[principal]]\nname = \"a\"\nidentity = %q\nissuer = %q\n[provenance]\nsigned-by = \"a\"\n", identity, issuer)
	}
	for name, policy := range map[string]string{
		"every identity":    identity("*", evidencetest.Issuer),
		"a whole forge":     identity("https://forge.example/*", evidencetest.Issuer),
		"every host":        identity("https://*/acme/tool", evidencetest.Issuer),
		"every issuer":      identity(evidencetest.Identity, "*"),
		"no issuer":         identity(evidencetest.Identity, ""),
		"a pattern of old":  identity(".*", ".*"),
		"nobody signs":      strings.Replace(release, "signed-by = \"release\"\n", "", 1),
		"an empty signer":   strings.Replace(release, "\"release\"\n", "\"\"\n", 2),
		"no types":          release + "types = []\n",
		"nothing seen":      release + "require = []\n",
		"no reason":         release + "no-log = \" \"\n",
		"a field of no one": release + "[provenance.fields]\n\"certificate.trigger\" = \"push\"\n",
		"a group of none":   strings.Replace(release, "[provenance]", "[[group]]\nname = \"g\"\nmembers = []\nthreshold = 0\n[provenance]", 1),
	} {
		code, stdout, stderr := checked(t, policy, root, data, dir)
		if code != 4 || stdout != "" || !strings.HasPrefix(stderr, "glassbuild: ") {
			t.Errorf("%s: exit %d\n%s%s", name, code, stdout, stderr)
		}
	}
}

// TestGoContradiction: provenance that names another Go toolchain or commit than the program itself carries.
func TestGoContradiction(t *testing.T) {
	t.Parallel()
	i, dir := instance(t, "go")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "program"), program)
	put(t, filepath.Join(dir, "policy.toml"), []byte(release))
	put(t, filepath.Join(dir, "root.json"), i.TrustedRoot(evidencetest.Spans{}))
	version, _, _ := strings.Cut(runtime.Version(), " ")
	if !strings.HasPrefix(version, "go1.") {
		t.Skipf("built by %s, which is no release", version)
	}
	for said, code := range map[string]int{strings.TrimPrefix(version, "go"): 0, "1.2.3": 1} {
		p := honestProvenance()
		def := p["buildDefinition"].(map[string]any)
		def["resolvedDependencies"] = append(def["resolvedDependencies"].([]any), map[string]any{"uri": "pkg:generic/go@" + said, "digest": map[string]any{"sha256": digit("7")}})
		put(t, filepath.Join(dir, "program.sigstore.json"), i.Attest(evidencetest.Statement("program", program, "https://slsa.dev/provenance/v1", p), evidencetest.Leaf{}).JSON())
		var out, errs bytes.Buffer
		got := run([]string{"check", filepath.Join(dir, "program"), "--policy", filepath.Join(dir, "policy.toml"), "--trusted-root", filepath.Join(dir, "root.json")}, &out, &errs)
		if got != code || code == 1 && !strings.Contains(out.String(), "says it was built by go1.2.3, the program itself by "+version) {
			t.Errorf("go %s: exit %d\n%s%s", said, got, out.String(), errs.String())
		}
	}
}

// TestFlippedByte alters bytes of bundle, artefact and trusted root. Where the exit code stays 0, everything that the
// verdict says has stayed too, but for the digests of the files themselves.
func TestFlippedByte(t *testing.T) {
	t.Parallel()
	i, dir := instance(t, "flipped")
	root, bundle := i.TrustedRoot(evidencetest.Spans{}), i.Attest(provenanceOf("tool"), evidencetest.Leaf{}).Log2().JSON()
	honest := said(t, dir, root, bundle, []byte(toolContent))
	if honest == nil {
		t.Fatal("the unaltered bundle is refused")
	}
	kept := 0
	for what, data := range map[string][]byte{"bundle": bundle, "root": root, "tool": []byte(toolContent)} {
		step := 1 + len(data)/200
		for n := 0; n < len(data); n += step {
			altered := bytes.Clone(data)
			altered[n] ^= 1 << (n % 7)
			var got map[string]any
			switch what {
			case "bundle":
				got = said(t, dir, root, altered, []byte(toolContent))
			case "root":
				got = said(t, dir, altered, bundle, []byte(toolContent))
			default:
				got = said(t, dir, root, bundle, altered)
			}
			if got == nil {
				continue
			}
			kept++
			if what == "tool" || !reflect.DeepEqual(got, honest) {
				t.Errorf("byte %d of the %s altered (%q), and accepted", n, what, data[max(0, n-20):min(len(data), n+20)])
			}
		}
	}
	t.Logf("%d alterations changed nothing", kept)
}

// said runs a check; what a passing verdict says, without the digests of bundle and root, or nil.
func said(t *testing.T, dir string, root, bundle, tool []byte) map[string]any {
	t.Helper()
	put(t, filepath.Join(dir, "tool"), tool)
	put(t, filepath.Join(dir, "policy.toml"), []byte(release+"require = [\"log\", \"timestamp\"]\nlogs = 2\n")) // every proof counts
	put(t, filepath.Join(dir, "root.json"), root)
	put(t, filepath.Join(dir, "evidence.json"), bundle)
	var out, errs bytes.Buffer
	in := func(name string) string { return filepath.Join(dir, name) }
	code := run([]string{"check", in("tool"), "--policy", in("policy.toml"), "--trusted-root", in("root.json"), "--evidence", in("evidence.json"), "--format", "json"}, &out, &errs)
	if code != 0 {
		return nil
	}
	var v map[string]any
	if err := json.Unmarshal(out.Bytes(), &v); err != nil {
		t.Fatal(err)
	}
	e := v["provenance"].(map[string]any)
	s := e["statements"].([]any)[0].(map[string]any)
	for _, label := range []string{"sha256", "logs", "timestamps"} { // how the root calls logs and authorities decides nothing
		delete(s, label)
	}
	return map[string]any{"subject": v["subject"], "result": v["result"], "statement": s, "count": len(e["statements"].([]any))}
}

// TestForgeFiles reads evidence in the files that forges and registries hand out, found beside the artefact.
func TestForgeFiles(t *testing.T) {
	t.Parallel()
	i, dir := instance(t, "files")
	bundle := i.Attest(provenanceOf("tool"), evidencetest.Leaf{}).JSON()
	list, err := json.Marshal(map[string]any{"attestations": []any{map[string]any{"predicateType": "x", "bundle": json.RawMessage(bundle)}}})
	if err != nil {
		t.Fatal(err)
	}
	envelope, err := json.Marshal(i.AttestKey(provenanceOf("tool"), evidencetest.Key("signer")).EnvelopeObject())
	if err != nil {
		t.Fatal(err)
	}
	sum := evidencetest.SHA256([]byte(toolContent))
	put(t, filepath.Join(dir, "tool"), []byte(toolContent))
	put(t, filepath.Join(dir, "policy.toml"), []byte(release))
	put(t, filepath.Join(dir, "root.json"), i.TrustedRoot(evidencetest.Spans{}))
	put(t, filepath.Join(dir, "signer.pub"), evidencetest.PublicPEM(t, evidencetest.Key("signer").Public()))
	put(t, filepath.Join(dir, "key.toml"), []byte("format = 1\n[[principal]]\nname = \"signer\"\nkey = \"signer.pub\"\n[provenance]\nsigned-by = \"signer\"\nno-log = \"signed on a machine without a network\"\n"))
	put(t, filepath.Join(dir, "inline.toml"), []byte("format = 1\n[[principal]]\nname = \"signer\"\nkey = "+fmt.Sprintf("%q", evidencetest.PublicPEM(t, evidencetest.Key("signer").Public()))+"\n[provenance]\nsigned-by = \"signer\"\nno-log = \"signed on a machine without a network\"\n"))
	for name, tc := range map[string]struct {
		data   []byte
		policy string
	}{
		"tool.sigstore.json": {bundle, "policy.toml"}, "tool.bundle": {bundle, "policy.toml"}, "other.sigstore": {bundle, "policy.toml"},
		"multiple.intoto.jsonl": {append(compact(t, bundle), compact(t, envelope)...), "policy.toml"}, "sha256:" + sum + ".jsonl": {compact(t, bundle), "policy.toml"},
		"sha256-" + sum + ".jsonl": {compact(t, bundle), "policy.toml"}, "attestations.json": {list, "policy.toml"}, "tool.attestations.jsonl": {compact(t, list), "policy.toml"},
		"provenance.intoto.jsonl": {compact(t, envelope), "key.toml"}, "inline.intoto.jsonl": {compact(t, envelope), "inline.toml"},
	} {
		if strings.Contains(name, ":") && runtime.GOOS == "windows" {
			continue
		}
		path := filepath.Join(dir, name)
		put(t, path, tc.data)
		var out, errs bytes.Buffer
		if code := run([]string{"check", filepath.Join(dir, "tool"), "--policy", filepath.Join(dir, tc.policy), "--trusted-root", filepath.Join(dir, "root.json")}, &out, &errs); code != 0 {
			t.Errorf("%s: exit %d\n%s%s", name, code, out.String(), errs.String())
		}
		if strings.HasSuffix(tc.policy, "key.toml") && !strings.Contains(out.String(), "no log demanded for provenance: signed on a machine without a network") {
			t.Errorf("the verdict does not repeat that no log is demanded:\n%s", out.String())
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	put(t, filepath.Join(dir, "other.bundle"), bundle) // of a file that is not here
	var out, errs bytes.Buffer
	if code := run([]string{"check", filepath.Join(dir, "tool"), "--policy", filepath.Join(dir, "policy.toml"), "--trusted-root", filepath.Join(dir, "root.json")}, &out, &errs); code != 1 {
		t.Errorf("a bundle of another name: exit %d", code)
	}
}
