package recipe

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/glassbuild/glassbuild/internal/tomlfile"
)

// Line is one line of a recipe, and who chose it.
type Line struct {
	Text     string  // as it stands in the canonical form
	ChosenBy Chooser // who decided it
	Why      string  // from what; may be empty
	path     string  // where it stands, such as "step[0].run"; "" for headers
}

// TOML returns the canonical form: every setting written out, in a fixed order, so that two recipes that say the same
// are the same bytes. Parse reads it back to an equal recipe.
func (r *Recipe) TOML() []byte {
	var b bytes.Buffer
	for _, l := range r.lines() {
		b.WriteString(l.Text)
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// ChosenLines are the recipe's lines, each with who chose the line at the same place of another recipe that differs in a few.
func (r *Recipe) ChosenLines(other []Line) []Line {
	by := map[string]Line{}
	for _, l := range other {
		by[l.path] = l
	}
	lines := r.lines()
	for i := range lines {
		if l, ok := by[lines[i].path]; ok && lines[i].path != "" {
			lines[i].ChosenBy, lines[i].Why = l.ChosenBy, l.Why
		}
	}
	return lines
}

// canonical collects lines.
type canonical struct{ lines []Line }

func (c *canonical) header(text string) {
	c.lines = append(c.lines, Line{}, Line{Text: text})
}

func (c *canonical) pair(path, key, value string) {
	c.lines = append(c.lines, Line{Text: tomlfile.QuoteKey(key) + " = " + value, path: path + key})
}

func (c *canonical) text(path, key, value string) {
	if value != "" {
		c.pair(path, key, tomlfile.Quote(value))
	}
}

func (c *canonical) table(path, key string, m map[string]string) {
	if len(m) == 0 {
		return
	}
	c.header("[" + path + key + "]")
	for _, name := range slices.Sorted(maps.Keys(m)) {
		c.pair(path+key+".", name, tomlfile.Quote(m[name]))
	}
}

func (r *Recipe) lines() []Line {
	c := &canonical{lines: []Line{{Text: fmt.Sprintf("format = %d", tomlfile.Format), path: "format"}}}
	c.builder(r.Builder)
	c.header("[source]")
	c.text("source.", "attributes", string(r.Source.Attributes))
	c.header("[vcs]")
	c.pair("vcs.", "stamp", strconv.FormatBool(r.VCS.Stamp))
	c.pair("vcs.", "dirty", strconv.FormatBool(r.VCS.Dirty))
	c.text("vcs.", "tags", string(r.VCS.Tags))
	c.table("", "env", r.Env)
	for i, s := range r.Fetch {
		c.step("fetch", stepPath(true, i)+".", s)
	}
	for i, s := range r.Steps {
		c.step("step", stepPath(false, i)+".", s)
	}
	c.artifacts("artifact", r.Artifacts)
	for i, t := range r.Targets {
		at := fmt.Sprintf("target[%d].", i)
		c.header("[[target]]")
		c.text(at, "name", t.Name)
		c.text(at, "platform", t.Platform)
		if len(t.Env) > 0 {
			c.header("[target.env]")
			for _, name := range slices.Sorted(maps.Keys(t.Env)) {
				c.pair(at+"env.", name, tomlfile.Quote(t.Env[name]))
			}
		}
		c.artifacts("target.artifact", t.Artifacts)
	}
	return c.lines
}

func (c *canonical) artifacts(place string, list []Artifact) {
	for i, a := range list {
		path := fmt.Sprintf("%s[%d].", place, i)
		c.header("[[" + place + "]]")
		c.text(path, "output", a.Output)
		c.text(path, "member", a.Member)
		if len(a.Allow) > 0 {
			c.pair(path, "allow", tomlfile.QuoteList(a.Allow))
		}
	}
}

func (c *canonical) builder(b Builder) {
	c.header("[builder]")
	c.text("builder.", "platform", b.Platform)
	c.text("builder.", "go", b.Go)
	if len(b.Without) > 0 {
		c.pair("builder.", "without", tomlfile.QuoteList(b.Without))
	}
	if b.Patch != nil {
		c.pair("builder.", "patch", "{ file = "+tomlfile.Quote(b.Patch.File)+", sha256 = "+tomlfile.Quote(b.Patch.SHA256)+" }")
	}
	c.text("builder.", "node", b.Node)
	c.text("builder.", "npm", b.NPM)
	c.text("builder.", "image", b.Image)
	if d := b.Debian; d != nil {
		mirror := ""
		if d.Mirror != "" {
			mirror = ", mirror = " + tomlfile.Quote(d.Mirror)
		}
		c.pair("builder.", "debian", "{ suite = "+tomlfile.Quote(d.Suite)+", packages = "+tomlfile.QuoteList(d.Packages)+mirror+" }")
	}
	if b.Host {
		c.pair("builder.", "host", "true")
	}
}

// Key is the canonical form of the builder alone.
func (b Builder) Key() string {
	c := &canonical{}
	c.builder(b)
	var text strings.Builder
	for _, l := range c.lines {
		text.WriteString(l.Text + "\n")
	}
	return text.String()
}

func (c *canonical) step(kind, path string, s Step) {
	c.header("[[" + kind + "]]")
	if len(s.Run) > 0 {
		c.pair(path, "run", tomlfile.QuoteList(s.Run))
	}
	c.text(path, "script", s.Script)
	c.text(path, "dir", s.Dir)
	if len(s.Env) > 0 {
		c.header("[" + kind + ".env]")
		for _, name := range slices.Sorted(maps.Keys(s.Env)) {
			c.pair(path+"env.", name, tomlfile.Quote(s.Env[name]))
		}
	}
}
