package recipe

import (
	"fmt"
	"net"
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/glassbuild/glassbuild/internal/allow"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/pattern"
)

var (
	goVersion      = pattern.New(`^1\.(0|[1-9][0-9]?)(\.(0|[1-9][0-9]?))?((rc|beta)[1-9][0-9]?)?$`)
	exactVersion   = pattern.New(`^(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})(-[0-9A-Za-z.-]{1,64})?$`)
	targetName     = pattern.New(`^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$`)
	targetPlatform = pattern.New(`^[a-z0-9]{1,20}/[a-z0-9_-]{1,20}$`)
	patchName      = pattern.New(`^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,100}$`)
	imageDigest    = pattern.New(`@sha256:[0-9a-f]{64}$`)
	debianName     = pattern.New(`^[a-z0-9][a-z0-9+.-]{1,127}(=[0-9A-Za-z.+:~-]{1,127})?$`)
	debianSuite    = pattern.New(`^[a-z][a-z0-9.-]{1,63}$`)
	templateMarks  = []string{"${", "$(", "{{"}
)

// ValidGoVersion tells whether s is the exact version of a Go release, without the "go" before it.
func ValidGoVersion(s string) bool { return goVersion.MatchString(s) }

// check judges a whole recipe. report places its errors.
func check(r *Recipe, report reporter) error {
	for _, f := range []func(*Recipe, reporter) error{checkBuilder, checkSource, checkSteps, checkArtifacts} {
		if err := f(r, report); err != nil {
			return err
		}
	}
	return checkEnv(r.Env, "env", report)
}

func checkBuilder(r *Recipe, report reporter) error {
	b := r.Builder
	bases := 0
	for _, is := range []bool{b.Image != "", b.Debian != nil, b.Host} {
		if is {
			bases++
		}
	}
	switch {
	case bases == 0 && b.Go == "" && b.Node == "":
		return report("builder", "no builder named").WithHint(`for example: go = "1.26.5"`)
	case bases > 1:
		return report("builder", "more than one base: choose one of image, debian and host")
	case b.Go != "" && !ValidGoVersion(b.Go):
		return report("builder.go", "%s is not an exact version: pin by digest or exact version", fault.Quote(b.Go)).
			WithHint(`for example: go = "1.26.5"`)
	case len(b.Without) > 0 && b.Go == "":
		return report("builder.without", "leaves out files of a Go toolchain, but no go version is named")
	case b.Platform != "" && !targetPlatform.MatchString(b.Platform):
		return report("builder.platform", "%s is not a platform", fault.Quote(b.Platform)).WithHint(`for example: platform = "linux/amd64"`)
	case b.Node != "" && !exactVersion.MatchString(b.Node):
		return report("builder.node", "%s is not an exact version", fault.Quote(b.Node))
	case b.NPM != "" && !exactVersion.MatchString(b.NPM):
		return report("builder.npm", "%s is not an exact version", fault.Quote(b.NPM))
	case b.NPM != "" && b.Node == "":
		return report("builder.npm", "npm needs node")
	case b.Image != "" && (!imageDigest.MatchString(b.Image) || strings.HasPrefix(b.Image, "-") || !fault.Plain(b.Image)):
		return report("builder.image", "%s: pin by digest", fault.Quote(b.Image)).WithHint("a tag can be moved: write NAME@sha256:DIGEST")
	}
	for i, p := range b.Without {
		if _, err := path.Match(p, ""); err != nil || checkPath(p) != nil {
			return report(fmt.Sprintf("builder.without[%d]", i), "%s: bad pattern", fault.Quote(p))
		}
	}
	if err := checkPatch(b, report); err != nil {
		return err
	}
	return checkDebian(b.Debian, report)
}

func checkPatch(b Builder, report reporter) error {
	p := b.Patch
	switch {
	case p == nil:
	case b.Go == "":
		return report("builder.patch", "changes a Go toolchain, but no go version is named")
	case !patchName.MatchString(p.File):
		return report("builder.patch", "%s: want the name of a file beside the recipe", fault.Quote(p.File)).WithHint(`for example: patch = { file = "go.patch", sha256 = "…" }`)
	case !hexDigest.MatchString(p.SHA256):
		return report("builder.patch", "%s is not a SHA-256 in lower-case hex", fault.Quote(p.SHA256))
	}
	return nil
}

func checkDebian(d *Debian, report reporter) error {
	if d == nil {
		return nil
	}
	if !debianSuite.MatchString(d.Suite) || strings.Contains(d.Suite, "..") {
		return report("builder.debian", "%s is not a suite", fault.Quote(d.Suite))
	}
	for _, p := range d.Packages {
		if !debianName.MatchString(p) {
			return report("builder.debian", "%s is not a package", fault.Quote(p))
		}
	}
	if d.Mirror != "" && !validMirror(d.Mirror) {
		return report("builder.debian", "%s is not the address of a mirror", fault.Quote(d.Mirror)).
			WithHint("an https address without user information, query and fragment; http only to this machine")
	}
	return nil
}

// validMirror accepts an https address, or an http one of this machine's own loopback, in its shortest form.
func validMirror(m string) bool {
	u, err := url.Parse(m)
	if err != nil || !fault.Plain(m) || len(m) > MaxPath || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" || u.Host == "" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	local := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	return (u.Scheme == "https" || u.Scheme == "http" && local) && u.String() == m && !strings.Contains(u.Path, "..")
}

func checkSource(r *Recipe, report reporter) error {
	if a := r.Source.Attributes; !slices.Contains([]Attributes{Raw, Checkout, Archive}, a) {
		return report("source.attributes", "%s is not one of raw, checkout, archive", fault.Quote(string(a)))
	}
	if t := r.VCS.Tags; !slices.Contains([]Tags{NoTags, TagsAtCommit, AllTags}, t) {
		return report("vcs.tags", "%s is not one of none, at-commit, all", fault.Quote(string(t)))
	}
	if r.VCS.Dirty && !r.VCS.Stamp {
		return report("vcs.dirty", "nothing is stamped: stamp is false")
	}
	return nil
}

// stepPath is where a step stands in the document.
func stepPath(fetch bool, i int) string {
	if fetch {
		return fmt.Sprintf("fetch[%d]", i)
	}
	return fmt.Sprintf("step[%d]", i)
}

func checkSteps(r *Recipe, report reporter) error {
	for i, list := range [][]Step{r.Fetch, r.Steps} {
		if len(list) > MaxSteps {
			return report(stepPath(i == 0, MaxSteps), "more than %d steps", MaxSteps)
		}
		for j, s := range list {
			if err := checkStep(s, stepPath(i == 0, j), report); err != nil {
				return err
			}
		}
	}
	if len(r.Steps) == 0 {
		return report("step", "no step")
	}
	return nil
}

func checkStep(s Step, at string, report reporter) error {
	switch {
	case len(s.Run) > 0 && s.Script != "":
		return report(at, "run and script: choose one")
	case len(s.Run) == 0 && s.Script == "":
		return report(at, "neither run nor script")
	case strings.ContainsRune(s.Script, 0):
		return report(at+".script", "zero byte")
	case len(s.Run) > MaxArgs:
		return report(at+".run", "more than %d arguments", MaxArgs)
	}
	for i, arg := range s.Run {
		where := fmt.Sprintf("%s.run[%d]", at, i)
		if i == 0 && (arg == "" || arg[0] == '-' || !fault.Plain(arg)) {
			return report(where, "%s is not a program", fault.Quote(arg))
		}
		if strings.ContainsRune(arg, 0) {
			return report(where, "zero byte")
		}
		for _, mark := range templateMarks {
			if strings.Contains(arg, mark) {
				return report(where, "steps are argv lists: %q is not expanded", mark).WithHint("write the value out, or use script")
			}
		}
	}
	if err := checkPath(s.Dir); err != nil {
		return report(at+".dir", "%s: %v", fault.Quote(s.Dir), err)
	}
	return checkEnv(s.Env, at+".env", report)
}

func checkArtifacts(r *Recipe, report reporter) error {
	if len(r.Targets) == 0 {
		if r.Artifacts == nil {
			return report("artifact", "missing key artifact")
		}
		return checkOutputs(r.Artifacts, "artifact", report)
	}
	if len(r.Artifacts) > 0 {
		return report("artifact", "stands beside [[target]]: each target names its own").WithHint("write [[target.artifact]]")
	}
	if len(r.Targets) > MaxTargets {
		return report("target", "more than %d targets", MaxTargets)
	}
	seen := map[string]bool{}
	for i, t := range r.Targets {
		at := fmt.Sprintf("target[%d]", i)
		switch {
		case !targetName.MatchString(t.Name):
			return report(at+".name", "%s is not the name of a target", fault.Quote(t.Name)).WithHint("lower-case letters, digits, and - _ . between them")
		case seen[t.Name]:
			return report(at+".name", "two targets are called %s", fault.Quote(t.Name))
		case t.Platform != "" && !targetPlatform.MatchString(t.Platform):
			return report(at+".platform", "%s is not a platform", fault.Quote(t.Platform)).WithHint(`for example: platform = "linux/amd64"`)
		}
		seen[t.Name] = true
		if err := checkEnv(t.Env, at+".env", report); err != nil {
			return err
		}
		if err := checkOutputs(t.Artifacts, at+".artifact", report); err != nil {
			return err
		}
	}
	return nil
}

// checkOutputs judges the artefacts that stand at a place of the document.
func checkOutputs(list []Artifact, place string, report reporter) error {
	if len(list) == 0 {
		return report(place, "no artifact")
	}
	if len(list) > MaxArtifacts {
		return report(place, "more than %d artifacts", MaxArtifacts)
	}
	seen := map[artifactKey]bool{}
	for i, a := range list {
		at := fmt.Sprintf("%s[%d]", place, i)
		if err := checkPath(a.Output); err != nil || a.Output == "." {
			return report(at+".output", "%s: %v", fault.Quote(a.Output), orNoFile(err))
		}
		if a.Member != "" {
			if err := checkPath(a.Member); err != nil || a.Member == "." {
				return report(at+".member", "%s: %v", fault.Quote(a.Member), orNoFile(err))
			}
		}
		key := artifactKey{a.Member, a.Output}
		if a.Member != "" {
			key.output = ""
		}
		if seen[key] {
			return report(at, "duplicate artifact %s", fault.Quote(a.Member+a.Output))
		}
		seen[key] = true
		if err := checkAllow(a.Allow, at, report); err != nil {
			return err
		}
	}
	return nil
}

// checkAllow accepts names of the closed list, each once.
func checkAllow(names []string, at string, report reporter) error {
	for i, name := range names {
		where := fmt.Sprintf("%s.allow[%d]", at, i)
		if _, ok := allow.Lookup(name); !ok {
			return report(where, "unknown difference %s", fault.Quote(name)).WithHint("docs/passes.md lists the differences that can be declared")
		}
		if slices.Contains(names[:i], name) {
			return report(where, "%s is declared twice", fault.Quote(name))
		}
	}
	return nil
}

// artifactKey is what makes an artefact the same as another one.
type artifactKey struct{ member, output string }

var errEscapes = fmt.Errorf("path escapes")

func orNoFile(err error) error {
	if err == nil {
		return fmt.Errorf("is no file")
	}
	return err
}

// checkPath demands a relative path in its shortest form that stays below its root, on every platform.
func checkPath(p string) error {
	switch {
	case p == "":
		return fmt.Errorf("path is empty")
	case len(p) > MaxPath:
		return fmt.Errorf("path exceeds %d bytes", MaxPath)
	case !utf8.ValidString(p) || !fault.Plain(p):
		return fmt.Errorf("unprintable characters in path")
	case path.IsAbs(p) || strings.ContainsRune(p, '\\') || len(p) > 1 && p[1] == ':':
		return errEscapes
	}
	for part := range strings.SplitSeq(p, "/") {
		if part == ".." {
			return errEscapes
		}
	}
	if path.Clean(p) != p {
		return fmt.Errorf("path is not in its shortest form %q", path.Clean(p))
	}
	return nil
}
