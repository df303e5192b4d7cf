package trust_test

import (
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/trust"
)

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	a, b := sshLine(t), sshLine(t)
	alice := trust.Principal{Name: "alice", SSH: []trust.SSHKey{{Line: a}}}
	bob := trust.Principal{Name: "bob", SSH: []trust.SSHKey{{Line: b}}}
	keyless := trust.Principal{Name: "ci", Identity: "https://forge.example/acme/*/release.yml@refs/tags/v1", Issuer: "https://issuer.example"}
	group := func(th trust.Threshold, members ...string) []trust.Group {
		return []trust.Group{{Name: "g", Members: members, Threshold: th}}
	}
	root, leaf := certificate(t, "root", nil, true), certificate(t, "leaf", nil, false)
	for name, c := range map[string]struct {
		principals []trust.Principal
		groups     []trust.Group
		want       string
	}{
		"identity without issuer": {principals: []trust.Principal{{Name: "ci", Identity: keyless.Identity}}, want: "issuer required"},
		"issuer without identity": {principals: []trust.Principal{{Name: "ci", Issuer: keyless.Issuer}}, want: "identity required"},
		"key plus identity":       {principals: []trust.Principal{{Name: "x", SSH: alice.SSH, Identity: keyless.Identity, Issuer: keyless.Issuer}}, want: "choose one"},
		"neither":                 {principals: []trust.Principal{{Name: "x"}}, want: "has neither key nor identity"},
		"no name":                 {principals: []trust.Principal{{SSH: alice.SSH}}, want: "name required"},
		"hostile name":            {principals: []trust.Principal{{Name: "a\nPASS", SSH: alice.SSH}}, want: "unprintable"},
		"same name":               {principals: []trust.Principal{alice, {Name: "alice", SSH: bob.SSH}}, want: "duplicate principal"},
		"one key, two names":      {principals: []trust.Principal{alice, {Name: "mallory", SSH: []trust.SSHKey{{Line: a}}}}, want: "duplicate principal"},
		"overlapping identities": {principals: []trust.Principal{keyless, {Name: "other", Issuer: keyless.Issuer,
			Identity: "https://forge.example/acme/tool/*@refs/tags/v1"}}, want: "duplicate principal"},
		"star identity":      {principals: []trust.Principal{{Name: "x", Identity: "*", Issuer: keyless.Issuer}}, want: "whole-string glob"},
		"regex identity":     {principals: []trust.Principal{{Name: "x", Identity: `^https://forge\.example/.*$`, Issuer: keyless.Issuer}}, want: "whole-string glob"},
		"any issuer":         {principals: []trust.Principal{{Name: "x", Identity: keyless.Identity, Issuer: "https://*"}}, want: "whole-string glob"},
		"threshold 0":        {principals: []trust.Principal{alice, bob}, groups: group(trust.AtLeast(0), "alice", "bob"), want: "threshold 0 out of range 1–2"},
		"threshold negative": {principals: []trust.Principal{alice, bob}, groups: group(trust.AtLeast(-1), "alice", "bob"), want: "threshold -1 out of range 1–2"},
		"threshold above":    {principals: []trust.Principal{alice, bob}, groups: group(trust.AtLeast(3), "alice", "bob"), want: "threshold 3 out of range 1–2"},
		"no threshold":       {principals: []trust.Principal{alice}, groups: group(trust.Threshold{}, "alice"), want: "threshold required"},
		"empty group":        {groups: group(trust.Any()), want: "has no members"},
		"unknown member":     {principals: []trust.Principal{alice}, groups: group(trust.Any(), "carol"), want: `unknown member "carol"`},
		"duplicate member":   {principals: []trust.Principal{alice}, groups: group(trust.All(), "alice", "alice"), want: "duplicate member"},
		"group like principal": {principals: []trust.Principal{alice},
			groups: []trust.Group{{Name: "alice", Members: []string{"alice"}, Threshold: trust.Any()}}, want: "duplicate name"},
		"cycle": {principals: []trust.Principal{alice}, groups: []trust.Group{
			{Name: "g", Members: []string{"h", "alice"}, Threshold: trust.Any()}, {Name: "h", Members: []string{"g"}, Threshold: trust.Any()}}, want: "contains itself"},
		"self": {groups: group(trust.Any(), "g"), want: "contains itself"},
		"forge among reviewers": {principals: []trust.Principal{alice, bob, {Name: "web-flow", Platform: true, SSH: []trust.SSHKey{{Line: sshLine(t)}}}},
			groups: group(trust.AtLeast(2), "alice", "bob", "web-flow"), want: "platform key among authors"},
		"authority without identity": {principals: []trust.Principal{{Name: "x", X509: root}}, want: "identity required"},
		"leaf as authority":          {principals: []trust.Principal{{Name: "x", X509: leaf, Identity: "a@example.org"}}, want: "not an authority"},
		"damaged PEM":                {principals: []trust.Principal{{Name: "x", X509: leaf[:len(leaf)-20]}}, want: "damaged block"},
		"one certificate, two names": {principals: []trust.Principal{{Name: "x", X509: leaf}, {Name: "y", X509: leaf}}, want: "duplicate principal"},
		"private key file":           {principals: []trust.Principal{{Name: "x", PublicKeys: [][]byte{leaf}}}, want: `want "PUBLIC KEY"`},
		"OpenPGP noise":              {principals: []trust.Principal{{Name: "x", OpenPGP: [][]byte{[]byte("hello")}}}, want: "OpenPGP key"},
		"ssh options":                {principals: []trust.Principal{{Name: "x", SSH: []trust.SSHKey{{Line: `namespaces="git" ` + a}}}}, want: "want a key type"},
		"bad revoked key":            {principals: []trust.Principal{{Name: "x", SSH: alice.SSH, Revoked: []string{"zzz"}}}, want: "revoked key"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr, err := trust.New(c.principals, c.groups)
			if err == nil {
				t.Fatalf("accepted, want %q", c.want)
			}
			if tr != nil || fault.ClassOf(err) != fault.Usage || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("class %v, error %q, want %q", fault.ClassOf(err), err, c.want)
			}
		})
	}
}

// TestOneKeyInTwoFormats sees that writing a key down in another format does not make it another principal.
func TestOneKeyInTwoFormats(t *testing.T) {
	t.Parallel()
	line, pem := sameKeyTwice(t)
	_, err := trust.New([]trust.Principal{{Name: "lab-a", SSH: []trust.SSHKey{{Line: line}}}, {Name: "lab-b", PublicKeys: [][]byte{pem}}}, nil)
	if err == nil || !strings.Contains(err.Error(), "duplicate principal: lab-a holds the same key") {
		t.Fatalf("got %v", err)
	}
	if _, err := trust.New([]trust.Principal{{Name: "lab-a", SSH: []trust.SSHKey{{Line: line}}, PublicKeys: [][]byte{pem}}}, nil); err != nil {
		t.Fatalf("under one name: %v", err)
	}
}

func TestZeroTrustKnowsNobody(t *testing.T) {
	t.Parallel()
	for _, tr := range []*trust.Trust{nil, {}} {
		if ok, why := tr.Satisfied("g", []string{"alice"}); ok || why == "" {
			t.Errorf("satisfied: %q", why)
		}
		if tr.SSHKey("SHA256:x") != nil || tr.OpenPGP("", 0) != nil || tr.Identity([]string{"a"}, "b") != nil {
			t.Error("knows somebody")
		}
		if _, ok := tr.Principal("alice"); ok {
			t.Error("knows alice")
		}
	}
}

func TestIdentities(t *testing.T) {
	t.Parallel()
	tr, err := trust.New([]trust.Principal{
		{Name: "alice", SSH: []trust.SSHKey{{Line: sshLine(t)}}},
		{Name: "release", Identity: "https://example.org/tool/.ci/*", Issuer: "https://issuer.example.org"},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := trust.Identity{Principal: "release", Subject: "https://example.org/tool/.ci/*", Issuer: "https://issuer.example.org"}
	if got := tr.Identities(); len(got) != 1 || got[0] != want {
		t.Errorf("%v, want %v alone", got, want)
	}
}
