package oci

import (
	"encoding/json"
	"testing"
)

// FuzzManifest holds what is read against encoding/json: whatever is accepted has one reading, names only digests that
// can be checked, and is either a manifest or an index.
func FuzzManifest(f *testing.F) {
	sum := "sha256:" + "0000000000000000000000000000000000000000000000000000000000000000"
	descriptor := `{"mediaType":"x","digest":"` + sum + `","size":1}`
	for _, seed := range []string{
		`{"schemaVersion":2,"mediaType":"` + TypeManifest + `","config":` + descriptor + `,"layers":[` + descriptor + `],"subject":` + descriptor + `,"annotations":{"a":"b"}}`,
		`{"schemaVersion":2,"manifests":[` + descriptor + `]}`,
		`{"schemaVersion":2,"manifests":[],"manifests":[],"layers":[]}`,
		`{"schemaVersion":2,"Config":{},"config":` + descriptor + `,"layers":null}`,
	} {
		f.Add([]byte(seed), "")
		f.Add([]byte(seed), TypeIndex)
	}
	f.Fuzz(func(t *testing.T, raw []byte, mediaType string) {
		m, err := parseManifest("x", raw, Descriptor{Digest: digestOf(raw), MediaType: mediaType})
		if err != nil {
			return
		}
		var other struct {
			SchemaVersion int
			MediaType     string
			Config        *Descriptor
			Layers        []Descriptor
			Manifests     []Descriptor
		}
		if err := json.Unmarshal(raw, &other); err != nil {
			t.Fatalf("read, and no JSON: %v", err)
		}
		if other.SchemaVersion != 2 || m.Index != (other.Config == nil) || len(m.Layers) != len(other.Layers) || len(m.Manifests) != len(other.Manifests) || other.MediaType != "" && other.MediaType != m.MediaType {
			t.Fatalf("two readings of %q", raw)
		}
		if mediaType != "" && m.MediaType != mediaType {
			t.Fatalf("asked for %q, got %q", mediaType, m.MediaType)
		}
		all := append(append([]Descriptor{}, m.Layers...), m.Manifests...)
		if !m.Index {
			all = append(all, m.Config)
		}
		if m.Subject != nil {
			all = append(all, *m.Subject)
		}
		for _, d := range all {
			if checkDigest(d.Digest) != nil || d.Size < 0 || d.MediaType == "" {
				t.Fatalf("descriptor %+v", d)
			}
		}
	})
}

// FuzzReference: what is read is written the same, and never names a path upwards in a registry.
func FuzzReference(f *testing.F) {
	for _, seed := range []string{"example.org/a:v1", "localhost:5000/a/b@sha256:" + "0000000000000000000000000000000000000000000000000000000000000000", "oci:dir:v1", "docker-archive:f:a:b", "https://a/b:c", "a.b/../c:d", "oci:@"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(r.String())
		if err != nil || again.Name() != r.Name() || again.Digest() != r.Digest() || again.String() != r.String() {
			t.Fatalf("%q is %q is %q, %v", text, r, again, err)
		}
		if r.Remote() && r.repository.RegistryStr() == "" {
			t.Fatalf("%q has no registry", text)
		}
	})
}
