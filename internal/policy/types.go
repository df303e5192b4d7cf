package policy

import (
	"maps"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// TypeMessage stands for a signature over the artefact itself, without a statement.
const TypeMessage = "message"

// The predicate types that demands are about.
const (
	TypeProvenanceV1  = "https://slsa.dev/provenance/v1"
	TypeProvenanceV02 = "https://slsa.dev/provenance/v0.2"
	TypeSummary       = "https://slsa.dev/verification_summary/v1"
	TypeTestResult    = "https://in-toto.io/attestation/test-result/v0.1"
	TypeNPMPublish    = "https://github.com/npm/attestation/tree/main/specs/publish/v0.1"
	TypeSPDX          = "https://spdx.dev/Document/v2.3"
	TypeCycloneDX     = "https://cyclonedx.org/bom"
)

// typeNames are the short names of types: cosign's where it has one.
var typeNames = map[string][]string{
	"provenance":       {TypeProvenanceV1, TypeProvenanceV02},
	"slsaprovenance":   {TypeProvenanceV02},
	"slsaprovenance02": {TypeProvenanceV02},
	"slsaprovenance1":  {TypeProvenanceV1},
	"vsa":              {TypeSummary},
	"test-result":      {TypeTestResult},
	"npm-publish":      {TypeNPMPublish},
	"spdx":             {TypeSPDX},
	"spdxjson":         {TypeSPDX},
	"cyclonedx":        {TypeCycloneDX},
	TypeMessage:        {TypeMessage},
}

// TypeNames lists the short names, sorted.
func TypeNames() []string { return slices.Sorted(maps.Keys(typeNames)) }

// resolveTypes turns names into predicate types, each once. A URI stands for itself.
func resolveTypes(names []string) ([]string, error) {
	var out []string
	for _, n := range names {
		list, known := typeNames[n]
		switch {
		case known:
		case strings.Contains(n, "://") && fault.Plain(n) && len(n) <= maxText && !strings.ContainsAny(n, "* "):
			list = []string{n}
		default:
			return nil, fault.Usagef(fault.Quote(n), "is no type of statement").WithHint("a predicate type is a URI, or one of %s", strings.Join(TypeNames(), ", "))
		}
		for _, t := range list {
			if !slices.Contains(out, t) {
				out = append(out, t)
			}
		}
	}
	return out, nil
}
