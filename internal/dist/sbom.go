package dist

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"strings"
	"time"

	"github.com/glassbuild/glassbuild/internal/evidence/sbom"
)

// BillOfMaterials returns what a Go program says that it was linked from, as SPDX 2.3 and CycloneDX 1.6.
func BillOfMaterials(name string, program []byte, info *buildinfo.BuildInfo, when time.Time) (spdx, cyclonedx []byte, err error) {
	sum := sha256.Sum256(program)
	std, _, _ := strings.Cut(strings.TrimPrefix(info.GoVersion, "go"), " ")
	d := &sbom.Document{
		Artefact: sbom.Component{Name: name, Version: info.Main.Version, PURL: "pkg:golang/" + info.Main.Path + "@" + info.Main.Version,
			Digests: map[string]string{"sha256": hex.EncodeToString(sum[:])}},
		Components: []sbom.Component{{Name: "std", Version: std, PURL: "pkg:golang/std@" + std}},
		Created:    when, Tool: info.Main.Version,
	}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		d.Components = append(d.Components, sbom.Component{Name: m.Path, Version: m.Version, PURL: "pkg:golang/" + m.Path + "@" + strings.ReplaceAll(m.Version, "+", "%2B")})
	}
	if spdx, err = d.SPDX(); err != nil {
		return nil, nil, err
	}
	cyclonedx, err = d.CycloneDX()
	return spdx, cyclonedx, err
}
