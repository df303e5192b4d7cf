// Package sbom writes bills of materials: SPDX 2.3 and CycloneDX 1.6 JSON, from one plain list of what a build really
// used. The same list gives the same bytes: order, identifiers and serial number follow from the content.
//
// It states only what it was told. Licences and suppliers are not guessed: SPDX gets NOASSERTION, CycloneDX nothing.
package sbom

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/fault"
)

// MaxComponents bounds one bill of materials.
const MaxComponents = 65536

// Use says what a component was to the build.
type Use int

const (
	// Part is in the artefact: a module that was linked, a package that was bundled.
	Part Use = iota
	// Tool built the artefact and is not in it: a compiler, a package of the builder.
	Tool
)

// Component is one thing that was used.
type Component struct {
	Name    string
	Version string
	PURL    string            // package URL; may be empty
	Digests map[string]string // in-toto names, lower-case hex: sha1, sha256, sha384, sha512
	Use     Use
}

// Document is a bill of materials of one artefact.
type Document struct {
	Artefact   Component // with a sha256
	Components []Component
	Created    time.Time // of the build, not of the writing
	Tool       string    // version of this program
}

// check refuses what could not be written without guessing.
func (d *Document) check() error {
	if d.Artefact.Name == "" || d.Artefact.Digests["sha256"] == "" || d.Created.IsZero() {
		return fault.Usagef("bill of materials", "needs the artefact's name and sha256, and a time")
	}
	if len(d.Components) > MaxComponents {
		return fault.Usagef("bill of materials", "exceeds %d components", MaxComponents)
	}
	for _, c := range d.Components {
		if c.Name == "" {
			return fault.Usagef("bill of materials", "a component has no name")
		}
		if c.PURL != "" && !strings.HasPrefix(c.PURL, "pkg:") {
			return fault.Usagef("bill of materials", "%s is no package URL", fault.Quote(c.PURL))
		}
	}
	return nil
}

// sorted returns the components in one order, with the digests that are written and no others, duplicates left out.
func (d *Document) sorted() []Component {
	out := make([]Component, 0, len(d.Components))
	for _, c := range d.Components {
		known := map[string]string{}
		for _, a := range algorithms {
			if s := c.Digests[a.name]; s != "" {
				known[a.name] = s
			}
		}
		c.Digests = known
		out = append(out, c)
	}
	key := func(c Component) string {
		parts := []string{c.Name, c.Version, c.PURL, strconv.Itoa(int(c.Use))}
		for _, a := range algorithms {
			parts = append(parts, c.Digests[a.name])
		}
		return strings.Join(parts, "\x00")
	}
	slices.SortFunc(out, func(a, b Component) int { return cmp.Compare(key(a), key(b)) })
	return slices.CompactFunc(out, func(a, b Component) bool { return key(a) == key(b) })
}

// identity is the digest from which document names are made.
func (d *Document) identity() ([32]byte, error) {
	data, err := evidence.Canonical(map[string]any{"artefact": d.Artefact, "components": d.sorted(), "created": evidence.Timestamp(d.Created), "tool": d.Tool})
	return sha256.Sum256(data), err
}

type object = map[string]any

// algorithms are the digests that are written, with their names in SPDX and CycloneDX.
var algorithms = []struct{ name, spdx, cyclonedx string }{
	{"sha1", "SHA1", "SHA-1"}, {"sha256", "SHA256", "SHA-256"}, {"sha384", "SHA384", "SHA-384"}, {"sha512", "SHA512", "SHA-512"},
}

// SPDX returns the document as SPDX 2.3 JSON, in canonical form.
func (d *Document) SPDX() ([]byte, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	id, err := d.identity()
	if err != nil {
		return nil, err
	}
	packages := []object{spdxPackage(d.Artefact, 0, "APPLICATION")}
	relations := []object{{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": spdxID(0)}}
	for n, c := range d.sorted() {
		packages = append(packages, spdxPackage(c, n+1, "LIBRARY"))
		if c.Use == Tool {
			relations = append(relations, object{"spdxElementId": spdxID(n + 1), "relationshipType": "BUILD_TOOL_OF", "relatedSpdxElement": spdxID(0)})
		} else {
			relations = append(relations, object{"spdxElementId": spdxID(0), "relationshipType": "DEPENDS_ON", "relatedSpdxElement": spdxID(n + 1)})
		}
	}
	return evidence.Canonical(object{"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": d.Artefact.Name,
		"documentNamespace": "https://github.com/glassbuild/glassbuild/docs/spdx/" + hex.EncodeToString(id[:]),
		"creationInfo":      object{"created": evidence.Timestamp(d.Created), "creators": []string{"Tool: glassbuild-" + d.Tool}},
		"packages":          packages, "relationships": relations})
}

func spdxID(n int) string { return fmt.Sprintf("SPDXRef-Package-%d", n) }

func spdxPackage(c Component, n int, purpose string) object {
	const unknown = "NOASSERTION"
	p := object{"SPDXID": spdxID(n), "name": c.Name, "downloadLocation": unknown, "filesAnalyzed": false, "licenseConcluded": unknown,
		"licenseDeclared": unknown, "copyrightText": unknown, "primaryPackagePurpose": purpose}
	if c.Version != "" {
		p["versionInfo"] = c.Version
	}
	var sums []object
	for _, a := range algorithms {
		if s := c.Digests[a.name]; s != "" {
			sums = append(sums, object{"algorithm": a.spdx, "checksumValue": s})
		}
	}
	if sums != nil {
		p["checksums"] = sums
	}
	if c.PURL != "" {
		p["externalRefs"] = []object{{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": c.PURL}}
	}
	return p
}

// CycloneDX returns the document as CycloneDX 1.6 JSON, in canonical form.
func (d *Document) CycloneDX() ([]byte, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	id, err := d.identity()
	if err != nil {
		return nil, err
	}
	components, parts := []object{}, []string{}
	for n, c := range d.sorted() {
		o := cyclonedxComponent(c, n+1, "library")
		if c.Use == Tool {
			o["scope"] = "excluded"
		} else {
			parts = append(parts, ref(n+1))
		}
		components = append(components, o)
	}
	return evidence.Canonical(object{"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "serialNumber": "urn:uuid:" + uuid(id),
		"metadata": object{"timestamp": evidence.Timestamp(d.Created), "component": cyclonedxComponent(d.Artefact, 0, "application"),
			"tools": object{"components": []object{{"type": "application", "name": "glassbuild", "version": d.Tool}}}},
		"components": components, "dependencies": []object{{"ref": ref(0), "dependsOn": parts}}})
}

func ref(n int) string { return "component-" + strconv.Itoa(n) }

func cyclonedxComponent(c Component, n int, kind string) object {
	o := object{"type": kind, "bom-ref": ref(n), "name": c.Name}
	if c.Version != "" {
		o["version"] = c.Version
	}
	if c.PURL != "" {
		o["purl"] = c.PURL
	}
	var sums []object
	for _, a := range algorithms {
		if s := c.Digests[a.name]; s != "" {
			sums = append(sums, object{"alg": a.cyclonedx, "content": s})
		}
	}
	if sums != nil {
		o["hashes"] = sums
	}
	return o
}

// uuid writes a digest as a UUID of version 8 (RFC 9562, section 5.8).
func uuid(sum [32]byte) string {
	b := sum[:16]
	b[6] = b[6]&0x0f | 0x80
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}
