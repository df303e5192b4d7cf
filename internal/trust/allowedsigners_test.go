package trust_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/trust"
)

func TestParseAllowedSigners(t *testing.T) {
	t.Parallel()
	a, b, c, ca := sshLine(t), sshLine(t), sshLine(t), sshLine(t)
	file := fmt.Sprintf(`# people
alice@example.org %s alice's laptop
alice@example.org namespaces="git,file",valid-after="20240101Z",valid-before="20250101000000Z" %s

"bob@example.org,bob@corp.example"	valid-before="20300101" %s
*@cert.example,!evil@cert.example cert-authority,namespaces="git" %s
`, a, b, c, ca)
	principals, err := trust.ParseAllowedSigners("allowed_signers", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	if len(principals) != 3 || principals[0].Name != "alice@example.org" || len(principals[0].SSH) != 2 ||
		principals[1].Name != "bob@example.org,bob@corp.example" || !principals[2].SSH[0].Authority {
		t.Fatalf("got %+v", principals)
	}
	tr, err := trust.New(principals, nil)
	if err != nil {
		t.Fatal(err)
	}
	e := tr.SSHKey(fingerprint(t, b))[0]
	if e.Principal != "alice@example.org" || !e.AllowsNamespace("git") || e.AllowsNamespace("mail") ||
		!e.Valid.From.Equal(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)) || !e.Valid.To.Equal(time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("alice's second key: %+v", e)
	}
	// Without a zone the bound is the earliest instant that 2030-01-01 begins anywhere.
	if e := tr.SSHKey(fingerprint(t, c))[0]; !e.Valid.To.Equal(time.Date(2029, 12, 31, 10, 0, 0, 0, time.UTC)) {
		t.Errorf("bob's bound: %s", e.Valid)
	}
	for names, want := range map[string]bool{"x@cert.example": true, "evil@cert.example": false, "x@example.org": false} {
		entries, ambiguous := tr.SSHAuthority(fingerprint(t, ca), strings.Fields(names))
		if (len(entries) == 1) != want || ambiguous {
			t.Errorf("%s: %v %v", names, entries, ambiguous)
		}
	}
	if tr.SSHKey(fingerprint(t, ca)) != nil {
		t.Error("an authority signs by itself")
	}
}

func fingerprint(t *testing.T, line string) string {
	t.Helper()
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		t.Fatal(err)
	}
	return ssh.FingerprintSHA256(key)
}

// TestOnePartyIsOnePrincipal sees that lines with a name in common are not counted as two people.
func TestOnePartyIsOnePrincipal(t *testing.T) {
	t.Parallel()
	file := fmt.Sprintf("a@x.example,b@x.example %s\nc@x.example %s\nb@x.example,d@y.example %s\n*@y.example %s\n",
		sshLine(t), sshLine(t), sshLine(t), sshLine(t))
	principals, err := trust.ParseAllowedSigners("f", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	if len(principals) != 2 || principals[0].Name != "a@x.example,b@x.example" || len(principals[0].SSH) != 3 || principals[1].Name != "c@x.example" {
		t.Fatalf("got %+v", principals)
	}
}

func TestAuthorityForTwoIsAmbiguous(t *testing.T) {
	t.Parallel()
	ca := sshLine(t)
	principals, err := trust.ParseAllowedSigners("f", fmt.Appendf(nil, "a@x.example cert-authority %s\nb@x.example cert-authority %s\n", ca, ca))
	if err != nil {
		t.Fatal(err)
	}
	tr, err := trust.New(principals, nil)
	if err != nil {
		t.Fatal(err)
	}
	if e, ambiguous := tr.SSHAuthority(fingerprint(t, ca), []string{"a@x.example"}); ambiguous || len(e) != 1 || e[0].Principal != "a@x.example" {
		t.Error("one name is not ambiguous")
	}
	if e, ambiguous := tr.SSHAuthority(fingerprint(t, ca), []string{"b@x.example", "a@x.example"}); !ambiguous || e != nil {
		t.Error("two names are")
	}
}

func TestAllowedSignersRefusals(t *testing.T) {
	t.Parallel()
	key := sshLine(t)
	for name, line := range map[string]string{
		"unknown option":         `a@x no-touch-required ` + key,
		"unknown valued option":  `a@x colour="red" ` + key,
		"known and unknown":      `a@x namespaces="git",restrict ` + key,
		"other case":             `a@x Namespaces="git" ` + key,
		"option twice":           `a@x namespaces="git",namespaces="file" ` + key,
		"unquoted value":         `a@x namespaces=git ` + key,
		"flag with value":        `a@x cert-authority="yes" ` + key,
		"value without flag":     `a@x namespaces ` + key,
		"trailing comma":         `a@x namespaces="git", ` + key,
		"glued options":          `a@x namespaces="git"valid-after="20240101" ` + key,
		"open quote":             `a@x namespaces="git ` + key,
		"empty namespaces":       `a@x namespaces="" ` + key,
		"negated namespaces":     `a@x namespaces="!git" ` + key,
		"bad time":               `a@x valid-after="2024" ` + key,
		"bad date":               `a@x valid-after="20241301Z" ` + key,
		"window ends first":      `a@x valid-after="20250101Z",valid-before="20240101Z" ` + key,
		"no key":                 `a@x`,
		"no base64":              `a@x ssh-ed25519`,
		"damaged key":            `a@x ` + key[:len(key)-4],
		"type and key differ":    `a@x ` + strings.Replace(key, "ssh-ed25519", "ssh-rsa", 1),
		"negated principals":     `!a@x ` + key,
		"empty pattern":          `a@x,, ` + key,
		"unbalanced quotes":      `"a@x ` + key,
		"authority, no pattern":  `!a cert-authority ` + key,
		"zero byte":              "a@x\x00 " + key,
		"escape in name":         "a\x1b[2Jx " + key,
		"dsa":                    `a@x ssh-dss AAAAB3NzaC1kc3M=`,
		"empty file":             "# nothing\n",
		"long line":              `a@x ` + key + strings.Repeat(" x", trust.MaxLine),
		"not base64 at the end":  `a@x ` + key + "=",
		"second line is damaged": "a@x " + key + "\nb@x junk",
	} {
		principals, err := trust.ParseAllowedSigners("f", []byte(line))
		if err == nil || principals != nil || fault.ClassOf(err) != fault.Usage {
			t.Errorf("%s: accepted, or class %v: %v", name, fault.ClassOf(err), err)
		}
	}
}

func FuzzAllowedSigners(f *testing.F) {
	key := sshLine(f)
	f.Add([]byte("a@x " + key))
	f.Add([]byte(`a@x,*@y cert-authority,namespaces="git",valid-after="20240101Z" ` + key))
	f.Add([]byte("\"a@x\"\tvalid-before=\"20240101\" " + key + " comment\n# c\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		principals, err := trust.ParseAllowedSigners("f", data)
		if err != nil {
			if principals != nil {
				t.Fatal("principals beside an error")
			}
			return
		}
		keys := 0
		for _, p := range principals {
			if p.Name == "" || len(p.SSH) == 0 {
				t.Fatalf("empty principal in %+v", principals)
			}
			keys += len(p.SSH)
		}
		if lines := strings.Count(string(data), "\n") + 1; keys > lines {
			t.Fatalf("%d keys from %d lines", keys, lines)
		}
		_, _ = trust.New(principals, nil)
	})
}
