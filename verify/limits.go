package verify

// What a check reads or keeps at most, beside the limits of internal/evidence on each file.
const (
	// maxEvidenceFiles bounds the files of evidence in one folder.
	maxEvidenceFiles = 1 << 17
	// maxReleaseFiles bounds the files of a release.
	maxReleaseFiles = 1 << 17
	// maxPackage bounds a package that is fetched from a registry.
	maxPackage = 4 << 30
	// maxJSON bounds a verdict or a prepared index.
	maxJSON = 256 << 20
	// maxListBytes bounds a list of digests.
	maxListBytes = 32 << 20
	// hashBuffer is how much of a file is read at once.
	hashBuffer = 256 << 10
	// maxDetached bounds a detached signature.
	maxDetached = 64 << 10
	// maxExplainedFiles is how many files of a release are explained that differ.
	maxExplainedFiles = 8
	// maxBuilds bounds the builds of one release.
	maxBuilds = 64
	// maxLine bounds one line of a list of digests.
	maxLine = 16 << 10
	// keptBundles is how many bundles of one place stay in memory once they were read. Those of a larger place are read
	// again when their artefact comes up, so that memory does not grow with the place.
	keptBundles = 256
	// maxAboutOne bounds the pieces of evidence about one artefact.
	maxAboutOne = 4096
	// maxTrustedRoots bounds the file of trusted roots.
	maxTrustedRoots = 4 << 20
	// maxPackageJSON bounds the package.json of a shipped package.
	maxPackageJSON = 4 << 20
)
