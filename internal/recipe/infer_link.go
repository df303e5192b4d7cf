package recipe

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/semver"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/pattern"
	"github.com/glassbuild/glassbuild/internal/recipe/gobinary"
)

// linkerFlags are the linker's flags that name no file or program and bring no text into the binary.
var linkerFlags = []string{"-s", "-w", "-s=true", "-w=true", "-s=false", "-w=false", "-s=0", "-w=0", "-s=1", "-w=1", "-buildid=",
	"-compressdwarf=false", "-compressdwarf=true", "-checklinkname=0", "-linkmode=internal", "-B=none", "-B=gobuildid", "-bindnow"}

var symbol = pattern.New(`^[A-Za-z0-9_][A-Za-z0-9_./~-]*\.[A-Za-z_][A-Za-z0-9_]*$`)

// shape decides build mode and linker flags: from the build info where it has them, else from what the file shows.
func (f *inferrer) shape(p *build) error {
	if err := f.buildMode(p); err != nil {
		return err
	}
	if value, ok := p.info.Get("-ldflags"); ok {
		f.statedLinkerFlags(p, value)
		return nil
	}
	if !p.trim {
		f.unknown("the directories in which it was built: it was built without -trimpath, and they stand in the file")
		return nil
	}
	f.unknown("strings that the linker set with -X: with -trimpath the build info leaves -ldflags out")
	seen := f.seenLinkerFlags(p)
	base := slices.Clone(p.flags)
	if len(seen) == 0 {
		return nil
	}
	p.flags = append(p.flags, "-ldflags="+strings.Join(seen, " "))
	// The build id is a hash over the spelling, too.
	if seen[0] == "-s" && p.info.BuildID != "" {
		for _, other := range []string{"-w -s", "-s"} {
			p.spell = append(p.spell, append(slices.Clone(base), "-ldflags="+strings.Join(append([]string{other}, seen[2:]...), " ")))
		}
	}
	return nil
}

// buildMode takes -buildmode from the build info. Before Go 1.20 it is not there, whatever it was.
func (f *inferrer) buildMode(p *build) error {
	mode, stated := p.info.Get("-buildmode")
	elf := p.info.Format == gobinary.ELF
	unrecorded := !stated && p.before("1.20")
	if unrecorded && elf && p.info.PIE && !p.info.Loader {
		return f.inconclusive(p, "is a library or a program that starts without a loader, and Go %s does not record which", p.goVer)
	}
	switch {
	case stated && buildmode.MatchString(mode):
		p.flags = append(p.flags, "-buildmode="+mode)
	case stated && mode != "exe":
		return f.inconclusive(p, "build mode %s", fault.Quote(mode))
	case !stated && p.info.PIE && (elf || unrecorded && p.info.Format == gobinary.MachO && !p.info.Cgo && !p.defaultPIE()):
		p.flags = append(p.flags, "-buildmode=pie")
	case (stated || unrecorded) && !p.info.PIE && p.defaultPIE():
		// A program in the default mode is stated as "exe" too, if at all.
		p.flags = append(p.flags, "-buildmode=exe")
	}
	if p.info.Cgo {
		linker := "a C compiler"
		if p.info.Linker != "" {
			linker = fault.Quote(p.info.Linker)
		}
		f.unknown("the C compiler: it was linked with C code by %s", linker)
		if p.trim {
			f.unknown("the flags of the C compiler: with -trimpath the build info leaves CGO_CFLAGS and its kin out")
		}
	}
	return nil
}

// defaultPIE tells whether the platform's programs are position-independent unless asked otherwise (internal/platform, DefaultPIE;
// https://go.dev/doc/go1.22#darwin).
func (p *build) defaultPIE() bool {
	arch, _ := p.info.Get("GOARCH")
	_, race := p.info.Get("-race")
	switch p.info.Format {
	case gobinary.PE:
		return !race
	case gobinary.MachO:
		return arch == "arm64" || !p.before("1.22")
	}
	return false
}

// statedLinkerFlags passes -ldflags on as it is when every word is harmless or derived from the commit.
func (f *inferrer) statedLinkerFlags(p *build, value string) {
	pattern, flags := splitPattern(value)
	words, ok := splitQuoted(flags)
	if !ok {
		f.refuse("-ldflags=" + value)
		return
	}
	var kept []string
	all := true
	for i := 0; i < len(words); i++ {
		word := words[i]
		n := 1
		if slices.Contains([]string{"-X", "--X", "-extldflags", "-linkmode", "-buildid", "-B"}, word) && i+1 < len(words) {
			word, n = strings.TrimPrefix(word, "-")+"="+words[i+1], 2
			word = "-" + strings.TrimLeft(word, "-")
		}
		if !f.linkerFlag(word) && !f.refuse("-ldflags "+word) {
			all = false
		} else {
			kept = append(kept, words[i:i+n]...)
		}
		i += n - 1
	}
	if all {
		p.flags = append(p.flags, "-ldflags="+value)
		return
	}
	if len(kept) == 0 {
		return
	}
	if pattern != "" {
		pattern += "="
	}
	p.flags = append(p.flags, "-ldflags="+pattern+joinQuoted(kept))
}

// linkerFlag judges one flag of the linker, its value joined to it with =.
func (f *inferrer) linkerFlag(word string) bool {
	if slices.Contains(linkerFlags, word) || word == "-extldflags=-static" {
		return true
	}
	assignment, ok := strings.CutPrefix(word, "-X=")
	if !ok {
		return false
	}
	name, value, ok := strings.Cut(assignment, "=")
	return ok && symbol.MatchString(name) && slices.Contains(f.derived(), value)
}

func joinQuoted(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		switch {
		case w != "" && !strings.ContainsAny(w, " \t\r\n'\""):
		case !strings.Contains(w, "'"):
			w = "'" + w + "'"
		default:
			w = `"` + w + `"`
		}
		quoted[i] = w
	}
	return strings.Join(quoted, " ")
}

// seenLinkerFlags reads -s, -w, -buildid= and -B off the file.
func (f *inferrer) seenLinkerFlags(p *build) []string {
	i := p.info
	var flags []string
	switch {
	case !i.Symbols && i.DWARF:
		f.unknown("how it was stripped: it has debugging information but no symbol table")
	case !i.Symbols:
		flags = append(flags, "-s", "-w")
	case !i.DWARF && i.Format != gobinary.Wasm: // there is none in WebAssembly
		flags = append(flags, "-w")
	}
	if i.BuildID == "" {
		flags = append(flags, "-buildid=")
	}
	if i.Format != gobinary.ELF || i.Linker != "" {
		return flags
	}
	// Since Go 1.24 the linker writes a GNU build id that follows from the Go build id; before, only one that it is given.
	modern := semver.Compare(semverOf(p.goVer), "v1.24.0") >= 0
	goos, _ := i.Get("GOOS")
	switch {
	case modern && goos == "linux" && !i.GNUBuildID && i.BuildID != "":
		flags = append(flags, "-B=none")
	case !modern && i.GNUBuildID:
		f.unknown("the GNU build id, which was given to the linker")
	}
	return flags
}

// derived returns the strings that follow from the commit and the tags that point at it.
func (f *inferrer) derived() []string {
	if f.in.Commit == "" {
		return nil
	}
	out := []string{f.in.Commit}
	for n := 7; n <= 12; n++ {
		out = append(out, f.in.Commit[:min(n, len(f.in.Commit))])
	}
	for _, t := range f.in.Tags {
		if t.AtCommit {
			out = append(out, t.Name, strings.TrimPrefix(t.Name, "v"))
		}
	}
	if f.in.When == 0 {
		return out
	}
	out = append(out, strconv.FormatInt(f.in.When, 10))
	zones := []*time.Location{time.UTC}
	if z, err := time.Parse("-0700", f.in.Zone); err == nil {
		zones = append(zones, z.Location())
	}
	for _, zone := range zones {
		t := time.Unix(f.in.When, 0).In(zone)
		for _, layout := range []string{time.RFC3339, time.DateOnly, time.DateTime, "20060102", "20060102150405", "2006-01-02T15:04:05", "2006-01-02_15:04:05", "2006-01-02-15:04:05", "2006-01-02T15:04:05-0700", "2006-01-02 15:04:05 -0700"} {
			out = append(out, t.Format(layout))
		}
	}
	return out
}

// String renders a line with who chose it.
func (l Line) String() string {
	if l.ChosenBy == "" || l.Text == "" {
		return l.Text
	}
	return fmt.Sprintf("%s  # %s", l.Text, l.ChosenBy)
}
