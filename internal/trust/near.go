package trust

// IssuersOf returns, as the policy writes them, the issuers of those principals whose identity fits one of these
// subjects whatever its issuer: it tells a wrong issuer from a wrong identity, for the text of an error and nothing else.
func (t *Trust) IssuersOf(subjects []string) []string {
	if t == nil {
		return nil
	}
	var out []string
	for _, m := range t.principals {
		for _, s := range subjects {
			if m.identity.Match(s) {
				out = append(out, m.issuer.String())
				break
			}
		}
	}
	return out
}
