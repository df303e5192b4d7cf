package verdict

import "github.com/glassbuild/glassbuild/internal/policy"

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
	CheckForgiven     = "rebuild.forgiven"
	CheckMatch        = "rebuild.match"
	checkComplete     = "run.complete"
)

// catalogue is every check, in the order of the report.
var catalogue = []entry{
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
	{CheckGit, "git was asked only what is answered", rebuildGit},
	{CheckForgiven, "what was forgiven was declared and allowed by name, and adds up", rebuildForgiven},
	{CheckMatch, "what was shipped is what was rebuilt", rebuildMatch},
	{checkComplete, "the run came to its end", runComplete},
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
	for _, e := range catalogue {
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
	return ids
}
