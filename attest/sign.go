package attest

import (
	"context"

	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/oci"
	"github.com/glassbuild/glassbuild/internal/provenance"
)

// signAll makes, signs, writes and attaches the statements of every subject.
func (r *run) signAll(ctx context.Context) error {
	list, err := r.statements()
	if err != nil {
		return err
	}
	w := &provenance.Writer{Signer: r.req.Signer, Store: r.store, To: r.req.Bundles, Fresh: true, Step: r.req.Progress, Attach: r.attachBundle}
	err = w.All(ctx, list)
	r.bundles, r.unsigned = w.Bundles, w.Unsigned
	return err
}

func (r *run) statements() ([]provenance.Statement, error) {
	var out []provenance.Statement
	for _, s := range r.subjects {
		add := func(suffix, predicate string, payload []byte, err error) error {
			if err == nil {
				out = append(out, provenance.Statement{Stem: s.stem + suffix, Artefact: s.Resource, Predicate: predicate, Payload: payload})
			}
			return err
		}
		payload, err := r.built.Provenance(s.Resource)
		if err = add("", evidence.PredicateProvenanceV1, payload, err); err != nil {
			return nil, err
		}
		payload, err = r.built.TestResult(s.Resource)
		if err = add(".test-result", evidence.PredicateTestResult, payload, err); err != nil {
			return nil, err
		}
		spdx, cyclonedx, err := r.built.BillOfMaterials(s.output, s.Resource)
		if err = add(".spdx", evidence.PredicateSPDX, spdx, err); err != nil {
			return nil, err
		}
		if err = add(".cyclonedx", evidence.PredicateCycloneDX, cyclonedx, nil); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// attachBundle attaches a bundle to every image that it is about.
func (r *run) attachBundle(ctx context.Context, b *provenance.Bundle, data []byte) error {
	for i, p := range r.attach {
		about, err := r.attachable(ctx, p, r.targets[i])
		if err != nil {
			return err
		}
		if !about[b.SHA256] {
			continue
		}
		where := p.Reference().WithDigest(r.targets[i].Digest).String()
		r.req.Progress("attaching to %s", fault.Quote(where))
		if _, err := p.Attach(ctx, r.targets[i].Digest, oci.Bundle{Data: data, Predicate: b.Predicate, Created: r.req.Now()}); err != nil {
			return err
		}
		b.Attached = append(b.Attached, where)
	}
	return nil
}
