package recipe

import (
	"maps"
	"path"
	"slices"
	"strings"

	"golang.org/x/mod/semver"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/pattern"
	"github.com/glassbuild/glassbuild/internal/recipe/gobinary"
)

var (
	tagList    = pattern.New(`^[A-Za-z0-9_.]+(,[A-Za-z0-9_.]+)*$`)
	platform   = pattern.New(`^[a-z0-9]{1,20}$`)
	level      = pattern.New(`^[a-z0-9][a-z0-9_.,]{0,40}$`)
	experiment = pattern.New(`^[a-z0-9]+(,[a-z0-9]+)*$`)
	fips       = pattern.New(`^[a-z0-9][a-z0-9.-]{0,40}$`)
	isTrue     = pattern.New(`^true$`)
	isBit      = pattern.New(`^[01]$`)
	buildmode  = pattern.New(`^(pie|c-shared|c-archive)$`)
)

// The closed list: the settings of a build info that are taken from a shipped file, and the values that they may have.
// Everything else is refused (inferrer.refuse). Flags keep this order.
var (
	closedFlags = []struct {
		key  string
		want *pattern.Pattern
	}{
		{"-trimpath", isTrue}, {"-race", isTrue}, {"-msan", isTrue}, {"-asan", isTrue}, {"-cover", isTrue}, {"-tags", tagList},
	}
	closedEnv = map[string]*pattern.Pattern{
		"CGO_ENABLED": isBit, "GOOS": platform, "GOARCH": platform, "GOEXPERIMENT": experiment, "GOFIPS140": fips,
		"GOAMD64": level, "GO386": level, "GOARM": level, "GOARM64": level, "GOMIPS": level, "GOMIPS64": level,
		"GOPPC64": level, "GORISCV64": level, "GOWASM": level,
	}
	// settings that other parts of the inference judge, or that follow from the source alone
	otherSettings = []string{"-buildmode", "-ldflags", "-gcflags", "-asmflags", "-pgo", "-compiler",
		"DefaultGODEBUG", "vcs", "vcs.revision", "vcs.time", "vcs.modified"}
	// cFlags are what CGO_CFLAGS and its kin may hold: the defaults.
	cFlags = []string{"", "-g", "-O2", "-O2 -g", "-g -O2"}
)

// settings takes what the closed list names.
func (f *inferrer) settings(p *build) error {
	if len(p.info.Settings) == 0 {
		return f.inconclusive(p, "its build info has no settings: it was built by Go before 1.18, or without them")
	}
	if compiler, ok := p.info.Get("-compiler"); ok && compiler != "gc" {
		return f.inconclusive(p, "was compiled by %s, not by gc", fault.Quote(compiler))
	}
	f.trimmed(p)
	for _, c := range closedFlags {
		value, ok := p.info.Get(c.key)
		switch {
		case !ok:
		case !c.want.MatchString(value) && !f.refuse(c.key+"="+value):
		case value == "true" && c.key != "-tags":
			p.flags = append(p.flags, c.key)
		default:
			p.flags = append(p.flags, c.key+"="+value)
		}
	}
	for _, s := range p.info.Settings {
		if want, ok := closedEnv[s.Key]; ok && want.MatchString(s.Value) {
			p.env[s.Key] = s.Value
		} else if !f.judged(s.Key, s.Value) && f.refuse(s.Key+"="+s.Value) {
			p.env[s.Key] = s.Value
		}
	}
	if _, ok := p.env["GOOS"]; !ok {
		return f.inconclusive(p, "its build info names no platform")
	}
	f.profile(p)
	f.toolFlags(p, "-gcflags", compilerFlags)
	f.toolFlags(p, "-asmflags", assemblerFlags)
	return nil
}

// trimmed finds out whether -trimpath was given. Go 1.18 does not record it, but the file shows it.
func (f *inferrer) trimmed(p *build) {
	value, stated := p.info.Get("-trimpath")
	p.trim = value == "true"
	if stated || !p.before("1.19") {
		return
	}
	switch p.info.Paths {
	case gobinary.Trimmed:
		p.trim = true
		p.flags = append(p.flags, "-trimpath")
	case gobinary.Rooted:
	default:
		f.unknown("whether it was built with -trimpath: Go %s does not record that, and the file does not show it", p.goVer)
	}
}

// before tells whether the toolchain is older than a minor version of Go: "1.19rc1" is not older than "1.19".
func (p *build) before(minor string) bool {
	return semver.Compare(semver.MajorMinor(semverOf(p.goVer)), "v"+minor) < 0
}

// judged tells whether a setting outside closedEnv is looked at elsewhere, or has a value that changes nothing.
func (f *inferrer) judged(key, value string) bool {
	if slices.Contains(otherSettings, key) {
		return true
	}
	for _, c := range closedFlags {
		if c.key == key {
			return true
		}
	}
	if strings.HasPrefix(key, "CGO_") && strings.HasSuffix(key, "FLAGS") {
		return slices.Contains(cFlags, value)
	}
	return false
}

// profile: the go command takes default.pgo beside the main package by itself. Another profile is a file that the build
// info names.
func (f *inferrer) profile(p *build) {
	if value, ok := p.info.Get("-pgo"); ok && path.Base(value) != "default.pgo" && f.refuse("-pgo="+value) {
		p.flags = append(p.flags, "-pgo="+value)
	}
}

// Flags of the compiler and the assembler that name no file and bring no text into the binary.
var (
	compilerFlags  = []string{"-N", "-l", "-l=2", "-l=3", "-l=4", "-B", "-C", "-e", "-dwarf=false", "-dwarf=true", "-dwarflocationlists=true", "-dwarflocationlists=false", "-smallframes"}
	assemblerFlags = []string{"-e", "-dynlink", "-shared"}
)

// toolFlags passes a per-package flag on as it is when every word of it is on the list.
func (f *inferrer) toolFlags(p *build, name string, allowed []string) {
	value, ok := p.info.Get(name)
	if !ok {
		return
	}
	_, flags := splitPattern(value)
	words, ok := splitQuoted(flags)
	for _, w := range words {
		ok = ok && slices.Contains(allowed, w)
	}
	if ok || f.refuse(name+"="+value) {
		p.flags = append(p.flags, name+"="+value)
	}
}

// splitPattern splits "all=-N -l". A pattern other than "all" stays with the flags, which are then not on any list.
func splitPattern(value string) (pattern, flags string) {
	if rest, ok := strings.CutPrefix(value, "all="); ok {
		return "all", rest
	}
	return "", value
}

// splitQuoted splits as the go command does (cmd/internal/quoted): words between white space, or in quotes of either kind
// that begin a word. It returns false when a quote does not end.
func splitQuoted(s string) ([]string, bool) {
	var words []string
	for {
		s = strings.TrimLeft(s, " \t\r\n")
		if s == "" {
			return words, true
		}
		if quote := s[0]; quote == '"' || quote == '\'' {
			end := strings.IndexByte(s[1:], quote)
			if end < 0 {
				return nil, false
			}
			words = append(words, s[1:1+end])
			s = s[2+end:]
			continue
		}
		end := strings.IndexAny(s, " \t\r\n")
		if end < 0 {
			end = len(s)
		}
		words = append(words, s[:end])
		s = s[end:]
	}
}

// AllowedFromArtefact returns the settings that are taken from a shipped file, sorted: the closed list, for documentation.
func AllowedFromArtefact() []string {
	names := slices.Collect(maps.Keys(closedEnv))
	for _, c := range closedFlags {
		names = append(names, c.key)
	}
	names = append(names, "-buildmode", "-ldflags", "-gcflags", "-asmflags")
	slices.Sort(names)
	return names
}
