package debian

import (
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Relation is one possibility of a relationship field: a package, perhaps in certain versions only.
type Relation struct {
	Name     string
	Arch     string // "any", "native" or an architecture; "" for none named
	Operator string // "<<", "<=", "=", ">=", ">>"; "" for every version
	Version  string
}

// Clause is what "|" separates: any one of them will do.
type Clause []Relation

// ParseRelations reads a relationship field of a binary package (deb-control(5), Debian policy 7.1).
func ParseRelations(text string) ([]Clause, error) {
	var out []Clause
	n := 0
	for part := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		var clause Clause
		for alt := range strings.SplitSeq(part, "|") {
			r, err := parseRelation(strings.TrimSpace(alt))
			if err != nil {
				return nil, err
			}
			if n++; n > maxRelations {
				return nil, fault.Failf("relationship field", "exceeds limit: more than %d relations", maxRelations)
			}
			clause = append(clause, r)
		}
		out = append(out, clause)
	}
	return out, nil
}

func parseRelation(text string) (Relation, error) {
	bad := func() (Relation, error) {
		return Relation{}, fault.Failf("relationship field", "malformed: %s", fault.Quote(cut(text)))
	}
	rest := text
	end := strings.IndexAny(rest, " \t\n(:")
	if end < 0 {
		end = len(rest)
	}
	r := Relation{Name: rest[:end]}
	rest = rest[end:]
	if arch, ok := strings.CutPrefix(rest, ":"); ok {
		end := strings.IndexAny(arch, " \t\n(")
		if end < 0 {
			end = len(arch)
		}
		r.Arch, rest = arch[:end], arch[end:]
	}
	if !ValidName(r.Name) {
		return bad()
	}
	rest = strings.TrimSpace(rest)
	if rest == "" {
		return r, nil
	}
	if !strings.HasPrefix(rest, "(") || !strings.HasSuffix(rest, ")") {
		return bad()
	}
	rest = strings.TrimSpace(rest[1 : len(rest)-1])
	for _, op := range []string{"<<", "<=", ">=", ">>", "=", "<", ">"} {
		if v, ok := strings.CutPrefix(rest, op); ok {
			r.Operator, r.Version = op, strings.TrimSpace(v)
			break
		}
	}
	switch r.Operator { // the two short forms are old spellings (Debian policy 7.1)
	case "<":
		r.Operator = "<="
	case ">":
		r.Operator = ">="
	}
	if r.Operator == "" || !validVersion(r.Version) {
		return bad()
	}
	return r, nil
}

// Admits tells whether a version is one of those that the relation names.
func (r Relation) Admits(version string) bool {
	if r.Operator == "" {
		return true
	}
	c := Compare(version, r.Version)
	switch r.Operator {
	case "<<":
		return c < 0
	case "<=":
		return c <= 0
	case "=":
		return c == 0
	case ">=":
		return c >= 0
	case ">>":
		return c > 0
	}
	return false
}

// String returns the relation as it is written in a control file.
func (r Relation) String() string {
	s := r.Name
	if r.Arch != "" {
		s += ":" + r.Arch
	}
	if r.Operator != "" {
		s += " (" + r.Operator + " " + r.Version + ")"
	}
	return s
}

// String returns the clause as it is written in a control file.
func (c Clause) String() string {
	var parts []string
	for _, r := range c {
		parts = append(parts, r.String())
	}
	return strings.Join(parts, " | ")
}

// ValidName accepts the names that packages can have (Debian policy 5.6.1).
func ValidName(name string) bool {
	if len(name) < 2 || len(name) > 128 {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || i > 0 && strings.IndexByte("+-.", c) >= 0) {
			return false
		}
	}
	return true
}
