package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Gate is a policy for a quick gate: what flags can say. An empty field demands nothing.
type Gate struct {
	Key, Identity, Issuer   string // who may sign: a PEM file, or an identity and who vouches for it
	Types                   []string
	Repository, Commit, Ref string
}

// Narrows tells whether the gate only asks for more than a policy does, and lets nobody else in.
func (g Gate) Narrows() bool {
	return g.Key == "" && g.Identity == "" && g.Issuer == "" && len(g.Types) == 0
}

// FromGate writes the policy that the flags stand for and reads it as any other: there is one set of rules.
func FromGate(g Gate, now time.Time) (*Policy, error) {
	if g.Key == "" && g.Identity == "" && g.Issuer == "" {
		return nil, fault.Usagef("check", "nobody may sign: the flags name neither key nor identity").
			WithHint("--key FILE, or --certificate-identity with --certificate-oidc-issuer")
	}
	text, err := g.toml()
	if err != nil {
		return nil, err
	}
	p, err := parse("flags", []byte(text), now)
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (g Gate) toml() (string, error) {
	var b strings.Builder
	b.WriteString("format = 1\n[[principal]]\nname = \"signer\"\n")
	var bad error
	line := func(key, flag, value string) {
		switch {
		case value == "":
		case !fault.Plain(value):
			bad = fault.Usagef(flag, "%s holds unprintable characters", fault.Quote(value))
		default:
			fmt.Fprintf(&b, "%s = %s\n", key, quote(value))
		}
	}
	line("key", "--key", g.Key)
	line("identity", "--certificate-identity", g.Identity)
	line("issuer", "--certificate-oidc-issuer", g.Issuer)
	b.WriteString("[provenance]\nsigned-by = \"signer\"\n")
	if len(g.Types) > 0 {
		var list []string
		for _, t := range g.Types {
			if !fault.Plain(t) {
				bad = fault.Usagef("--type", "%s holds unprintable characters", fault.Quote(t))
			}
			list = append(list, quote(t))
		}
		fmt.Fprintf(&b, "types = [%s]\n", strings.Join(list, ", "))
	}
	line("repository", "--source-repository", g.Repository)
	line("commit", "--source-commit", g.Commit)
	line("ref", "--source-ref", g.Ref)
	return b.String(), bad
}

// quote writes a TOML basic string of printable text.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// Narrow adds what the gate asks for to what the policy demands; the digest covers both.
func (p *Policy) Narrow(g Gate) error {
	if !g.Narrows() {
		return fault.Usagef("policy", "flags cannot let in anybody else")
	}
	if p.Provenance == nil {
		return fault.Usagef(fault.Quote(p.Name), "has no [provenance] to which the flags could add")
	}
	if g.Commit != "" && !fullID(g.Commit) {
		return fault.Usagef("--source-commit", "%q: need full commit id", g.Commit)
	}
	own := *p.Provenance
	for _, d := range []struct {
		flag  string
		field *string
		value string
	}{{"--source-repository", &own.Repository, g.Repository}, {"--source-commit", &own.Commit, g.Commit}, {"--source-ref", &own.Ref, g.Ref}} {
		switch {
		case d.value == "":
			continue
		case *d.field != "" && *d.field != d.value:
			return fault.Usagef(d.flag, "the policy demands another: %s", fault.Quote(*d.field))
		case !fault.Plain(d.value) || strings.Contains(d.value, "*"):
			return fault.Usagef(d.flag, "malformed value %s", fault.Quote(d.value))
		}
		*d.field = d.value
		sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s", p.SHA256, d.flag, d.value))
		p.SHA256 = hex.EncodeToString(sum[:])
	}
	p.Provenance = &own
	p.Name += " and flags"
	return nil
}
