package rebuild

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/recipe"
	"github.com/glassbuild/glassbuild/internal/sandbox"
	"github.com/glassbuild/glassbuild/internal/source"
)

// Places inside the sandbox that the recipe package does not name.
const (
	proxyDir = "/proxy"       // frozen fetched inputs, read-only
	gitPath  = "/usr/bin/git" // the stand-in that answers from the verified commit
	proxyAt  = "127.0.0.1:3128"
	goPath   = "/go" // GOPATH

	sourceDir = recipe.SourceDir // of every run that does not vary it

	npmProxyAt = "127.0.0.1:3129"
)

// identity gives the sandbox what the variation says.
func (v Variation) identity() sandbox.Identity {
	umask, _ := strconv.ParseInt(v.Umask, 8, 32)
	return sandbox.Identity{Hostname: v.Hostname, Domain: v.Domain, User: v.User, Group: v.User, Home: v.Home, UID: v.UID, GID: v.GID,
		Umask: int(umask), CPUs: v.CPUs, FixedAddresses: v.Addresses == fixedAddresses,
		BootOffset: time.Duration(v.Boot) * time.Second, MonotonicOffset: time.Duration(v.Boot) * time.Second}
}

// env is the fixed base of every step's environment with what comes over it, sorted.
func (v Variation) env(epoch int64, over ...map[string]string) []string {
	all := map[string]string{
		"HOME": v.Home, "USER": v.User, "LOGNAME": v.User, "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"TMPDIR": "/tmp", "TZ": v.TimeZone, "LANG": v.Locale, "LC_ALL": v.Locale, "SOURCE_DATE_EPOCH": strconv.FormatInt(epoch, 10),
		"TERM": "dumb",
	}
	for name, value := range map[string]string{"SHELL": v.LoginShell, noiseName: v.Noise, "MAKEFLAGS": v.Jobs, "LANGUAGE": v.Language} {
		if value != "" {
			all[name] = value
		}
	}
	base := all["PATH"]
	for _, m := range over {
		maps.Copy(all, m)
	}
	if all["PATH"] != base { // the builder's programs come first; the stand-in for git lies in the base
		all["PATH"] += ":" + base
	}
	var list []string
	for _, k := range slices.Sorted(maps.Keys(all)) {
		list = append(list, k+"="+all[k])
	}
	return list
}

// mounts are what a sandbox of a run shows: the builder, the source (under an overlay, or copied in reversed order where
// the run varies file order), and a place for outputs.
func (o *Outcome) mounts(v Variation) []sandbox.Mount {
	var list []sandbox.Mount
	for _, l := range o.Builder.Layers {
		if l.Shadowed {
			continue
		}
		kind := sandbox.ReadOnly
		if l.Target == "/" { // places to mount on, accounts and files are made in a whole root; what is written stays in memory
			kind = sandbox.Overlay
		}
		list = append(list, sandbox.Mount{Kind: kind, Source: l.Dir, Target: l.Target})
	}
	src := sandbox.Mount{Kind: sandbox.Overlay, Source: o.TreeDir, Target: v.Source}
	if v.Files == "reversed" {
		src.Kind, src.Reverse = sandbox.Copy, true
	}
	return append(list, src, sandbox.Mount{Kind: sandbox.Scratch, Target: recipe.OutputDir, Size: outputBytes})
}

// files are the small files and links of the builder's root.
func (o *Outcome) files() []sandbox.File {
	var list []sandbox.File
	for _, l := range o.Builder.Links {
		list = append(list, sandbox.File{Path: l.Path, Mode: fs.ModeSymlink | 0o777, Data: []byte(l.Target)})
	}
	for _, f := range o.Builder.Files {
		list = append(list, sandbox.File{Path: f.Path, Mode: f.Mode, Data: f.Data})
	}
	return list
}

// limits bound every session.
func limits() sandbox.Limits {
	return sandbox.Limits{Memory: memoryBytes, Processes: processes, CPU: cpuTime, Wall: wallTime, Output: scratchBytes, Log: logBytes}
}

// title names a step for people.
func title(kind string, i int, s recipe.Step) string {
	text := s.Script
	if len(s.Run) > 0 {
		text = ""
		for j, a := range s.Run {
			if j > 0 {
				text += " "
			}
			text += a
		}
	}
	if r := []rune(text); len(r) > 60 {
		text = string(r[:59]) + "…"
	}
	return fmt.Sprintf("%s %d: %s", kind, i+1, fault.Quote(text)) // the vendor's words: a line feed would begin a line of the report
}

// ExportMode translates what a recipe asks for.
func ExportMode(a recipe.Attributes) source.AttributesMode {
	switch a {
	case recipe.Checkout:
		return source.AttributesCheckout
	case recipe.Archive:
		return source.AttributesArchive
	}
	return source.AttributesRaw
}
