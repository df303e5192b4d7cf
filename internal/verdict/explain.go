package verdict

// policyKeys are the keys of a policy that decide each check. A check without any is decided by the program alone.
var policyKeys = map[string][]string{
	CheckReachable:    {"source.unreachable"},
	CheckSignature:    {"source.signed-by"},
	CheckTag:          {"source.tag", "source.tag.signed-by", "source.tag.names"},
	CheckRange:        {"source.since", "source.signed-by"},
	CheckPaths:        {"source.path"},
	CheckTree:         {"source.attributes", "source.unlisted-opaque", "source.opaque"},
	CheckRecipe:       {"rebuild.setting", "rebuild.dirty"},
	CheckVouched:      {"rebuild.builder"},
	CheckFetched:      {"rebuild.private-modules", "rebuild.checksum-database"},
	CheckVendored:     {"rebuild.vendored", "rebuild.private-modules", "rebuild.checksum-database"},
	CheckReproducible: {"rebuild.runs", "rebuild.vary"},
	CheckCopied:       {"rebuild.copy"},
	CheckAccount:      {"rebuild.account", "source.read-opaque", "source.opaque"},
	CheckForgiven:     {"rebuild.allow"},
	CheckMatch:        {"rebuild.match", "rebuild.cover", "rebuild.allow", "rebuild.setting"},
	CheckFound:        {"provenance", "quorum"},
	CheckSigned:       {"provenance.signed-by", "provenance.types", "provenance.require", "provenance.logs", "provenance.timestamps", "provenance.no-log", "provenance.no-sct", "provenance.trusted-root"},
	CheckSource:       {"provenance.repository", "provenance.commit", "provenance.ref"},
	CheckBuild:        {"provenance.builder", "provenance.build-type", "provenance.workflow", "provenance.trigger"},
	CheckFields:       {"provenance.fields"},
	CheckName:         {"provenance.same-name"},
	CheckEvidence:     {"provenance", "quorum"},
	CheckQuorum:       {"quorum.of", "quorum.policies", "quorum.max-age", "quorum.differ-in", "quorum.commit", "quorum.tree", "quorum.recipe", "quorum.builder", "quorum.require", "quorum.no-log", "quorum.no-sct", "quorum.rebuilder"},
	CheckDissent:      {"quorum.dissent", "quorum.votes"},
}

// PolicyKeys returns the keys of a policy that decide the check of that id, most important first; none where the program
// decides alone.
func PolicyKeys(id string) []string { return policyKeys[id] }
