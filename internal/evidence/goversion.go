package evidence

import (
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/pattern"
)

// goToolchains are the ways in which a dependency names a Go toolchain: the module golang.org/toolchain, an archive of
// the Go project, or a package of that name.
var goToolchains = []*pattern.Pattern{
	pattern.New(`golang\.org/toolchain@v0\.0\.1-(go1(?:\.[0-9]+){1,2}(?:(?:rc|beta)[0-9]+)?)(?:\.|$|\?)`),
	pattern.New(`/dl/(go1(?:\.[0-9]+){1,2}(?:(?:rc|beta)[0-9]+)?)\.`),
	pattern.New(`^pkg:(?:generic/go|golang/stdlib|golang/std|github/golang/go)@v?(?:go)?(1(?:\.[0-9]+){1,2}(?:(?:rc|beta)[0-9]+)?)(?:$|\?|-)`),
}

// GoVersions returns the Go toolchains that the provenance says were used, each as "go1.26.5"; none where it says nothing.
func (p *Provenance) GoVersions() []string {
	var out []string
	add := func(v string) {
		if !strings.HasPrefix(v, "go") {
			v = "go" + v
		}
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	if v := p.builderGo; v != "" {
		add(v)
	}
	for _, d := range p.Dependencies {
		for _, text := range []string{d.URI, d.DownloadLocation, d.Name} {
			text = strings.ReplaceAll(text, "%2F", "/")
			for _, re := range goToolchains {
				if m := re.FindStringSubmatch(text); m != nil {
					add(m[1])
				}
			}
		}
	}
	return out
}
