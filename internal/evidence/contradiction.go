package evidence

import "fmt"

// Contradictions returns what verified statements of provenance say against each other about one artefact: two
// builders may differ, two sources may not.
func Contradictions(all []*Verified) []string {
	type claim struct{ what, by string }
	first := map[string]claim{}
	var out []string
	for _, v := range all {
		if v == nil || v.statement == nil || v.statement.of(PredicateProvenanceV1, PredicateProvenanceV02) != nil {
			continue
		}
		p, err := v.statement.Provenance()
		if err != nil {
			out = append(out, fmt.Sprintf("%s: %v", v.name, err))
			continue
		}
		for _, f := range []struct{ name, what string }{{"commit", p.Commit}, {"repository", p.Repository}} {
			old, said := first[f.name]
			switch {
			case f.what == "":
			case !said:
				first[f.name] = claim{f.what, v.name}
			case old.what != f.what:
				out = append(out, fmt.Sprintf("%s says %s %q, %s says %q", object(old.by), f.name, cut(old.what), object(v.name), cut(f.what)))
			}
		}
	}
	return out
}
