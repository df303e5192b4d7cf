package evidence_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/evidence/evidencetest"
)

func TestReadDraft(t *testing.T) {
	t.Parallel()
	payload, err := build().Marshal(toolSubject())
	if err != nil {
		t.Fatal(err)
	}
	d, err := evidence.ReadDraft(payload)
	if err != nil || d.PredicateType != evidence.PredicateProvenanceV1 || d.Subject[0].Name != "tool" || d.SHA256 != evidencetest.SHA256(payload) {
		t.Fatalf("%+v, %v", d, err)
	}
	var indented map[string]any
	if err := json.Unmarshal(payload, &indented); err != nil {
		t.Fatal(err)
	}
	loose, err := json.MarshalIndent(indented, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"not canonical": string(loose), "trailing": string(payload) + "x", "empty": "",
		"another type":      strings.Replace(string(payload), evidence.PredicateProvenanceV1, "https://example.org/anything", 1),
		"another statement": strings.Replace(string(payload), "Statement/v1", "Statement/v0.1", 1),
		"npm's":             string(evidencetest.Statement("tool", tool, evidence.PredicateNPMPublish, object{"name": "a", "version": "1", "registry": "https://example.org"})),
	} {
		if d, err := evidence.ReadDraft([]byte(text)); err == nil {
			t.Errorf("%s: read as %+v", name, d)
		}
	}
}

func TestWithdraw(t *testing.T) {
	t.Parallel()
	i := evidencetest.New(t, "withdraw")
	parse := func(payload []byte) *evidence.Bundle {
		t.Helper()
		b, err := evidence.Parse("b", i.Attest(payload, evidencetest.Leaf{}).JSON())
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	old, err := summary().Marshal(toolSubject())
	if err != nil {
		t.Fatal(err)
	}
	s := summary()
	s.Result = evidence.SummaryFailed
	next, err := s.Marshal(toolSubject())
	if err != nil {
		t.Fatal(err)
	}
	payload, subject, err := evidence.Withdraw(parse(old), parse(next), "wrong", evidencetest.At)
	if err != nil {
		t.Fatal(err)
	}
	if err := valid(t, "withdrawal.schema.json", payload); err != nil {
		t.Error(err)
	}
	w, err := signedAs(t, payload, evidence.PredicateWithdrawal).Withdrawal()
	if err != nil || w.Statement != evidencetest.SHA256(old) || w.Superseded != evidencetest.SHA256(next) || subject.Name != "tool" {
		t.Errorf("%+v, %v", w, err)
	}
	other, err := s.Marshal(evidence.Resource{Name: "tool", Digest: map[string]string{"sha256": strings.Repeat("9", 64)}})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := evidence.Withdraw(parse(old), parse(other), "wrong", evidencetest.At); err == nil || !strings.Contains(err.Error(), "another artefact") {
		t.Errorf("superseded by a statement about another artefact: %v", err)
	}
	if _, _, err := evidence.Withdraw(parse(old), nil, "", evidencetest.At); err == nil {
		t.Error("withdrawn without a reason")
	}
	if _, _, err := evidence.Withdraw(parse(old), parse(old), "x", evidencetest.At); err == nil {
		t.Error("takes its own place")
	}
	if _, _, err := evidence.Withdraw(nil, nil, "x", evidencetest.At); err == nil {
		t.Error("nothing is withdrawn")
	}
}
