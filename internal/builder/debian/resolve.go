package debian

import (
	"cmp"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// merged says that /bin, /sbin and /lib are links into /usr, as they are in a root that this program lays. The package
// that stands for it is taken first, as debootstrap(8) does: else a dependency would choose the program that converts a
// running system.
const merged = "usr-is-merged"

// Resolve returns the packages of a build root: every essential one, the wanted ones ("name" or "name=version"), and what
// they depend on, sorted by name. Recommended packages are not taken. Of alternatives the first that can be had is taken, unless
// one is there already; of the providers of a virtual package the one of the highest priority, then the first by name.
func Resolve(x *Index, wanted []string) ([]*Package, error) {
	r := &resolver{index: x, chosen: map[string]*Package{}}
	if len(x.byName[merged]) > 0 {
		r.add(x.byName[merged][0])
	}
	for _, w := range wanted {
		name, version, exact := strings.Cut(w, "=")
		rel := Relation{Name: name}
		if exact {
			rel.Operator, rel.Version = "=", version
		}
		p := r.asked(rel)
		if p == nil {
			return nil, fault.Inconclusivef("package "+fault.Quote(w), "the suite has none of that name and version")
		}
		r.add(p)
	}
	for _, p := range x.essential {
		r.add(p)
	}
	for i := 0; i < len(r.order); i++ {
		if err := r.dependencies(r.order[i]); err != nil {
			return nil, err
		}
		if len(r.order) > MaxChosen {
			return nil, fault.Inconclusivef("packages", "exceeds limit: more than %d", MaxChosen)
		}
	}
	if err := r.conflicts(); err != nil {
		return nil, err
	}
	slices.SortFunc(r.order, func(a, b *Package) int { return strings.Compare(a.Name, b.Name) })
	return r.order, nil
}

type resolver struct {
	index  *Index
	chosen map[string]*Package
	order  []*Package
}

// asked returns the package of that very name, whatever it conflicts with: that is said at the end.
func (r *resolver) asked(rel Relation) *Package {
	for _, p := range r.index.byName[rel.Name] {
		if rel.Admits(p.Version) {
			return p
		}
	}
	return r.candidate(rel)
}

func (r *resolver) add(p *Package) {
	if r.chosen[p.Name] == nil {
		r.chosen[p.Name] = p
		r.order = append(r.order, p)
	}
}

func (r *resolver) dependencies(p *Package) error {
	for _, c := range p.Depends {
		if slices.ContainsFunc(c, r.satisfied) {
			continue
		}
		found := false
		for _, rel := range c {
			if q := r.candidate(rel); q != nil {
				r.add(q)
				found = true
				break
			}
		}
		if !found {
			return fault.Inconclusivef("package "+fault.Quote(p.Name), "depends on %s, which the suite cannot satisfy", fault.Quote(c.String()))
		}
	}
	return nil
}

// satisfied tells whether what was chosen already fulfils a relation.
func (r *resolver) satisfied(rel Relation) bool {
	if !r.here(rel) {
		return false
	}
	if p := r.chosen[rel.Name]; p != nil && rel.Admits(p.Version) {
		return true
	}
	return slices.ContainsFunc(r.index.providers[rel.Name], func(p *Package) bool { return r.chosen[p.Name] == p && provides(p, rel) })
}

// here tells whether a relation speaks of this architecture.
func (r *resolver) here(rel Relation) bool {
	return rel.Arch == "" || rel.Arch == "any" || rel.Arch == "native" || rel.Arch == r.index.arch
}

// candidate returns the package that would fulfil a relation, nil for none.
func (r *resolver) candidate(rel Relation) *Package {
	if !r.here(rel) {
		return nil
	}
	for _, p := range r.index.byName[rel.Name] {
		if rel.Admits(p.Version) && r.fits(p) {
			return p
		}
	}
	var best *Package
	for _, p := range r.index.providers[rel.Name] {
		if provides(p, rel) && r.fits(p) && (best == nil || cmp.Compare(priority(p), priority(best)) < 0) {
			best = p
		}
	}
	return best
}

// fits refuses a second version of a chosen package, and what conflicts with a chosen one.
func (r *resolver) fits(p *Package) bool {
	if old := r.chosen[p.Name]; old != nil {
		return old == p
	}
	for _, q := range r.order {
		if conflict(p, q) || conflict(q, p) {
			return false
		}
	}
	return true
}

func (r *resolver) conflicts() error {
	for _, p := range r.order {
		for _, q := range r.order {
			if conflict(p, q) {
				return fault.Inconclusivef("package "+fault.Quote(p.Name), "cannot stand beside %s %s", fault.Quote(q.Name), fault.Quote(q.Version))
			}
		}
	}
	return nil
}

// conflict tells whether p refuses to stand beside q. A package never conflicts with itself, also not through what it provides
// (Debian policy 7.4).
func conflict(p, q *Package) bool {
	if p.Name == q.Name {
		return false
	}
	for _, c := range p.Conflicts {
		for _, rel := range c {
			if rel.Name == q.Name && rel.Admits(q.Version) || provides(q, rel) {
				return true
			}
		}
	}
	return false
}

// provides tells whether a package stands in for what a relation names. A versioned relation needs a versioned provision
// (Debian policy 7.5).
func provides(p *Package, rel Relation) bool {
	for _, v := range p.Provides {
		if v.Name == rel.Name && (rel.Operator == "" || v.Operator == "=" && rel.Admits(v.Version)) {
			return true
		}
	}
	return false
}

func priority(p *Package) int {
	i := slices.Index([]string{"required", "important", "standard", "optional"}, p.Priority)
	if i < 0 {
		return 4
	}
	return i
}
