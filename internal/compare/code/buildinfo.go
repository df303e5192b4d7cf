package code

import (
	"bytes"
	"debug/buildinfo"
	"fmt"
	"runtime/debug"
	"sort"
	"strings"

	"github.com/glassbuild/glassbuild/internal/compare/tree"
	"github.com/glassbuild/glassbuild/internal/fault"
)

// maxDetails bounds the lines of one cause.
const maxDetails = 12

// readInfo returns the build information that the go command writes into programs, nil where there is none.
func readInfo(b []byte) *debug.BuildInfo {
	info, err := buildinfo.Read(bytes.NewReader(b))
	if err != nil {
		return nil
	}
	return info
}

// compareInfo compares build information field by field. It returns causes with the most telling one first, none when the information is the same
// or one side has none.
func compareInfo(a, b *debug.BuildInfo) []tree.Cause {
	if a == nil || b == nil {
		return nil
	}
	var causes []tree.Cause
	if a.GoVersion != b.GoVersion {
		causes = append(causes, tree.Cause{
			ID:     tree.CauseToolchain,
			Text:   fmt.Sprintf("shipped with %s, rebuilt with %s", quote(a.GoVersion), quote(b.GoVersion)),
			Remedy: fmt.Sprintf("builder go = %q", strings.TrimPrefix(a.GoVersion, "go")),
		})
	}
	vcs, flags, path := settings(a, b)
	if c, ok := vcsCause(vcs); ok {
		causes = append(causes, c)
	}
	causes = append(causes, path...)
	if len(flags) > 0 {
		causes = append(causes, tree.Cause{
			ID: tree.CauseFlags, Text: fmt.Sprintf("%d build settings differ: %s", len(flags), flags[0]), Details: bounded(flags),
			Remedy: "build with the settings of the shipped file",
		})
	}
	if a.Path != b.Path || a.Main.Path != b.Main.Path {
		causes = append(causes, tree.Cause{
			ID:   tree.CauseModule,
			Text: fmt.Sprintf("another main package: %s shipped, %s rebuilt", quote(a.Path), quote(b.Path)),
		})
	}
	if a.Main.Path == b.Main.Path && a.Main.Version != b.Main.Version && len(vcs) == 0 {
		// With a stamp that differs the version only follows from it.
		causes = append(causes, tree.Cause{
			ID:     tree.CauseVCS,
			Text:   fmt.Sprintf("version of the main module: %s shipped, %s rebuilt", quote(a.Main.Version), quote(b.Main.Version)),
			Remedy: "the go command derives it from tags: they must be the same ones as when it was shipped",
		})
	}
	return append(causes, dependencies(a, b)...)
}

// settings sorts the settings that differ into those of version control, those of flags, and missing -trimpath.
func settings(a, b *debug.BuildInfo) (vcs [][3]string, flags []string, path []tree.Cause) {
	sa, sb := settingMap(a), settingMap(b)
	for _, k := range unionKeys(sa, sb) {
		x, inA := sa[k]
		y, inB := sb[k]
		if inA == inB && x == y {
			continue
		}
		switch {
		case k == "vcs" || strings.HasPrefix(k, "vcs."):
			vcs = append(vcs, [3]string{k, orAbsent(x, inA), orAbsent(y, inB)})
		case k == "-trimpath":
			path = append(path, tree.Cause{
				ID: tree.CausePath, Text: fmt.Sprintf("-trimpath missing in the %s", side(inB)), Remedy: "build with -trimpath on both sides or on neither",
			})
		case k == "DefaultGODEBUG" && a.GoVersion != b.GoVersion: // follows from the version
		default:
			flags = append(flags, fmt.Sprintf("%s %s shipped, %s rebuilt", quote(k), orAbsent(x, inA), orAbsent(y, inB)))
		}
	}
	return vcs, flags, path
}

func side(inRebuilt bool) string {
	if inRebuilt {
		return "shipped file"
	}
	return "rebuilt file"
}

func vcsCause(diff [][3]string) (tree.Cause, bool) {
	if len(diff) == 0 {
		return tree.Cause{}, false
	}
	c := tree.Cause{ID: tree.CauseVCS, Text: "VCS stamp differs", Remedy: "build from the commit that the shipped file names, with the same tags"}
	missing := map[string]int{}
	for _, d := range diff {
		c.Details = append(c.Details, fmt.Sprintf("%s %s shipped, %s rebuilt", quote(d[0]), d[1], d[2]))
		for i, s := range []string{"shipped file", "rebuilt file"} {
			if d[1+i] == absent {
				missing[s]++
			}
		}
	}
	for s, n := range missing {
		if n == len(diff) {
			c.Text = "VCS stamp missing in the " + s
			c.Remedy = "build with version control information (-buildvcs=true in a checkout)"
			if s == "shipped file" {
				c.Remedy = "build with -buildvcs=false"
			}
		}
	}
	if len(diff) == 1 && diff[0][0] == "vcs.modified" {
		c.Text = fmt.Sprintf("VCS stamp: modified is %s shipped, %s rebuilt", diff[0][1], diff[0][2])
		c.Remedy = "the recipe can say that the shipped file was built from a checkout with local changes"
	}
	return c, true
}

// dependencies compares modules with their versions, sums and replacements.
func dependencies(a, b *debug.BuildInfo) []tree.Cause {
	ma, mb := moduleMap(a), moduleMap(b)
	var lines []string
	for _, p := range unionKeys(ma, mb) {
		x, inA := ma[p]
		y, inB := mb[p]
		if inA != inB || x != y {
			lines = append(lines, fmt.Sprintf("module %s %s shipped, %s rebuilt", quote(p), orAbsent(x, inA), orAbsent(y, inB)))
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return []tree.Cause{{
		ID: tree.CauseDependency, Text: fmt.Sprintf("%d dependencies differ: %s", len(lines), lines[0]), Details: bounded(lines),
		Remedy: "the module requirements at the commit are not those that were built",
	}}
}

func settingMap(i *debug.BuildInfo) map[string]string {
	m := make(map[string]string)
	for _, s := range i.Settings {
		m[s.Key] = s.Value
	}
	return m
}

func moduleMap(i *debug.BuildInfo) map[string]string {
	m := make(map[string]string)
	for _, d := range i.Deps {
		v := d.Version + " " + d.Sum
		if d.Replace != nil {
			v += " => " + d.Replace.Path + " " + d.Replace.Version + " " + d.Replace.Sum
		}
		m[d.Path] = strings.TrimSpace(v)
	}
	return m
}

func unionKeys(a, b map[string]string) []string {
	var keys []string
	for k := range a {
		keys = append(keys, k)
	}
	for k := range b {
		if _, ok := a[k]; !ok {
			keys = append(keys, k)
		}
	}
	sort.Strings(keys)
	return keys
}

const absent = "absent"

func orAbsent(s string, ok bool) string {
	if !ok {
		return absent
	}
	return quote(s)
}

func bounded(lines []string) []string {
	if len(lines) <= maxDetails {
		return lines
	}
	return append(lines[:maxDetails:maxDetails], fmt.Sprintf("and %d more", len(lines)-maxDetails))
}

// quote returns a foreign value for a line of text, shortened.
func quote(s string) string {
	const longest = 120
	if len(s) > longest {
		s = s[:longest] + "..."
	}
	return fault.Quote(s)
}
