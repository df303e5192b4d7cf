package recipe

const (
	// MaxLockBytes bounds a lock. It is larger than other documents because a program writes it, one entry for every
	// file that was fetched.
	MaxLockBytes = 8 << 20
	// MaxSteps bounds the fetch steps, and the steps.
	MaxSteps = 64
	// MaxArgs bounds the arguments of one step.
	MaxArgs = 1024
	// MaxArtifacts bounds the artefacts of a recipe.
	MaxArtifacts = 1024
	// MaxTargets bounds the targets of a recipe.
	MaxTargets = 256
	maxRecipes = 256 // of one commit
	// MaxPath bounds a path, in bytes; PATH_MAX is 4096 on Linux.
	MaxPath      = 4000
	maxManifest  = 4 << 20 // a package.json
	maxManifests = 5000    // of them in one commit
	// MaxPatchBytes bounds a patch of the toolchain.
	MaxPatchBytes = 1 << 20
	// MaxEnvValue bounds the value of one environment variable.
	MaxEnvValue = 16 << 10
)
