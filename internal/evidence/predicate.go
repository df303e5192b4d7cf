package evidence

// Predicate types that are understood.
const (
	PredicateProvenanceV1  = "https://slsa.dev/provenance/v1"
	PredicateProvenanceV02 = "https://slsa.dev/provenance/v0.2"
	PredicateSummary       = "https://slsa.dev/verification_summary/v1"
	PredicateTestResult    = "https://in-toto.io/attestation/test-result/v0.1"
	PredicateNPMPublish    = "https://github.com/npm/attestation/tree/main/specs/publish/v0.1"
	PredicateSPDX          = "https://spdx.dev/Document/v2.3"
	PredicateCycloneDX     = "https://cyclonedx.org/bom"
)

// readable refuses a predicate that is of a known type and does not read as such (cosign CVE-2022-35929).
func readable(s *Statement) error { return nil }
