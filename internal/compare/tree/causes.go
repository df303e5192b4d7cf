package tree

// IDs of causes. Their order in Kinds is their weight: what a report says first.
const (
	CauseMember      = "member"
	CauseCode        = "code"
	CauseImports     = "imports"
	CauseExports     = "exports"
	CauseEntitlement = "entitlements"
	CauseMetadata    = "archive-metadata"
	CauseData        = "data"
	CauseResources   = "resources"
	CauseModule      = "main-module"
	CauseToolchain   = "toolchain-version"
	CauseDependency  = "dependency-version"
	CauseFlags       = "compiler-flags"
	CauseCPU         = "cpu-features"
	CauseVCS         = "vcs-stamp"
	CauseBytes       = "bytes"
	CauseTimestamp   = "timestamp"
	CausePath        = "build-path"
	CauseUserHost    = "user-host"
	CauseGeneratedID = "generated-id"
	CauseRandomSeed  = "random-seed"
	CauseLocale      = "locale"
	CauseMapOrder    = "map-order"
	CauseLineEndings = "line-endings"
	CauseStripped    = "stripped"
	CauseLinkOrder   = "link-order"
	CauseSignature   = "embedded-signature"
	CausePackageSign = "package-signature"
	CauseOrder       = "archive-order"
	CauseGzipHeader  = "gzip-header"
	CauseCompression = "compression"
	CauseContainer   = "archive-container"
	CauseMTime       = "archive-mtime"
	CauseLayout      = "layout"
	CauseBuildID     = "build-id"
)

// A CauseKind is one entry of the closed list of causes; docs/causes.md has an example and a remedy for each.
type CauseKind struct {
	ID    string
	Title string // what it is, for people
}

// kinds in the order of their weight.
var kinds = []CauseKind{
	{ID: CauseMember, Title: "a member is missing or extra"},
	{ID: CauseCode, Title: "other machine code, byte code or script"},
	{ID: CauseImports, Title: "other imports, needed libraries or search paths"},
	{ID: CauseExports, Title: "other exports"},
	{ID: CauseEntitlement, Title: "other entitlements"},
	{ID: CauseMetadata, Title: "owner, mode, type, link or attribute of a member"},
	{ID: CauseData, Title: "other constants, strings or data"},
	{ID: CauseBytes, Title: "bytes of an unknown format"},
	{ID: CauseResources, Title: "other resources or version information"},
	{ID: CauseModule, Title: "another main package"},
	{ID: CauseToolchain, Title: "another version of compiler, linker or runtime"},
	{ID: CauseDependency, Title: "another version of an embedded dependency"},
	{ID: CauseFlags, Title: "other compiler or linker flags"},
	{ID: CauseCPU, Title: "other processor features"},
	{ID: CauseVCS, Title: "another version control stamp"},
	{ID: CauseTimestamp, Title: "a time of the build"},
	{ID: CausePath, Title: "a path of the build"},
	{ID: CauseUserHost, Title: "the name of a user or host"},
	{ID: CauseGeneratedID, Title: "a generated id (GUID, UUID)"},
	{ID: CauseRandomSeed, Title: "a random seed"},
	{ID: CauseLocale, Title: "the locale of the build"},
	{ID: CauseMapOrder, Title: "parallelism or map order"},
	{ID: CauseLineEndings, Title: "line endings"},
	{ID: CauseStripped, Title: "symbols or debug data stripped on one side, or other ones"},
	{ID: CauseLinkOrder, Title: "order of linking"},
	{ID: CauseSignature, Title: "an embedded signature"},
	{ID: CausePackageSign, Title: "a signature of the package or installer"},
	{ID: CauseOrder, Title: "order of members"},
	{ID: CauseGzipHeader, Title: "header of a gzip stream"},
	{ID: CauseCompression, Title: "compression level or library"},
	{ID: CauseContainer, Title: "headers or padding of an archive"},
	{ID: CauseMTime, Title: "times of members"},
	{ID: CauseLayout, Title: "where things lie in a program"},
	{ID: CauseBuildID, Title: "build id, which follows from the rest"},
}

// Kinds returns the closed list of causes, the weightiest first.
func Kinds() []CauseKind { return append([]CauseKind(nil), kinds...) }

var ranks = func() map[string]int {
	m := make(map[string]int, len(kinds))
	for i, k := range kinds {
		m[k.ID] = i
	}
	return m
}()

// Rank returns the weight of a cause, 0 for the weightiest. What is not in the list is as weighty as anything: nobody
// has said that it is harmless.
func Rank(id string) int { return ranks[id] }
