package report

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/pattern"
	"github.com/glassbuild/glassbuild/internal/recipe"
	"github.com/glassbuild/glassbuild/internal/redact"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// ByHand writes a script for /bin/sh that repeats the verification with git, the toolchain and sha256sum alone, for the
// reader who trusts no tool. It reports false where the verdict does not hold enough for one, or where the builder is one
// that a script cannot name.
//
// The script isolates nothing: it runs what the vendor wrote, and says so. It wants /src and /out to itself.
func ByHand(v verdict.Verdict) (string, bool) {
	if v.Source == nil || v.Source.GitTree == "" || v.Recipe == nil || v.Rebuild == nil || v.Rebuild.Packed || v.Comparison == nil {
		return "", false
	}
	if hidden, _ := redact.Count(v); hidden > 0 {
		return "", false // what was left out cannot be written down
	}
	r, err := recipe.Parse(recipe.FileName, []byte(v.Recipe.Text))
	if err != nil || r.Builder.Go == "" && !r.Builder.Host || r.Source.Attributes == "archive" || r.VCS.Stamp && r.VCS.Tags != "all" {
		return "", false
	}
	s := &script{}
	s.intro(v)
	s.source(v, r)
	s.build(v, r)
	s.compare(v)
	if s.odd {
		return "", false // a name that cannot be written plainly has no place in a script that people read before they run it
	}
	return s.b.String(), true
}

type script struct {
	b   strings.Builder
	odd bool
}

func (s *script) line(format string, args ...any) { fmt.Fprintf(&s.b, format+"\n", args...) }

// plainWord is what the shell takes as it stands.
var plainWord = pattern.New(`^[A-Za-z0-9_./:=@%+,-]+$`)

// quote makes one word of the shell.
func (s *script) quote(word string) string {
	if !fault.Plain(word) {
		s.odd = true
	}
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

func (s *script) intro(v verdict.Verdict) {
	name := v.Subject.Name
	if !fault.Plain(name) {
		s.odd = true
	}
	s.line("#!/bin/sh")
	s.line("# Repeats by hand what glassbuild did with %s.", name)
	s.line("# usage: sh by-hand.sh REPOSITORY SHIPPED-FILE")
	s.line("# It runs what the vendor wrote, without a sandbox: use a machine, or a container, that holds nothing else.")
	s.line("# Needs git, sha256sum, the network for what the build fetches, and /src and /out, which must not exist.")
	s.line("set -eu")
	s.line("repository=${1:?the repository, a folder or URL}")
	s.line("shipped=$(realpath -- \"${2:?the shipped file}\")")
}

func (s *script) source(v verdict.Verdict, r *recipe.Recipe) {
	s.line("")
	s.line("# the commit, and its tree")
	s.line("git clone --quiet --no-checkout -- \"$repository\" /src")
	s.line("cd /src")
	if r.Source.Attributes != "checkout" {
		s.line("echo '* -text !eol -filter -ident !working-tree-encoding' > .git/info/attributes # files as the commit holds them")
	}
	s.line("git -c core.autocrlf=false checkout --quiet --detach %s", s.quote(v.Source.Commit))
	s.line("test \"$(git rev-parse HEAD)\" = %s", s.quote(v.Source.Commit))
	s.line("test \"$(git rev-parse 'HEAD^{tree}')\" = %s", s.quote(v.Source.GitTree))
	s.line("git fsck --no-dangling --no-progress")
	if len(v.Source.Submodules) > 0 {
		s.line("git submodule update --quiet --init --recursive")
	}
	s.line("git log -1 --show-signature || true # who signed it: read what git says, with the keys that you trust")
}

func (s *script) build(v verdict.Verdict, r *recipe.Recipe) {
	s.line("")
	s.line("# the build, as the recipe says (sha256 %s)", v.Recipe.SHA256)
	s.line("mkdir /out")
	s.line("export SOURCE_DATE_EPOCH=%d", v.Source.Time)
	if r.Builder.Go != "" {
		s.line("export GOTOOLCHAIN=go%s # from the module proxy, held against the checksum database by the go command", r.Builder.Go)
		s.line("export GOFLAGS= GOWORK=off")
	}
	for _, k := range slices.Sorted(maps.Keys(r.Env)) {
		s.line("export %s=%s", k, s.quote(r.Env[k]))
	}
	switch {
	case !r.VCS.Stamp:
		s.line("rm -rf .git # the build sees no repository")
	case r.VCS.Dirty:
		s.line("touch .changed-as-the-shipped-file-says # the stamp that the recipe asks for")
	}
	for _, list := range [][]recipe.Step{r.Fetch, r.Steps} {
		for _, st := range list {
			s.step(st)
		}
	}
}

func (s *script) step(st recipe.Step) {
	var words []string
	for _, k := range slices.Sorted(maps.Keys(st.Env)) {
		words = append(words, k+"="+s.quote(st.Env[k]))
	}
	if st.Script != "" {
		for line := range strings.Lines(st.Script) {
			s.quote(strings.TrimSuffix(line, "\n"))
		}
		words = append(words, "/bin/sh", "-euc", "'"+strings.ReplaceAll(st.Script, "'", `'\''`)+"'")
	}
	for _, a := range st.Run {
		words = append(words, s.quote(a))
	}
	s.line("(cd %s && %s)", s.quote(path.Join(recipe.SourceDir, st.Dir)), strings.Join(words, " "))
}

// compare holds every output that was said to be in what was shipped against the digest that the verdict gives of it.
func (s *script) compare(v verdict.Verdict) {
	s.line("")
	s.line("# what was shipped is what was judged")
	if v.Subject.Within != nil {
		s.line("echo %s | sha256sum -c - # the file that holds %s", s.quote(v.Subject.Within.SHA256+"  ")+"\"$shipped\"", s.quote(v.Subject.Member))
	} else {
		s.line("echo %s | sha256sum -c -", s.quote(v.Subject.SHA256+"  ")+"\"$shipped\"")
	}
	s.line("")
	s.line("# what was built is what was shipped; a FAILED here is a difference")
	for _, m := range v.Comparison.Members {
		if m.Output == "" {
			continue
		}
		s.line("echo %s | sha256sum -c - # shipped as %s", s.quote(m.SHA256+"  "+path.Join(recipe.OutputDir, m.Output)), s.quote(m.Path))
	}
	s.line("echo 'every rebuilt file is the shipped one'")
}
