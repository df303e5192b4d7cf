package debian

import (
	"bytes"
	"slices"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp/clearsign"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// ParseBuildinfo reads from a .buildinfo file (deb-buildinfo(5)) what was installed when packages were built, as "name=version". A
// signature around it is taken off and not judged: the file says which versions, and vouches for none of them.
func ParseBuildinfo(data []byte) ([]string, error) {
	if len(data) > MaxRelease {
		return nil, fault.Usagef("buildinfo", "exceeds limit: %d bytes", len(data))
	}
	if bytes.HasPrefix(data, []byte("-----BEGIN PGP SIGNED MESSAGE-----")) {
		block, rest := clearsign.Decode(data)
		if block == nil || len(bytes.TrimSpace(rest)) > 0 {
			return nil, fault.Usagef("buildinfo", "malformed signed message")
		}
		data = block.Plaintext
	}
	p, err := ParseParagraph(data, MaxRelease)
	if err != nil {
		return nil, fault.Usagef("buildinfo", "%w", err)
	}
	clauses, err := ParseRelations(p.Get("Installed-Build-Depends"))
	if err != nil {
		return nil, fault.Usagef("buildinfo", "%w", err)
	}
	var wanted []string
	for _, c := range clauses {
		if len(c) != 1 || c[0].Operator != "=" || c[0].Arch != "" {
			return nil, fault.Usagef("buildinfo", "%s is not one version of one package of this architecture", fault.Quote(c.String()))
		}
		wanted = append(wanted, c[0].Name+"="+c[0].Version)
	}
	if len(wanted) == 0 {
		return nil, fault.Usagef("buildinfo", "names no Installed-Build-Depends")
	}
	slices.Sort(wanted)
	return slices.Compact(wanted), nil
}

// Exact returns exactly the packages that "name=version" names, sorted: nothing is added, and nothing else will do.
func Exact(x *Index, wanted []string) ([]*Package, error) {
	var list []*Package
	for _, w := range wanted {
		name, version, _ := strings.Cut(w, "=")
		i := slices.IndexFunc(x.byName[name], func(p *Package) bool { return p.Version == version })
		if i < 0 {
			return nil, fault.Inconclusivef("package "+fault.Quote(w), "the suite has none of that name and version").
				WithHint("the archive holds only its newest versions; name a dated snapshot of it with mirror in the recipe")
		}
		list = append(list, x.byName[name][i])
	}
	slices.SortFunc(list, func(a, b *Package) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}
