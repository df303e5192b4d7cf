package policy

import (
	"strings"
	"testing"
)

func TestGate(t *testing.T) {
	t.Parallel()
	g := Gate{Identity: "https://forge.example/acme/tool/ci.yml@v1", Issuer: "https://token.forge.example", Repository: "https://forge.example/acme/tool", Types: []string{"message", "slsaprovenance1"}}
	p, err := FromGate(g, day)
	if err != nil || p.Provenance == nil || p.Provenance.SignedBy != "signer" || p.Provenance.Logs != 1 || len(p.Provenance.Types) != 2 || p.SHA256 == "" {
		t.Fatalf("%+v, %v", p, err)
	}
	for name, bad := range map[string]Gate{
		"nobody": {}, "only a source": {Repository: "https://x.example"}, "no issuer": {Identity: "a@example.org"}, "no identity": {Issuer: "https://i.example"},
		"a key that is not there": {Key: "no-such-file"}, "anyone": {Identity: "*", Issuer: "*"}, "an injection": {Identity: "a@example.org\"\nissuer = \"https://i.example", Issuer: "https://j.example"},
		"credentials": {Identity: "a@example.org", Issuer: "https://i.example", Repository: "https://a:b@x.example/y"}, "a branch": {Identity: "a@example.org", Issuer: "https://i.example", Commit: "main"},
		"no ref": {Identity: "a@example.org", Issuer: "https://i.example", Ref: "main"}, "no type": {Identity: "a@example.org", Issuer: "https://i.example", Types: []string{"lunch"}},
	} {
		if p, err := FromGate(bad, day); err == nil {
			t.Errorf("%s: %+v", name, p.Provenance)
		}
	}
	before := p.SHA256
	commit := strings.Repeat("1", 40)
	if err := p.Narrow(Gate{Commit: commit}); err != nil || p.Provenance.Commit != commit || p.SHA256 == before || !strings.Contains(p.Name, "flags") {
		t.Errorf("%+v, %v", p, err)
	}
	for name, bad := range map[string]Gate{"another repository": {Repository: "https://other.example"}, "somebody else": {Identity: "b@example.org"}, "another type": {Types: []string{"spdx"}}, "a short id": {Commit: "1111"}, "a pattern": {Ref: "refs/tags/*"}} {
		if err := p.Narrow(bad); err == nil {
			t.Errorf("%s is added", name)
		}
	}
	if err := Default().Narrow(Gate{Commit: commit}); err == nil {
		t.Error("a policy without [provenance] is narrowed")
	}
}
