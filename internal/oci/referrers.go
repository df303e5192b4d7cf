package oci

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/remote"
)

// Attached is one piece of evidence that is attached to an image: nothing of it is verified.
type Attached struct {
	From        Descriptor        // the manifest that brings it
	MediaType   string            // of the layer: TypeBundle, TypeEnvelope, TypeSimpleSigning
	Annotations map[string]string // of the layer; of an old cosign attachment they hold signature, certificate and log entry
	Data        []byte
}

// Name is how messages and reports call it.
func (a *Attached) Name() string { return a.From.Digest }

// bundleTypes begins the media types of all versions of Sigstore bundles.
const bundleTypes = "application/vnd.dev.sigstore.bundle"

// Referrers lists the manifests that refer to a digest, after looking that each of them really does. Registries without
// the referrers API are asked for the tag that stands in for it.
func (p *Place) Referrers(ctx context.Context, digest string) ([]Descriptor, error) {
	list, err := p.referring(ctx, digest)
	var out []Descriptor
	for _, r := range list {
		out = append(out, r.desc)
	}
	return out, err
}

type referrer struct {
	desc     Descriptor
	manifest *Manifest
}

func (p *Place) referring(ctx context.Context, digest string) ([]referrer, error) {
	if err := checkDigest(digest); err != nil {
		return nil, fault.Usagef(p.object(digest), "%w", err)
	}
	list, err := p.back.referrers(ctx, digest)
	if err != nil {
		return nil, err
	}
	var out []referrer
	seen := map[string]bool{}
	for _, d := range list {
		if seen[d.Digest] || d.MediaType != TypeManifest {
			continue // an index can refer too; it holds no evidence that is read here
		}
		seen[d.Digest] = true
		m, err := p.Manifest(ctx, d)
		if err != nil {
			return nil, err
		}
		if m.Subject == nil || m.Subject.Digest != digest {
			return nil, fault.Failf(p.object(d.Digest), "is listed as a referrer of %s and does not refer to it", digest)
		}
		d.ArtifactType = m.ArtifactType
		out = append(out, referrer{d, m})
	}
	return out, nil
}

// Attached reads all evidence that is attached to a digest: Sigstore bundles and DSSE envelopes of referrers, and what
// cosign attached before there were any (sha256-….att and sha256-….sig). It may be none.
func (p *Place) Attached(ctx context.Context, digest string) ([]Attached, error) {
	list, err := p.referring(ctx, digest)
	if err != nil {
		return nil, err
	}
	for _, suffix := range []string{".att", ".sig"} {
		old, err := p.oldAttachment(ctx, digest, suffix)
		if err != nil {
			return nil, err
		}
		list = append(list, old...)
	}
	var out []Attached
	left := int64(MaxAttached)
	for _, r := range list {
		for _, l := range r.manifest.Layers {
			if !isEvidence(l.MediaType) {
				continue
			}
			if left -= l.Size; left < 0 {
				return nil, fault.Failf(p.object(digest), "exceeds limit: more than %d bytes of evidence attached", MaxAttached)
			}
			data, err := p.ReadBlob(ctx, l, MaxPayload)
			if err != nil {
				return nil, err
			}
			out = append(out, Attached{From: r.desc, MediaType: l.MediaType, Annotations: l.Annotations, Data: data})
		}
	}
	return out, nil
}

func isEvidence(mediaType string) bool {
	return strings.HasPrefix(mediaType, bundleTypes) || mediaType == TypeEnvelope || mediaType == TypeSimpleSigning
}

// oldAttachment reads the image that cosign keeps under a tag made from the digest.
func (p *Place) oldAttachment(ctx context.Context, digest, suffix string) ([]referrer, error) {
	r, ok := p.back.(*registry)
	if !ok {
		return nil, nil
	}
	raw, mediaType, err := r.manifest(ctx, fallbackTag(digest)+suffix)
	if notThere(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	d := Descriptor{MediaType: mediaType, Digest: digestOf(raw), Size: int64(len(raw))}
	m, err := parseManifest(p.object(d.Digest), raw, d)
	if err != nil || m.Index {
		return nil, err
	}
	return []referrer{{d, m}}, nil
}

// fallbackTag stands in for the referrers API (distribution-spec, "Referrers Tag Schema").
func fallbackTag(digest string) string { return strings.Replace(digest, ":", "-", 1) }

// referrers asks the API page by page, or reads the fallback tag where there is no API.
func (r *registry) referrers(ctx context.Context, digest string) ([]Descriptor, error) {
	var out []Descriptor
	path := r.path("referrers", digest)
	for page := 0; path != ""; page++ {
		if page >= MaxPages {
			return nil, fault.Failf(fault.Quote(r.ref.String()), "exceeds limit: referrers on more than %d pages", MaxPages)
		}
		list, next, err := r.referrersPage(ctx, path)
		if page == 0 && (notThere(err) || errors.Is(err, errNoAPI)) {
			return r.fallbackReferrers(ctx, digest)
		}
		if err != nil {
			return nil, err
		}
		if out = append(out, list...); len(out) > MaxReferrers {
			return nil, fault.Failf(fault.Quote(r.ref.String()), "exceeds limit: more than %d referrers", MaxReferrers)
		}
		path = next
	}
	return out, nil
}

// errNoAPI tells that a registry answered something else where the referrers should be.
var errNoAPI = errors.New("no referrers API")

func (r *registry) referrersPage(ctx context.Context, path string) (list []Descriptor, next string, err error) {
	resp, err := r.get(ctx, path, TypeIndex)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	if t, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";"); t != TypeIndex {
		return nil, "", errNoAPI
	}
	raw, err := r.body(ctx, resp, MaxManifest)
	if err != nil {
		return nil, "", err
	}
	m, err := parseManifest(remote.Redact(resp.Request.URL.String()), raw, Descriptor{MediaType: TypeIndex})
	if err != nil {
		return nil, "", err
	}
	next, err = nextPage(resp, r.repo.RegistryStr())
	return m.Manifests, next, err
}

// nextPage reads the Link header (RFC 8288, as the distribution specification uses it). It must stay on the registry.
func nextPage(resp *http.Response, host string) (string, error) {
	link := resp.Header.Get("Link")
	if link == "" {
		return "", nil
	}
	target, params, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(link), "<"), ">")
	if !ok || !strings.Contains(params, "next") {
		return "", nil
	}
	u, err := url.Parse(target)
	if err == nil {
		u = resp.Request.URL.ResolveReference(u)
	}
	if err != nil || u.Host != host {
		return "", fault.Failf(fault.Quote(host), "its next page of referrers lies elsewhere")
	}
	return u.RequestURI(), nil
}

func (r *registry) fallbackReferrers(ctx context.Context, digest string) ([]Descriptor, error) {
	raw, mediaType, err := r.manifest(ctx, fallbackTag(digest))
	if notThere(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m, err := parseManifest(fault.Quote(r.repo.Name()+":"+fallbackTag(digest)), raw, Descriptor{MediaType: mediaType})
	if err != nil {
		return nil, err
	}
	if len(m.Manifests) > MaxReferrers {
		return nil, fault.Failf(fault.Quote(r.ref.String()), "exceeds limit: more than %d referrers", MaxReferrers)
	}
	return m.Manifests, nil
}

// readAll reads a file of a layout or archive, at most limit bytes.
func readAll(r io.Reader, object string, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fault.Inconclusivef(object, "cannot be read: %w", err)
	}
	if int64(len(data)) > limit {
		return nil, fault.Failf(object, "exceeds limit: more than %d bytes", limit)
	}
	return data, nil
}
