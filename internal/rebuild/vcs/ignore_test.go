package vcs

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestIgnoreLikeGit asks git about many random rules and paths at once: one directory for each set of rules.
func TestIgnoreLikeGit(t *testing.T) {
	t.Parallel()
	const sets, paths = 400, 10
	rnd := rand.New(rand.NewPCG(7, 7))
	r := newRepo(t, filepath.Join(t.TempDir(), "r"))
	rules := map[string]string{}
	var asked []string
	for i := range sets {
		dir := fmt.Sprintf("d%d", i)
		rules[dir] = randomRules(rnd)
		r.write(dir+"/.gitignore", rules[dir])
		for _, n := range randomNames(rnd, paths) {
			asked = append(asked, dir+"/"+n)
		}
	}
	cmd := exec.Command("git", "check-ignore", "--no-index", "-z", "--stdin")
	cmd.Dir, cmd.Env, cmd.Stdin = r.dir, gitEnv(r.now), strings.NewReader(strings.Join(asked, "\x00")+"\x00")
	out, err := cmd.Output()
	if err != nil && cmd.ProcessState.ExitCode() != 1 {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for name := range strings.SplitSeq(string(out), "\x00") {
		want[name] = true
	}
	for _, name := range asked {
		dir, _, _ := strings.Cut(name, "/")
		if got := ignoredBelow(rules[dir], dir, name); got != want[name] {
			t.Errorf("rules %q, path %q: ignored %v, git says %v", rules[dir], name, got, want[name])
		}
	}
	if len(want) < sets/10 {
		t.Errorf("only %d paths were ignored: the rules are too weak to prove anything", len(want))
	}
}

// ignoredBelow walks down to a file as `status` does; the rules lie in dir.
func ignoredBelow(text, dir, name string) bool {
	rules := &ignores{patterns: parseIgnore([]byte(text), strings.TrimPrefix(dir+"/", "/"))}
	for i := len(dir) + 1; i < len(name); i++ {
		if name[i] == '/' && rules.ignored(name[:i], true) {
			return true
		}
	}
	return rules.ignored(name, false)
}

// FuzzIgnore compares one rule and one path with git check-ignore.
func FuzzIgnore(f *testing.F) {
	for _, s := range [][2]string{
		{"*.o", "dir/x.o"}, {"/build/", "build/x"}, {"foo/**/bar", "foo/a/b/bar"}, {"foo**/bar", "foox/y/bar"}, {"**/foo", "foo"}, {"a/**", "a"},
		{"a/**", "a/b"}, {"**", "x"}, {"[!/]", "a"}, {"a[/]b", "a/b"}, {"a?b", "a/b"}, {"\\#x", "#x"}, {"x\\ ", "x "}, {"x ", "x"}, {"x/ ", "x/y"},
		{"!x", "x"}, {"a\\", "a"}, {"[[:space:]]", "\v"}, {"[a-]", "-"}, {"[]-a]", "^"}, {"dir/*.c", "dir/sub/x.c"}, {"*/**/*", "a/b"}, {"**\\/x", "a/x"},
		{"a/***/b", "a/x/b"}, {"/", "a"}, {"//a", "a"}, {"/*", "a/b"}, {"a//b", "a/b"}, {"*\\", "\\"}, {"[\\]]", "]"}, {"x\t", "x\t"},
	} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, rule, name string) {
		if !localPath(name) || len(name) > 200 || len(rule) > 200 || strings.Contains("/"+strings.ToLower(name)+"/", "/.git") {
			t.Skip("not a path that a tree can hold")
		}
		r := newRepo(t, filepath.Join(t.TempDir(), "r"))
		r.write(".gitignore", rule+"\n")
		if p := filepath.Join(r.dir, name); os.MkdirAll(filepath.Dir(p), 0o755) != nil || os.WriteFile(p, nil, 0o644) != nil {
			t.Skip("not a path that this file system can hold")
		}
		_, code := r.ask("check-ignore", "-q", "--no-index", "--", name)
		if code > 1 {
			t.Skip("git refuses the question")
		}
		if got, want := ignoredBelow(rule+"\n", "", name), code == 0; got != want {
			t.Errorf("rule %q, path %q: ignored %v, git says %v", rule, name, got, want)
		}
	})
}

func FuzzGlob(f *testing.F) {
	f.Add("a*b?[c-e]**", "axxbyczz")
	f.Add(strings.Repeat("*a", 50), strings.Repeat("a", 200))
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 1000 || len(text) > 1000 {
			t.Skip("longer than any name")
		}
		matched := compileGlob(pattern, true).match(text)
		if !strings.ContainsAny(pattern, `*?[\`) && matched != (pattern == text) {
			t.Errorf("%q is literal and matched %q: %v", pattern, text, matched)
		}
		if matched && !compileGlob(pattern, false).match(text) {
			t.Errorf("%q matches %q as a path but not as a string", pattern, text)
		}
	})
}
