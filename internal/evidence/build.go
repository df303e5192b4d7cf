package evidence

import (
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Build is a build of our own, as it is written into SLSA provenance v1 under BuildType. Another party can rebuild from
// it: the external parameters are all that has to be said, the resolved dependencies all that was used.
type Build struct {
	Repository string // as named, without credentials
	Commit     string // full id
	Ref        string // branch or tag that the caller named; may be empty
	Recipe     string // sha256 of the canonical recipe
	RecipeText string // the canonical recipe itself; may be empty
	Lock       string // sha256 of the lock beside it; "" when there is none

	Builder    string            // builder id; "" is BuilderID
	Version    map[string]string // versions of the builder's parts, e.g. glassbuild
	Invocation string            // of the run, where there is an address for it
	Started    time.Time
	Finished   time.Time

	Limits       map[string]string // limit obtained, by name
	Isolation    map[string]string // isolation obtained, by name
	Runs         []Run             // the two or more runs that agreed
	Dependencies []Resource        // everything that was used, each with a digest
	Byproducts   []Resource        // logs and the like
}

// Run is one of the runs of a build.
type Run struct {
	Started   time.Time
	Finished  time.Time
	Variation map[string]string
}

type buildDefinition struct {
	BuildType string         `json:"buildType"`
	External  map[string]any `json:"externalParameters"`
	Internal  map[string]any `json:"internalParameters"`
	Resolved  []Resource     `json:"resolvedDependencies"`
}

type runDetails struct {
	Builder    Verifier          `json:"builder"`
	Metadata   map[string]string `json:"metadata"`
	Byproducts []Resource        `json:"byproducts,omitempty"`
}

// Marshal returns the provenance of subjects.
func (b *Build) Marshal(subjects ...Resource) ([]byte, error) {
	if err := b.check(); err != nil {
		return nil, err
	}
	external := map[string]any{"repository": b.Repository, "commit": b.Commit, "recipe": map[string]string{"sha256": b.Recipe}}
	if b.Ref != "" {
		external["ref"] = b.Ref
	}
	if b.RecipeText != "" {
		external["recipe"] = map[string]string{"sha256": b.Recipe, "text": b.RecipeText}
	}
	if b.Lock != "" {
		external["lock"] = map[string]string{"sha256": b.Lock}
	}
	runs := []map[string]any{}
	for _, r := range b.Runs {
		runs = append(runs, map[string]any{"startedOn": Timestamp(r.Started), "finishedOn": Timestamp(r.Finished), "variation": orEmpty(r.Variation)})
	}
	id := b.Builder
	if id == "" {
		id = BuilderID
	}
	metadata := map[string]string{"startedOn": Timestamp(b.Started), "finishedOn": Timestamp(b.Finished)}
	if b.Invocation != "" {
		metadata["invocationId"] = b.Invocation
	}
	return Marshal(PredicateProvenanceV1, struct {
		Definition buildDefinition `json:"buildDefinition"`
		Details    runDetails      `json:"runDetails"`
	}{
		buildDefinition{BuildType, external, map[string]any{"limits": orEmpty(b.Limits), "isolation": orEmpty(b.Isolation), "runs": runs}, b.Dependencies},
		runDetails{Verifier{ID: id, Version: b.Version}, metadata, b.Byproducts},
	}, subjects...)
}

func (b *Build) check() error {
	if b.Repository == "" {
		return fault.Usagef("provenance", "repository is missing")
	}
	if err := checkDigest("gitCommit", b.Commit); err != nil {
		return fault.Usagef("provenance", "commit: %w", err)
	}
	if err := checkDigest("sha256", b.Recipe); err != nil {
		return fault.Usagef("provenance", "recipe: %w", err)
	}
	if len(b.Runs) < 2 {
		return fault.Usagef("provenance", "%d runs, want at least 2: one run shows nothing about reproducibility", len(b.Runs))
	}
	if b.Started.IsZero() || b.Finished.IsZero() {
		return fault.Usagef("provenance", "times are missing")
	}
	if len(b.Dependencies) == 0 || len(b.Dependencies) > MaxDependencies {
		return fault.Usagef("provenance", "%d dependencies, want 1 to %d", len(b.Dependencies), MaxDependencies)
	}
	for _, d := range b.Dependencies {
		if len(d.Digest) == 0 {
			return fault.Usagef("provenance", "dependency %s has no digest", fault.Quote(d.Name+d.URI))
		}
		for algorithm, text := range d.Digest {
			if err := checkDigest(algorithm, text); err != nil {
				return fault.Usagef("provenance", "dependency %s: %w", fault.Quote(d.Name+d.URI), err)
			}
		}
	}
	return nil
}

func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}
