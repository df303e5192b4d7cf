package policy

import (
	"fmt"
	"slices"

	"github.com/glassbuild/glassbuild/internal/allow"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/tomlfile"
)

// Allowed is a difference of the closed list that the auditor forgives where a recipe declares it. An embedded signature
// also needs to be by somebody.
type Allowed struct {
	Name     string `toml:"name,required"`
	Reason   string `toml:"reason,required"`
	SignedBy string `toml:"signed-by"`
}

// Allows returns the rule that forgives the difference of that name.
func (r Rebuild) Allows(name string) (Allowed, bool) {
	i := slices.IndexFunc(r.Allow, func(a Allowed) bool { return a.Name == name })
	if i < 0 {
		return Allowed{}, false
	}
	return r.Allow[i], true
}

// allowedSigners demands a known signer for every embedded signature, and for nothing else.
func (p *Policy) allowedSigners(doc *tomlfile.Document) error {
	for i, a := range p.Rebuild.Allow {
		at := fmt.Sprintf("rebuild.allow[%d]", i)
		switch d, _ := allow.Lookup(a.Name); {
		case d.Signature && a.SignedBy == "":
			return doc.Errorf(at, "%s needs signed-by: whose signature counts", a.Name)
		case !d.Signature && a.SignedBy != "":
			return doc.Errorf(at+".signed-by", "%s is not signed by anybody", a.Name)
		case a.SignedBy != "" && !p.Trust.Known(a.SignedBy):
			return doc.Errorf(at+".signed-by", "%q is neither a group nor a principal of this policy", a.SignedBy)
		}
	}
	return nil
}

// checkAllowed accepts names of the closed list, each once, and only where what is forgiven could pass.
func (p *Policy) checkAllowed(doc *tomlfile.Document) error {
	for i, a := range p.Rebuild.Allow {
		at := fmt.Sprintf("rebuild.allow[%d]", i)
		if _, ok := allow.Lookup(a.Name); !ok {
			return doc.Errorf(at+".name", "unknown difference %s", fault.Quote(a.Name)).WithHint("docs/passes.md lists the differences that can be allowed")
		}
		if first, _ := p.Rebuild.Allows(a.Name); first != a || slices.Contains(p.Rebuild.Allow[:i], a) {
			return doc.Errorf(at+".name", "%s is allowed twice", fault.Quote(a.Name))
		}
		if p.Rebuild.Match == "identical" {
			return doc.Errorf(at, "nothing is forgiven where only identical files pass").WithHint(`set [rebuild] match = "equivalent"`)
		}
	}
	return nil
}
