package trust

// Known tells whether name is a principal or a group of the policy.
func (t *Trust) Known(name string) bool { return t != nil && t.nodes[name] != nil }
