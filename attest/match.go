package attest

import (
	"context"
	"path"
	"path/filepath"
	"strings"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/compare"
	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/oci"
	"github.com/glassbuild/glassbuild/internal/provenance"
)

// subject is an artefact that is attested, and the output that it is.
type subject struct {
	evidence.Resource
	output string // path below the output folder
	member string // where the recipe puts it inside what is shipped
	stem   string // of the names of its bundles
}

func (r *run) nameSubjects() error {
	list, err := r.built.Subjects()
	if err != nil {
		return err
	}
	for i, s := range list {
		r.subjects = append(r.subjects, subject{Resource: s, output: r.outcome.Runs[0].Outputs[i].Path, member: r.recipe.Recipe.Artifacts[i].Member, stem: provenance.Stem(s.Name)})
	}
	return nil
}

// snapshot copies what is about to be shipped, so that what is compared is what was there before the build.
func (r *run) snapshot(ctx context.Context) error {
	for _, p := range r.req.Shipped {
		r.req.Progress("copying and hashing %s", fault.Quote(filepath.Base(p)))
		dir, err := r.dir.Dir("shipped")
		if err != nil {
			return err
		}
		a, err := artifact.Open(ctx, p, artifact.Options{Dir: dir})
		if err != nil {
			return err
		}
		r.shipped = append(r.shipped, a)
	}
	return nil
}

// matchShipped holds every file that is about to be shipped against what was built: one that the build did not give, or
// gave otherwise, is refused, and so is the whole.
func (r *run) matchShipped(ctx context.Context) error {
	for _, a := range r.shipped {
		if err := r.matchOne(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) matchOne(ctx context.Context, a *artifact.Artifact) error {
	var whole []int
	for i, s := range r.subjects {
		if s.member == "" && (path.Base(s.output) == a.Name || len(r.subjects) == 1) {
			whole = append(whole, i)
		}
	}
	if len(whole) == 1 && a.Kind == "file" {
		s := &r.subjects[whole[0]]
		if a.SHA256 != s.Digest["sha256"] {
			return r.differs(ctx, a, a.Root, s)
		}
		s.Name, s.stem = a.Name, provenance.Stem(a.Name) // the name under which it is shipped
		return nil
	}
	found := false
	for i := range r.subjects {
		s := &r.subjects[i]
		if s.member == "" {
			continue
		}
		m, err := a.Find(s.member)
		if err != nil {
			continue
		}
		found = true
		if m.SHA256 != s.Digest["sha256"] {
			return r.differs(ctx, a, m, s)
		}
	}
	if !found {
		return fault.Failf(fault.Quote(a.Name), "not signed: the build gives nothing of that name").
			WithHint("[[artifact]] in the recipe says which files the build gives, and with member where they sit in what is shipped")
	}
	return nil
}

// differs says where what is about to be shipped differs from what was built.
func (r *run) differs(ctx context.Context, a *artifact.Artifact, m *artifact.Member, s *subject) error {
	name := a.Name
	if m.Path != "" {
		name += "/" + m.Path
	}
	shipped, err := a.Content(m)
	if err != nil {
		return err
	}
	defer shipped.Close()
	built, err := r.outcome.Runs[0].Open(s.output)
	if err != nil {
		return err
	}
	defer built.Close()
	d, err := compare.Files(ctx, shipped, built)
	if err != nil {
		return err
	}
	return fault.Failf(fault.Quote(name), "not signed: it is not what the commit gives (%d bytes differ, the first at offset %d)", d.Bytes, d.First).
		WithHint("glassbuild verify names the cause; ship what --out DIR leaves")
}

// openImages resolves all images before anything is built.
func (r *run) openImages(ctx context.Context) error {
	if r.req.Image != "" {
		p, d, err := r.openImage(ctx, r.req.Image)
		if err != nil {
			return err
		}
		r.image, r.imageD = p, d
	}
	for _, text := range r.req.Attach {
		p, d, err := r.openImage(ctx, text)
		if err != nil {
			return err
		}
		r.attach, r.targets = append(r.attach, p), append(r.targets, d)
	}
	return nil
}

func (r *run) openImage(ctx context.Context, text string) (*oci.Place, oci.Descriptor, error) {
	ref, err := oci.Parse(text)
	if err != nil {
		return nil, oci.Descriptor{}, err
	}
	r.req.Progress("reading %s", fault.Quote(ref.String()))
	p, err := oci.Open(ref, oci.Options{Remote: r.registries})
	if err != nil {
		return nil, oci.Descriptor{}, err
	}
	d, err := p.Resolve(ctx)
	if err != nil {
		p.Close()
	}
	return p, d, err
}

// matchImage finds the output that is the image, as an archive of an OCI layout: its manifest must be the one that the
// registry has. The image, by its digest, takes the place of the archive as the subject.
func (r *run) matchImage(ctx context.Context) error {
	if r.image == nil {
		return nil
	}
	name := r.image.Reference().Name()
	for i := range r.subjects {
		s := &r.subjects[i]
		got, ok := r.imageIn(ctx, s.output)
		if !ok {
			continue
		}
		if got != r.imageD.Digest {
			return fault.Failf(fault.Quote(name+"@"+r.imageD.Digest), "not signed: it is not what the commit gives, which is %s", got)
		}
		s.stem = provenance.Stem(path.Base(name))
		s.Resource = evidence.Resource{Name: name, Digest: map[string]string{"sha256": strings.TrimPrefix(got, "sha256:")}}
		return nil
	}
	return fault.Failf(fault.Quote(name), "not signed: no output of the build is an OCI layout").
		WithHint("let the build write the image as an archive of an OCI layout (BuildKit: --output type=oci), and name that in [[artifact]]")
}

// imageIn returns the digest of the image in an output that is an archive of a layout.
func (r *run) imageIn(ctx context.Context, output string) (string, bool) {
	p, err := oci.Open(oci.Archive(r.outcome.Runs[0].Path(output)), oci.Options{})
	if err != nil {
		return "", false
	}
	defer p.Close()
	d, err := p.Resolve(ctx)
	if err != nil {
		return "", false
	}
	m, err := p.Manifest(ctx, d)
	if err != nil || m.Made {
		return "", false
	}
	return d.Digest, true
}

// checkAttach refuses to attach evidence to what it is not about: an image is the subject, or holds it as a layer.
func (r *run) checkAttach(ctx context.Context) error {
	for i, p := range r.attach {
		about, err := r.attachable(ctx, p, r.targets[i])
		if err != nil {
			return err
		}
		if len(about) == 0 {
			return fault.Failf(fault.Quote(p.Reference().String()), "nothing is attached: neither the image nor a layer of it is what was built").
				WithHint("--image REF attests an image that the build gave; an artefact that was pushed with oras is a layer")
		}
	}
	return nil
}

// attachable lists the subjects that an image is about.
func (r *run) attachable(ctx context.Context, p *oci.Place, d oci.Descriptor) (map[string]bool, error) {
	m, err := p.Manifest(ctx, d)
	if err != nil {
		return nil, err
	}
	here := map[string]bool{d.Digest: true}
	for _, l := range m.Layers {
		here[l.Digest] = true
	}
	about := map[string]bool{}
	for _, s := range r.subjects {
		if sum := s.Digest["sha256"]; here["sha256:"+sum] {
			about[sum] = true
		}
	}
	return about, nil
}
