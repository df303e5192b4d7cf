package npm

const (
	// MaxTarball bounds one version of a package; Node.js itself takes 50 MB.
	MaxTarball = 512 << 20
	// MaxName bounds the name of a package (https://docs.npmjs.com/cli/configuring-npm/package-json#name).
	MaxName = 214

	maxSettings    = 1 << 20 // a file of settings
	maxDescription = 8 << 20 // what a registry says of one version
)
