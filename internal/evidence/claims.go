package evidence

import (
	"github.com/glassbuild/glassbuild/internal/evidence/strictjson"
	"github.com/glassbuild/glassbuild/internal/trust/fulcio"
)

// Claim is something that a bundle says of itself. It is for printing under a banner that nothing was verified.
type Claim struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Claims returns what the bundle says of itself. None of it is verified, all of it is foreign: quote what is printed.
func (b *Bundle) Claims() []Claim {
	out := []Claim{{"format", b.format}, {"sha256", b.SHA256()}}
	add := func(name, value string) {
		if value != "" {
			out = append(out, Claim{name, cut(value)})
		}
	}
	if b.leaf != nil {
		if c, err := describe(b.leaf); err == nil {
			add("certificate.identity", c.Identity)
			add("certificate.issuer", c.Issuer)
			for _, name := range fulcio.Names() {
				add("certificate."+name, c.Extensions[name])
			}
		} else {
			add("certificate", "unreadable: "+err.Error())
		}
		add("certificate.not-before", stamp(b.leaf.NotBefore))
		add("certificate.not-after", stamp(b.leaf.NotAfter))
	}
	add("key-hint", b.hint)
	for _, e := range b.entries {
		add("log-entry", e.kind+" "+e.version)
	}
	for range b.stamps {
		add("timestamp", "rfc3161")
	}
	if b.message != nil {
		add("digest", b.message.algorithm)
	}
	if b.envelope != nil {
		add("payload-type", b.envelope.payloadType)
		out = append(out, statementClaims(b.envelope.payload)...)
	}
	return out
}

// Claim returns the first claim of that name, or "".
func (b *Bundle) Claim(name string) string {
	for _, c := range b.Claims() {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// maxClaims bounds the subjects that are listed.
const maxClaims = 32

func statementClaims(payload []byte) []Claim {
	v, err := strictjson.Parse(payload, statementLimits)
	if err != nil {
		return []Claim{{"statement", "unreadable: " + err.Error()}}
	}
	var out []Claim
	for _, name := range []string{"_type", "predicateType"} {
		if text, err := v.At(name).Text(); err == nil {
			out = append(out, Claim{name, cut(text)})
		}
	}
	if v.At("subject").Count() > MaxSubjects {
		return append(out, Claim{"subject", "too many to list"})
	}
	list, _ := v.At("subject").Elements()
	for i, e := range list {
		if i == maxClaims {
			break
		}
		name, _ := e.At("name").Text()
		sum, _ := e.At("digest", "sha256").Text()
		out = append(out, Claim{"subject", cut(name) + " sha256:" + cut(sum)})
	}
	return out
}
