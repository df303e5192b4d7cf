package attest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/oci"
	"github.com/glassbuild/glassbuild/internal/store"
)

// Endings of what is written. A reader of bundles finds *.sigstore.json beside the artefact.
const (
	signedSuffix   = ".sigstore.json"
	unsignedSuffix = ".unsigned.json"
	linesSuffix    = ".jsonl"
)

// unsignedKind is where the store keeps which statements this program made and did not sign.
const unsignedKind = "unsigned-statement"

// statement is one that is to be signed.
type statement struct {
	stem      string // of the file name
	artefact  evidence.Resource
	predicate string
	payload   []byte
}

// signAll makes, signs, writes and attaches the statements of every subject.
func (r *run) signAll(ctx context.Context) error {
	list, err := r.statements()
	if err != nil {
		return err
	}
	w := &writer{ctx: ctx, signer: r.req.Signer, store: r.store, to: r.req.Bundles, step: r.req.Progress, fresh: true,
		attach: r.attachBundle}
	err = w.all(list)
	r.bundles, r.unsigned = w.bundles, w.unsigned
	return err
}

func (r *run) statements() ([]statement, error) {
	var out []statement
	for _, s := range r.subjects {
		stem := stemOf(s.Name)
		add := func(suffix, predicate string, payload []byte, err error) error {
			if err == nil {
				out = append(out, statement{stem + suffix, s.Resource, predicate, payload})
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

// stemOf is the beginning of the names of a subject's bundles: its own name where that can be the name of a file.
func stemOf(name string) string {
	if i := strings.LastIndexByte(name, '/'); i >= 0 && strings.Contains(name[:i], ".") { // an image: its last element
		name = name[i+1:]
	}
	name = strings.Map(func(c rune) rune {
		if c == '/' || c == '\\' || c < ' ' || c == 0x7f {
			return '-'
		}
		return c
	}, name)
	if strings.Trim(name, ".") == "" {
		return "artefact"
	}
	return name
}

// writer signs statements and leaves the bundles; what it cannot sign it leaves unsigned.
type writer struct {
	ctx    context.Context
	signer Signer
	store  *store.Store
	to     string
	left   string // folder for what is not signed; "" is that of the bundles
	step   func(string, ...any)
	attach func(ctx context.Context, b *Bundle, data []byte) error
	fresh  bool // a file of lines is written anew, not added to

	bundles  []Bundle
	unsigned []string
}

func (w *writer) all(list []statement) error {
	for i, s := range list {
		w.step("signing %s: %s", fault.Quote(s.artefact.Name), s.predicate)
		data, err := w.signer.Statement(w.ctx, s.payload)
		if err != nil {
			return errors.Join(w.leave(list[i:]), w.halted(err))
		}
		b := Bundle{Artefact: s.artefact.Name, SHA256: s.artefact.Digest["sha256"], Predicate: s.predicate}
		if err := w.attach(w.ctx, &b, data); err != nil { // signed again later: a second log entry does no harm, a missing bundle does
			return errors.Join(w.leave(list[i:]), w.halted(err))
		}
		if b.File, err = w.write(s.stem, data); err != nil {
			return errors.Join(w.leave(list[i:]), err)
		}
		w.bundles = append(w.bundles, b)
	}
	return nil
}

// halted tells how to go on.
func (w *writer) halted(err error) error {
	if w.ctx.Err() != nil {
		return w.ctx.Err()
	}
	hint := "nothing has to be built again: glassbuild attest --resume " + fault.Quote(w.leftIn()) + " with the same signer signs what is left"
	var f *fault.Error
	if !errors.As(err, &f) {
		return fault.Inconclusivef("signing", "not done: %s", fault.Quote(err.Error())).WithHint("%s", hint)
	}
	if f.Class == fault.Usage {
		return f
	}
	again := *f
	return again.WithHint("%s", hint)
}

func (w *writer) leftIn() string {
	if w.left != "" {
		return w.left
	}
	return folderOf(w.to)
}

// leave writes statements that are not signed, and remembers that they are ours.
func (w *writer) leave(list []statement) error {
	for _, s := range list {
		sum := sha256.Sum256(s.payload)
		if err := w.store.PutResult(unsignedKind, hex.EncodeToString(sum[:]), []byte(s.stem)); err != nil {
			return err
		}
		name := filepath.Join(w.leftIn(), s.stem+unsignedSuffix)
		if err := writeFile(name, s.payload); err != nil {
			return err
		}
		w.unsigned = append(w.unsigned, name)
	}
	return nil
}

// write leaves one bundle in the folder, or as a line of the file.
func (w *writer) write(stem string, data []byte) (string, error) {
	if !strings.HasSuffix(w.to, linesSuffix) {
		name := filepath.Join(folderOf(w.to), stem+signedSuffix)
		return name, writeFile(name, append(slices.Clone(data), '\n'))
	}
	var lines []byte
	if len(w.bundles) > 0 || !w.fresh {
		old, err := os.ReadFile(w.to)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", fault.Inconclusivef(fault.Quote(w.to), "cannot be read: %w", bare(err))
		}
		lines = old
	}
	return w.to, writeFile(w.to, append(append(lines, data...), '\n'))
}

// attachBundle attaches a bundle to every image that it is about.
func (r *run) attachBundle(ctx context.Context, b *Bundle, data []byte) error {
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

// folderOf is where bundles go, and statements that are not signed.
func folderOf(to string) string {
	switch {
	case to == "":
		return "."
	case strings.HasSuffix(to, linesSuffix):
		return filepath.Dir(to)
	}
	return to
}

// checkPlace refuses a place that cannot be written to.
func checkPlace(to string) error {
	dir := folderOf(to)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fault.Usagef(fault.Quote(dir), "cannot be written: %w", bare(err))
	}
	f, err := os.CreateTemp(dir, ".glassbuild-*")
	if err != nil {
		return fault.Usagef(fault.Quote(dir), "cannot be written: %w", bare(err))
	}
	f.Close()
	os.Remove(f.Name())
	return nil
}

// writeFile replaces a file whole.
func writeFile(name string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".glassbuild-*")
	if err != nil {
		return fault.Inconclusivef(fault.Quote(name), "cannot be written: %w", bare(err))
	}
	defer os.Remove(f.Name())
	_, err = bytes.NewReader(data).WriteTo(f)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return fault.Inconclusivef(fault.Quote(name), "cannot be written: %w", bare(err))
	}
	return nil
}

func bare(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	var l *os.LinkError
	if errors.As(err, &l) {
		return l.Err
	}
	return err
}
