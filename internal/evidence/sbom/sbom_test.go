package sbom_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/evidence/sbom"
	"github.com/glassbuild/glassbuild/internal/fault"
)

func document() *sbom.Document {
	sum := strings.Repeat("a", 64)
	return &sbom.Document{Tool: "1.0.0", Created: time.Date(2026, 3, 4, 5, 6, 7, 8, time.UTC),
		Artefact: sbom.Component{Name: "tool", Version: "v1.2.3", PURL: "pkg:golang/example.org/tool@v1.2.3", Digests: map[string]string{"sha256": sum}},
		Components: []sbom.Component{
			{Name: "go", Version: "1.26.6", Use: sbom.Tool, Digests: map[string]string{"sha256": strings.Repeat("b", 64)}},
			{Name: "example.org/m", Version: "v1.0.0", PURL: "pkg:golang/example.org/m@v1.0.0", Digests: map[string]string{"sha256": strings.Repeat("c", 64), "dirHash1": "h1:x"}},
			{Name: "example.org/m", Version: "v1.0.0", PURL: "pkg:golang/example.org/m@v1.0.0", Digests: map[string]string{"sha256": strings.Repeat("c", 64)}},
		}}
}

func TestSPDX(t *testing.T) {
	t.Parallel()
	data, err := document().SPDX()
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		SPDXVersion, DataLicense, SPDXID, Name, DocumentNamespace string
		CreationInfo                                              struct {
			Created  string
			Creators []string
		}
		Packages []struct {
			SPDXID, Name, VersionInfo, DownloadLocation string
			Checksums                                   []struct{ Algorithm, ChecksumValue string }
			ExternalRefs                                []struct{ ReferenceType, ReferenceLocator string }
		}
		Relationships []struct{ SpdxElementID, RelationshipType, RelatedSpdxElement string }
	}
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if got.SPDXVersion != "SPDX-2.3" || got.DataLicense != "CC0-1.0" || got.SPDXID != "SPDXRef-DOCUMENT" || got.CreationInfo.Created != "2026-03-04T05:06:07Z" || got.CreationInfo.Creators[0] != "Tool: glassbuild-1.0.0" {
		t.Errorf("%+v", got)
	}
	if len(got.Packages) != 3 || got.Packages[1].ExternalRefs[0].ReferenceLocator != "pkg:golang/example.org/m@v1.0.0" || len(got.Packages[1].Checksums) != 1 || got.Packages[2].Name != "go" {
		t.Errorf("packages %+v", got.Packages)
	}
	var relations []string
	for _, r := range got.Relationships {
		relations = append(relations, r.SpdxElementID+" "+r.RelationshipType+" "+r.RelatedSpdxElement)
	}
	if !slices.Equal(relations, []string{"SPDXRef-DOCUMENT DESCRIBES SPDXRef-Package-0", "SPDXRef-Package-0 DEPENDS_ON SPDXRef-Package-1", "SPDXRef-Package-2 BUILD_TOOL_OF SPDXRef-Package-0"}) {
		t.Errorf("relationships %q", relations)
	}
}

func TestCycloneDX(t *testing.T) {
	t.Parallel()
	data, err := document().CycloneDX()
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		BomFormat, SpecVersion, SerialNumber string
		Metadata                             struct {
			Component struct {
				BomRef string `json:"bom-ref"`
				Hashes []struct{ Alg, Content string }
			}
		}
		Components []struct {
			Type, Name, Scope, Purl string
			BomRef                  string `json:"bom-ref"`
		}
		Dependencies []struct {
			Ref       string
			DependsOn []string
		}
	}
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if got.BomFormat != "CycloneDX" || got.SpecVersion != "1.6" || !regexp.MustCompile(`^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(got.SerialNumber) {
		t.Errorf("%+v", got)
	}
	if got.Metadata.Component.Hashes[0].Alg != "SHA-256" || len(got.Components) != 2 || got.Components[1].Scope != "excluded" || got.Components[0].Scope != "" {
		t.Errorf("components %+v", got.Components)
	}
	if len(got.Dependencies) != 1 || !slices.Equal(got.Dependencies[0].DependsOn, []string{got.Components[0].BomRef}) {
		t.Errorf("dependencies %+v", got.Dependencies)
	}
}

func TestSameListSameBytes(t *testing.T) {
	t.Parallel()
	one, other := document(), document()
	slices.Reverse(other.Components)
	for name, write := range map[string]func(*sbom.Document) ([]byte, error){"SPDX": (*sbom.Document).SPDX, "CycloneDX": (*sbom.Document).CycloneDX} {
		a, err := write(one)
		if err != nil {
			t.Fatal(err)
		}
		b, err := write(other)
		if err != nil || string(a) != string(b) {
			t.Errorf("%s: the order of the list shows", name)
		}
		changed := document()
		changed.Components[0].Version = "1.26.7"
		if c, err := write(changed); err != nil || string(c) == string(a) {
			t.Errorf("%s: another list gives the same bytes", name)
		}
	}
	data, err := one.SPDX()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := evidence.Marshal(evidence.PredicateSPDX, json.RawMessage(data), evidence.Resource{Name: "tool", Digest: one.Artefact.Digests}); err != nil {
		t.Errorf("as a predicate: %v", err)
	}
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*sbom.Document){
		"no digest": func(d *sbom.Document) { d.Artefact.Digests = nil }, "no name": func(d *sbom.Document) { d.Components[0].Name = "" },
		"no time": func(d *sbom.Document) { d.Created = time.Time{} }, "no purl": func(d *sbom.Document) { d.Components[0].PURL = "https://example.org" },
	} {
		d := document()
		change(d)
		if _, err := d.SPDX(); fault.ClassOf(err) != fault.Usage || err == nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := d.CycloneDX(); err == nil {
			t.Errorf("%s: written", name)
		}
	}
}
