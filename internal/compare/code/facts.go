package code

import (
	"bytes"
	"fmt"
	"runtime/debug"
	"sort"
	"strings"

	"github.com/glassbuild/glassbuild/internal/compare/tree"
	"github.com/glassbuild/glassbuild/internal/compare/value"
)

// facts are what an executable says of itself beside code and data: what it needs, gives and was made with.
type facts struct {
	debug        string   // which symbols and debug data it has
	needed       []string // libraries
	paths        []string // where they are looked for, and by whom
	imports      []string
	exports      []string
	compilers    []string // as the compiler wrote itself down
	producers    []string // compiler and flags of debug data
	directories  []string // where debug data say that it was compiled
	entitlements string
	resources    map[string]string // name to digest or text
	header       map[string]string // fields of headers that say what the system is to do
	stamp        string            // time of the build
	id           string            // id that a linker made up
	signature    string            // digest of an embedded signature, "" for none
	buildID      []byte
	secNames     map[string]uint64 // loaded sections with their sizes
}

// mainModule returns the path of the main module of a Go program, "" when neither side says.
func mainModule(a, b *debug.BuildInfo) string {
	for _, info := range []*debug.BuildInfo{a, b} {
		if info != nil && info.Main.Path != "" {
			return info.Main.Path
		}
	}
	return ""
}

// makers compares what made two programs: compiler, flags, directories.
func (a *facts) makers(b *facts) []tree.Cause {
	var causes []tree.Cause
	if x, y := strings.Join(a.compilers, ", "), strings.Join(b.compilers, ", "); x != y && x != "" && y != "" {
		causes = append(causes, tree.Cause{
			ID: tree.CauseToolchain, Text: fmt.Sprintf("compiled with %s shipped, %s rebuilt", quote(x), quote(y)), Remedy: "build with the compiler that the shipped file names",
		})
	}
	if lines := differences("", a.producers, b.producers); len(lines) > 0 && len(a.producers) > 0 && len(b.producers) > 0 {
		c := tree.Cause{ID: tree.CauseFlags, Text: "compiler or flags as debug data name them: " + lines[0], Details: boundedOf(lines, len(lines)), Remedy: "build with the flags of the shipped file"}
		if len(causes) == 0 && cpuFlags(a.producers) != cpuFlags(b.producers) { // another compiler has flags of its own
			c.ID, c.Remedy = tree.CauseCPU, "build for one processor (-march, -mtune), not for that of the machine"
		}
		causes = append(causes, c)
	}
	return causes
}

// cpuFlags returns the flags that choose a processor.
func cpuFlags(producers []string) string {
	var found []string
	for _, p := range producers {
		for _, f := range strings.Fields(p) {
			if strings.HasPrefix(f, "-march=") || strings.HasPrefix(f, "-mcpu=") || strings.HasPrefix(f, "-mtune=") || strings.HasPrefix(f, "-mavx") || strings.HasPrefix(f, "-msse") {
				found = append(found, f)
			}
		}
	}
	sort.Strings(found)
	return strings.Join(found, " ")
}

// contract compares what programs need from and give to others.
func (a *facts) contract(b *facts) []tree.Cause {
	var causes []tree.Cause
	add := func(id, what, remedy string, x, y []string) {
		lines := differences(what, x, y)
		if len(lines) == 0 {
			return
		}
		c := tree.Cause{ID: id, Text: lines[0], Details: boundedOf(lines, len(lines)), Remedy: remedy}
		if len(lines) > 1 {
			c.Text = fmt.Sprintf("%d %ss differ: %s", len(lines), what, lines[0])
		}
		causes = append(causes, c)
	}
	if a.entitlements != b.entitlements {
		add(tree.CauseEntitlement, "entitlement", "", strings.Split(a.entitlements, "\n"), strings.Split(b.entitlements, "\n"))
	}
	add(tree.CauseImports, "needed library", "link against the same libraries", a.needed, b.needed)
	add(tree.CauseImports, "search path", "link with the same -rpath and interpreter", a.paths, b.paths)
	add(tree.CauseImports, "import", "", a.imports, b.imports)
	add(tree.CauseExports, "export", "", a.exports, b.exports)
	if lines := mapLines("", a.header, b.header); len(lines) > 0 {
		causes = append(causes, tree.Cause{ID: tree.CauseFlags, Text: "headers: " + lines[0], Details: boundedOf(lines, len(lines)), Remedy: "link with the same flags"})
	}
	if lines := mapLines("resource ", a.resources, b.resources); len(lines) > 0 {
		causes = append(causes, tree.Cause{ID: tree.CauseResources, Text: lines[0], Details: boundedOf(lines, len(lines))})
	}
	return causes
}

// marks compares what a build leaves in a program without being code or data: stamps, ids, signatures, debug data.
func (a *facts) marks(b *facts) []tree.Cause {
	var causes []tree.Cause
	if a.stamp != b.stamp {
		causes = append(causes, tree.Cause{
			ID: tree.CauseTimestamp, Text: fmt.Sprintf("time in the header: %s shipped, %s rebuilt", a.stamp, b.stamp),
			Remedy: "link reproducibly (--no-insert-timestamp, /Brepro, SOURCE_DATE_EPOCH)",
		})
	}
	if lines := differences("compiled in", a.directories, b.directories); len(lines) > 0 && len(a.directories) > 0 && len(b.directories) > 0 {
		causes = append(causes, tree.Cause{ID: tree.CausePath, Text: "debug data: " + lines[0], Details: boundedOf(lines, len(lines)), Remedy: value.Remedy(tree.CausePath)})
	}
	if a.debug != b.debug {
		causes = append(causes, tree.Cause{
			ID: tree.CauseStripped, Text: fmt.Sprintf("the shipped file has %s, the rebuilt one %s", a.debug, b.debug), Remedy: "strip both or neither (strip, -ldflags=\"-s -w\")",
		})
	}
	if a.signature != b.signature {
		causes = append(causes, tree.Cause{
			ID: tree.CauseSignature, Text: fmt.Sprintf("embedded signature: %s shipped, %s rebuilt", orNoneText(a.signature), orNoneText(b.signature)),
			Remedy: "declare the signature in recipe and policy; its signer must be known there",
		})
	}
	if c, ok := sectionCause(a.secNames, b.secNames); ok {
		causes = append(causes, c)
	}
	if a.id != b.id {
		causes = append(causes, tree.Cause{
			ID: tree.CauseGeneratedID, Text: fmt.Sprintf("id that the linker made up: %s shipped, %s rebuilt", orNoneText(a.id), orNoneText(b.id)), Remedy: "let the linker derive it from the content",
		})
	}
	if !bytes.Equal(a.buildID, b.buildID) {
		causes = append(causes, tree.Cause{ID: tree.CauseBuildID, Text: "build id differs, as it does whenever an input of the build does", Remedy: "it follows from the other causes; --build-id=none leaves it out"})
	}
	return causes
}

func orNoneText(s string) string {
	if s == "" {
		return "none"
	}
	return quote(s)
}

// differences lists what only one of two lists has.
func differences(what string, x, y []string) []string {
	if what != "" {
		what += " "
	}
	count := make(map[string]int)
	for _, s := range x {
		count[s]++
	}
	for _, s := range y {
		count[s]--
	}
	var lines []string
	for _, list := range [][]string{x, y} {
		for _, s := range list {
			switch n := count[s]; {
			case n > 0:
				lines = append(lines, fmt.Sprintf("%s%s only in the shipped file", what, quote(s)))
			case n < 0:
				lines = append(lines, fmt.Sprintf("%s%s only in the rebuilt file", what, quote(s)))
			}
			count[s] = 0
		}
	}
	return lines
}

func mapLines(what string, a, b map[string]string) []string {
	var lines []string
	for _, k := range unionKeys(a, b) {
		x, inA := a[k]
		y, inB := b[k]
		if inA != inB || x != y {
			lines = append(lines, fmt.Sprintf("%s%s: %s shipped, %s rebuilt", what, quote(k), orAbsent(x, inA), orAbsent(y, inB)))
		}
	}
	return lines
}

// sectionCause names loaded sections that only one file has.
func sectionCause(a, b map[string]uint64) (tree.Cause, bool) {
	var lines []string
	for k := range a {
		if _, ok := b[k]; !ok {
			lines = append(lines, fmt.Sprintf("section %s: %d bytes shipped, absent rebuilt", quote(k), a[k]))
		}
	}
	for k := range b {
		if _, ok := a[k]; !ok {
			lines = append(lines, fmt.Sprintf("section %s: absent shipped, %d bytes rebuilt", quote(k), b[k]))
		}
	}
	if len(lines) == 0 {
		return tree.Cause{}, false
	}
	sort.Strings(lines)
	return tree.Cause{ID: tree.CauseLayout, Text: lines[0], Details: boundedOf(lines, len(lines)), Remedy: "link with the same linker and flags"}, true
}
