package policy

// Every limit on what a policy may hold; the file itself is bounded by tomlfile.MaxBytes.
const (
	// maxNamedFile bounds one file that a policy names.
	maxNamedFile = 4 << 20
	// maxPathRules bounds the [[source.path]] tables.
	maxPathRules = 64
	// maxPathPattern bounds one pattern of them.
	maxPathPattern = 512
	// maxText bounds a URI, a ref, a builder id and the like.
	maxText = 2048
	// maxFields bounds the demanded fields of a statement.
	maxFields = 64
	// maxWitnesses bounds the distinct logs or timestamp authorities that can be demanded.
	maxWitnesses = 16
	// maxPolicies bounds the policy digests under which a rebuild counts as a vote.
	maxPolicies = 64
	// maxSources bounds the folders and registries in which votes are looked for.
	maxSources = 16
	// maxAgeDays bounds max-age.
	maxAgeDays = 3650
)
