package vcs

import (
	"bytes"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Tree is the work tree as it stands when the question is asked.
type Tree struct {
	Files Files  // rooted at Facts.Root
	Dir   string // the asking process's directory below Facts.Root, "" for Facts.Root itself
	// Since is when the build began, from the clock that stamps inode changes. A file of unchanged size and
	// modification time that was last changed before it is not read again. The zero time: everything is read.
	Since time.Time
}

// Files reads a work tree and must not lead out of it. Names are relative and are bytes, as git's are: io/fs would refuse those
// that are not UTF-8.
type Files interface {
	ReadDir(name string) ([]fs.DirEntry, error)
	Lstat(name string) (fs.FileInfo, error)
	ReadLink(name string) (string, error)
	Open(name string) (fs.File, error)
}

// Reply is what git would have printed.
type Reply struct {
	Stdout, Stderr []byte
	Code           int
	Refused        bool     // the question is not in the table, or is about something that is not in the facts
	Tags           []string // the tags whose names or commits were handed out
}

// fatal is git's exit code when it gives up.
const fatal = 128

// arg stands for one free value in a row of the table.
const arg = "\x00"

type answer func(*session, string) Reply

// questions is the whole table (F14). The comments name the versions of the go command that ask; sources:
// cmd/go/internal/vcs (gitStatus) and cmd/go/internal/modfetch/codehost (git.go: statLocal, ReadFile, RecentTag,
// loadLocalTags, checkConfigSHA256).
var questions = []struct {
	argv   []string
	answer answer
}{
	{[]string{"status", "--porcelain"}, (*session).status},                                                           // 1.18 to 1.26
	{[]string{"-c", noSignature, "show", "-s", "--format=%H:%ct"}, (*session).head},                                  // 1.18 to 1.22
	{[]string{"-c", noSignature, "log", "-1", "--format=%H:%ct"}, (*session).head},                                   // 1.23 to 1.26
	{[]string{"-c", noSignature, "log", "--no-decorate", "-n1", logFormat, arg, "--"}, (*session).log},               // 1.24, 1.25
	{[]string{"-c", noSignature, "log", "--no-decorate", "-n1", logFormat, endOfOptions, arg, "--"}, (*session).log}, // 1.26
	{[]string{"cat-file", "blob", arg}, (*session).catFile},                                                          // 1.24, 1.25
	{[]string{"cat-file", endOfOptions, "blob", arg}, (*session).catFile},                                            // 1.26
	{[]string{"for-each-ref", "--format", "%(refname)", "refs/tags", "--merged", arg}, (*session).tagsMerged},        // 1.24, 1.25
	{[]string{"for-each-ref", "--format=%(refname)", "--merged=" + arg}, (*session).refsMerged},                      // 1.26
	{[]string{"config", "extensions.objectformat"}, (*session).objectFormat},                                         // 1.25, 1.26
	{[]string{"tag", "-l"}, (*session).tagList},                                                                      // 1.24 to 1.26
}

const (
	noSignature  = "log.showsignature=false"
	logFormat    = "--format=format:%H %ct %D"
	endOfOptions = "--end-of-options"
)

// session is one question.
type session struct {
	facts  *Facts
	repo   *Repository
	prefix string // of repo below Facts.Root
	tree   Tree
}

// Answer answers one argument vector (without the program's name) as git would.
func (f *Facts) Answer(argv []string, tree Tree) Reply {
	if err := f.Validate(); err != nil {
		return refuse("%v", err)
	}
	repo, prefix := f.at(tree.Dir)
	s := &session{facts: f, repo: repo, prefix: prefix, tree: tree}
	for _, q := range questions {
		if value, ok := match(q.argv, argv); ok {
			return q.answer(s, value)
		}
	}
	return refuse("glassbuild answers only what the go command asks; this question is not in its table")
}

// match compares argv with a row and returns the value of its free place, if it has one.
func match(row, argv []string) (value string, ok bool) {
	if len(row) != len(argv) {
		return "", false
	}
	for i, want := range row {
		prefix, free := strings.CutSuffix(want, arg)
		if !free && argv[i] != want {
			return "", false
		}
		if free {
			if value, ok = strings.CutPrefix(argv[i], prefix); !ok || value == "" {
				return "", false
			}
		}
	}
	return value, true
}

func refuse(format string, args ...any) Reply {
	return Reply{Stderr: fmt.Appendf(nil, "fatal: "+format+"\n", args...), Code: fatal, Refused: true}
}

func (s *session) head(string) Reply {
	return Reply{Stdout: fmt.Appendf(nil, "%s:%d\n", s.repo.Commit, s.repo.Time)}
}

// objectFormat: git-config(1) ends with 1 when the key is not set.
func (s *session) objectFormat(string) Reply {
	if s.facts.ObjectFormat == "sha256" {
		return Reply{Stdout: []byte("sha256\n")}
	}
	return Reply{Code: 1}
}

// resolve finds the commit that rev names: the commit itself, its first twelve digits, or a visible tag.
func (s *session) resolve(rev string) (commit string, when int64, ok bool) {
	if rev == s.repo.Commit || len(rev) == shortID && isHex(rev) && strings.HasPrefix(s.repo.Commit, rev) {
		return s.repo.Commit, s.repo.Time, true
	}
	if name, isTag := strings.CutPrefix(rev, "refs/tags/"); isTag {
		for _, t := range s.repo.VisibleTags() {
			if t.Name == name {
				return t.Commit, t.Time, true
			}
		}
	}
	return "", 0, false
}

// shortID is how many digits the go command keeps of a commit in a pseudo-version.
const shortID = 12

func (s *session) log(rev string) Reply {
	commit, when, ok := s.resolve(rev)
	if !ok {
		return refuse("ambiguous argument '%s': unknown revision or path not in the working tree.", rev)
	}
	decoration, tags := s.decoration(commit)
	if name, ok := strings.CutPrefix(rev, "refs/tags/"); ok && !slices.Contains(tags, name) {
		tags = append(tags, name)
	}
	return Reply{Stdout: fmt.Appendf(nil, "%s %d %s", commit, when, decoration), Tags: tags}
}

// decoration is %D of git-log(1): HEAD first, then the refs at the commit in the reverse order of their names.
func (s *session) decoration(commit string) (text string, tags []string) {
	var names []string
	for _, ref := range s.repo.Refs {
		if ref.Commit == commit {
			names = append(names, ref.Name)
		}
	}
	for _, t := range s.repo.VisibleTags() {
		if t.Commit == commit {
			names = append(names, "refs/tags/"+t.Name)
			tags = append(tags, t.Name)
		}
	}
	slices.Sort(names)
	slices.Reverse(names)
	var shown []string
	if commit == s.repo.Commit {
		head := "HEAD"
		if current := "refs/heads/" + s.repo.Branch; s.repo.Branch != "" {
			head = "HEAD -> " + s.repo.Branch
			names = slices.DeleteFunc(names, func(n string) bool { return n == current })
		}
		shown = append(shown, head)
	}
	for _, n := range names {
		n = strings.TrimPrefix(strings.TrimPrefix(n, "refs/heads/"), "refs/remotes/")
		if name, ok := strings.CutPrefix(n, "refs/tags/"); ok {
			n = "tag: " + name
		}
		shown = append(shown, n)
	}
	return strings.Join(shown, ", "), tags
}

func (s *session) tagsMerged(rev string) Reply {
	if rev != s.repo.Commit {
		return refuse("malformed object name %s", rev)
	}
	var out bytes.Buffer
	tags := s.tagNames()
	for _, t := range tags {
		out.WriteString("refs/tags/" + t + "\n")
	}
	return Reply{Stdout: out.Bytes(), Tags: tags}
}

func (s *session) refsMerged(rev string) Reply {
	if rev != s.repo.Commit {
		return refuse("malformed object name %s", rev)
	}
	tags := s.tagNames()
	var names []string
	for _, ref := range s.repo.Refs {
		names = append(names, ref.Name+"\n")
	}
	for _, t := range tags {
		names = append(names, "refs/tags/"+t+"\n")
	}
	slices.Sort(names)
	return Reply{Stdout: []byte(strings.Join(names, "")), Tags: tags}
}

func (s *session) tagList(string) Reply {
	tags := s.tagNames()
	var out bytes.Buffer
	for _, t := range tags {
		out.WriteString(t + "\n")
	}
	return Reply{Stdout: out.Bytes(), Tags: tags}
}

func (s *session) tagNames() []string {
	var names []string
	for _, t := range s.repo.VisibleTags() {
		names = append(names, t.Name)
	}
	return names
}

// catFile answers for REV:PATH, where REV leads to the verified commit: of other commits only the id is known here.
func (s *session) catFile(object string) Reply {
	rev, name, ok := strings.Cut(object, ":")
	commit, _, known := s.resolve(rev)
	if !ok || !known || commit != s.repo.Commit {
		return refuse("Not a valid object name %s", object)
	}
	i, found := slices.BinarySearchFunc(s.repo.Tree, name, func(e Entry, n string) int { return strings.Compare(e.Path, n) })
	if !found || s.repo.Tree[i].Mode == modeSubmodule {
		r := refuse("path '%s' does not exist in '%s'", name, rev)
		r.Refused = false // git says the same
		return r
	}
	data, err := s.blob(&s.repo.Tree[i])
	if err != nil {
		return refuse("%s: %v", strconv.Quote(name), err)
	}
	return Reply{Stdout: data}
}
