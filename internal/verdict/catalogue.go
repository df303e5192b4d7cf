package verdict

import (
	"slices"

	"github.com/glassbuild/glassbuild/internal/policy"
)

// entry is one check of the catalogue: its id, what it is about, and the function that judges it.
type entry struct {
	id    string
	title string
	check func(Facts, *policy.Policy) Check
}

// The ids, in the order of the chain. docs/checks.md explains each.
const (
	CheckArtefact     = "artefact.read"
	CheckPublished    = "artefact.published"
	CheckObjects      = "source.objects"
	CheckReachable    = "source.reachable"
	CheckSignature    = "source.signature"
	CheckTag          = "source.tag"
	CheckRange        = "source.range"
	CheckPaths        = "source.paths"
	CheckMovedTags    = "source.moved-tags"
	CheckTree         = "source.tree"
	CheckRecipe       = "recipe.settings"
	CheckContradicts  = "recipe.contradiction"
	CheckBuilder      = "builder.available"
	CheckVouched      = "builder.vouched"
	CheckFetched      = "inputs.fetched"
	CheckVendored     = "inputs.vendored"
	CheckIsolation    = "sandbox.isolation"
	CheckSteps        = "rebuild.steps"
	CheckReproducible = "rebuild.reproducible"
	CheckCopied       = "rebuild.copied"
	CheckGit          = "rebuild.git"
	CheckAccount      = "inputs.account"
	CheckForgiven     = "rebuild.forgiven"
	CheckEmbedded     = "artefact.signature"
	CheckMatch        = "rebuild.match"
	CheckFound        = "evidence.found"
	CheckSigned       = "provenance.signature"
	CheckSource       = "provenance.source"
	CheckBuild        = "provenance.build"
	CheckFields       = "provenance.fields"
	CheckName         = "provenance.name"
	CheckEvidence     = "provenance.contradiction"
	CheckQuorum       = "quorum.votes"
	CheckDissent      = "quorum.dissent"
	checkComplete     = "run.complete"
)

// rebuilt is every check of a verification with a rebuild, in the order of the report, before those of evidence.
var rebuilt = []entry{
	{CheckArtefact, "what was shipped could be read", artefactRead},
	{CheckPublished, "what was shipped is what the world is given under its name", artefactPublished},
	{CheckObjects, "every git object used has the content that its id names", sourceObjects},
	{CheckReachable, "a branch or tag reaches the commit", sourceReachable},
	{CheckSignature, "who signed the commit", sourceSignature},
	{CheckTag, "a tag at the commit, where the policy demands one", sourceTag},
	{CheckRange, "who signed every commit since an accepted one", sourceRange},
	{CheckPaths, "who touched paths that need more", sourcePaths},
	{CheckMovedTags, "tags point where they pointed before", sourceMovedTags},
	{CheckTree, "the tree was exported as the commit holds it", sourceTree},
	{CheckRecipe, "nothing in the recipe was decided by the artefact alone", recipeSettings},
	{CheckContradicts, "the artefact does not contradict the commit", recipeContradiction},
	{CheckBuilder, "the builder could be had", builderAvailable},
	{CheckVouched, "somebody other than the vendor vouches for the builder", builderVouched},
	{CheckFetched, "fetched inputs are what the world was given", inputsFetched},
	{CheckVendored, "vendored modules are the published ones", inputsVendored},
	{CheckIsolation, "the build was sealed off", unlessPacked(sandboxIsolation, "nothing of the vendor's was run: this program packed the files of the commit")},
	{CheckSteps, "every step ended well and gave its outputs", rebuildSteps},
	{CheckReproducible, "independent runs agree byte for byte", rebuildReproducible},
	{CheckCopied, "the outputs were built, not copied", unlessPacked(rebuildCopied, "a module zip holds the files of the commit as they are")},
	{CheckAccount, "everything that the build read is accounted for", unlessPacked(inputsAccount, "a module zip holds the files of the commit as they are")},
	{CheckGit, "git was asked only what is answered", rebuildGit},
	{CheckForgiven, "what was forgiven was declared and allowed by name, and adds up", rebuildForgiven},
	{CheckEmbedded, "signatures inside what was shipped are by whom the policy names", artefactSignature},
	{CheckMatch, "what was shipped is what was rebuilt", rebuildMatch},
}

// signed is every check of signed evidence.
var signed = []entry{
	{CheckFound, "there is signed evidence about the artefact", evidenceFound},
	{CheckSigned, "who signed a statement about the artefact, and who saw it", provenanceStage(CheckSigned)},
	{CheckSource, "which source the statement names", provenanceStage(CheckSource)},
	{CheckBuild, "which builder and build the statement names", provenanceStage(CheckBuild)},
	{CheckFields, "other fields of the statement", provenanceStage(CheckFields)},
	{CheckName, "under which name the artefact was signed", provenanceStage(CheckName)},
	{CheckEvidence, "what was signed contradicts neither itself nor the artefact", contradiction},
	{CheckQuorum, "whose independent rebuilds agree", quorumVotes},
	{CheckDissent, "whether somebody found otherwise", quorumDissent},
}

// catalogue is every check of a verification, in the order of the report.
var catalogue = slices.Concat(rebuilt, signed, []entry{{checkComplete, "the run came to its end", runComplete}})

// checkCatalogue is every check of a check, which rebuilds nothing.
var checkCatalogue = slices.Concat(rebuilt[:1], signed, []entry{{checkComplete, "everything that the policy demands without a rebuild was judged", checkedAll}})

// catalogueOf returns the checks of a scope. An unknown scope has none: nothing without checks passes.
func catalogueOf(scope string) []entry {
	switch scope {
	case "":
		return catalogue
	case ScopeCheck:
		return checkCatalogue
	case ScopeRelease:
		return releaseCatalogue
	}
	return nil
}

// known tells whether id is a check of list.
func known(list []entry, id string) bool {
	for _, e := range list {
		if e.id == id {
			return true
		}
	}
	return false
}

// Title returns what the check of that id is about, or "".
func Title(id string) string {
	for _, e := range slices.Concat(catalogue, releaseCatalogue) {
		if e.id == id {
			return e.title
		}
	}
	return ""
}

// IDs returns the ids of all checks, in order.
func IDs() []string {
	ids := make([]string, len(catalogue))
	for i, e := range catalogue {
		ids[i] = e.id
	}
	return append(ids, CheckListed, CheckAccounted, CheckAttested, CheckUnshipped)
}
