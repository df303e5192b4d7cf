package provenance

import (
	"debug/buildinfo"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/evidence/sbom"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/sandbox"
)

// BillOfMaterials returns what one output is made of and was made with, as SPDX 2.3 and CycloneDX statements about subject.
// A Go program says itself which of the fetched modules were linked; of any other output every fetched package is a part.
func (b *Build) BillOfMaterials(output string, subject evidence.Resource) (spdx, cyclonedx []byte, err error) {
	if err := b.check(); err != nil {
		return nil, nil, err
	}
	if !slices.ContainsFunc(b.Outcome.Runs[0].Outputs, func(o sandbox.Output) bool { return o.Path == output }) {
		return nil, nil, fault.Usagef(fault.Quote(output), "is no output of the build")
	}
	_, finished := b.span()
	d := &sbom.Document{Artefact: sbom.Component{Name: subject.Name, Digests: sha256Digest(subject.Digest["sha256"])}, Created: finished, Tool: b.Tool}
	info, err := buildinfo.ReadFile(b.Outcome.Runs[0].Path(output))
	if err == nil {
		d.Artefact.Version, d.Artefact.PURL = b.goProgram(info)
		d.Components = b.linked(info)
	} else {
		d.Components = b.packages()
	}
	d.Components = append(d.Components, b.tools()...)
	if spdx, err = statement(d.SPDX, evidence.PredicateSPDX, subject); err != nil {
		return nil, nil, err
	}
	cyclonedx, err = statement(d.CycloneDX, evidence.PredicateCycloneDX, subject)
	return spdx, cyclonedx, err
}

func statement(write func() ([]byte, error), predicate string, subject evidence.Resource) ([]byte, error) {
	doc, err := write()
	if err != nil {
		return nil, err
	}
	return evidence.Marshal(predicate, rawJSON(doc), subject)
}

// rawJSON is written as it is.
type rawJSON []byte

// MarshalJSON implements json.Marshaler.
func (r rawJSON) MarshalJSON() ([]byte, error) { return r, nil }

// goProgram names a Go program by its main module. Its version is what the commit's tags say, never what a stamp in
// the program does alone: a module built from source has none.
func (b *Build) goProgram(info *buildinfo.BuildInfo) (version, purl string) {
	name := info.Path
	if name == "" || name == "command-line-arguments" {
		name = info.Main.Path
	}
	if name == "" {
		return "", ""
	}
	for _, t := range b.Commit.Tags {
		if t.Commit == b.Commit.ID && t.Name == info.Main.Version {
			version = t.Name
		}
	}
	if version == "" {
		return b.Commit.ID, ""
	}
	purl = "pkg:golang/" + info.Main.Path + "@" + version
	if sub := strings.TrimPrefix(name, info.Main.Path+"/"); sub != name {
		purl += "#" + sub
	}
	return version, purl
}

// linked lists the modules that the linker put into a Go program, with the digests of what was fetched for them, and the
// standard library.
func (b *Build) linked(info *buildinfo.BuildInfo) []sbom.Component {
	sums := map[string]string{}
	for _, p := range b.packages() {
		sums[p.Name+"@"+p.Version] = p.Digests["sha256"]
	}
	std := strings.TrimPrefix(info.GoVersion, "go")
	std, _, _ = strings.Cut(std, " ")
	out := []sbom.Component{{Name: "std", Version: std, PURL: "pkg:golang/std@" + std}}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		c := sbom.Component{Name: m.Path, Version: m.Version}
		if m.Version != "" && !strings.HasPrefix(m.Path, ".") {
			c.PURL = "pkg:golang/" + m.Path + "@" + escapeVersion(m.Version)
		}
		if sum := sums[m.Path+"@"+m.Version]; sum != "" {
			c.Digests = sha256Digest(sum)
		}
		out = append(out, c)
	}
	return out
}

// packages lists every package that was fetched whole.
func (b *Build) packages() []sbom.Component {
	in := b.Outcome.Inputs
	if in == nil {
		return nil
	}
	var out []sbom.Component
	for _, c := range in.Closures {
		for _, e := range c.Entries {
			if p, ok := c.Package(e.Path); ok && p.Archive {
				out = append(out, sbom.Component{Name: p.Name, Version: p.Version, PURL: p.PURL, Digests: sha256Digest(e.SHA256)})
			}
		}
	}
	return out
}

// tools lists what the builder is made of: its layers, and the packages in them where a layer says.
func (b *Build) tools() []sbom.Component {
	var out []sbom.Component
	for _, l := range b.Outcome.Builder.Layers {
		c := sbom.Component{Name: l.Name, Version: l.Version, PURL: l.URI(), Use: sbom.Tool}
		if sum, ok := strings.CutPrefix(l.Digest, "sha256:"); ok {
			c.Digests = sha256Digest(sum)
		}
		out = append(out, c)
		for _, p := range l.Packages {
			out = append(out, sbom.Component{Name: p.Name, Version: p.Version, PURL: p.PURL, Use: sbom.Tool})
		}
	}
	return out
}

// escapeVersion writes a version as purl-spec wants it.
func escapeVersion(v string) string {
	return strings.NewReplacer("+", "%2B", ":", "%3A").Replace(v)
}
