package source

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/source/gitobj"
)

// ref is a branch or tag, by its full name: refs/heads/main.
type ref struct {
	name string
	id   gitobj.ID
}

// refSpaces are the names that make a commit reachable: branches, tags, and in a clone the branches that its origin
// had. Pull requests, notes and the stash are not among them: anybody may have put a commit there.
var refSpaces = []string{"refs/heads/", "refs/tags/", "refs/remotes/"}

func isBranchOrTag(name string) bool {
	return slices.ContainsFunc(refSpaces, func(space string) bool { return strings.HasPrefix(name, space) })
}

func invalidRef(name, why string) error {
	return fault.Failf(fault.Quote(name), "invalid ref: %s", why).WithCheck(CheckRepository)
}

// checkRefName applies git-check-ref-format(1). A name from a server or from packed-refs that breaks it can lead out
// of the repository (CVE-2026-71557).
func checkRefName(name string) error {
	switch {
	case !strings.HasPrefix(name, "refs/"):
		return invalidRef(name, "does not begin with refs/")
	case len(name) > maxRefName:
		return invalidRef(name[:64], "too long: exceeds limit")
	case strings.Contains(name, ".."), strings.Contains(name, "@{"), strings.HasSuffix(name, "."):
		return invalidRef(name, "bad name")
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part[0] == '.' || strings.HasSuffix(part, ".lock") {
			return invalidRef(name, "bad name")
		}
	}
	for i := 0; i < len(name); i++ {
		if c := name[i]; c <= ' ' || c == 0x7f || strings.IndexByte(`~^:?*[\`, c) >= 0 {
			return invalidRef(name, "bad name")
		}
	}
	return nil
}

// refs returns the branches and tags, sorted by name.
func (r *repository) refs() ([]ref, error) {
	if r.loaded != nil {
		return r.loaded, nil
	}
	// git-pack-refs(1) writes packed-refs before it removes what it packed: whoever reads in the other order misses nothing
	byName := make(map[string]gitobj.ID)
	for _, space := range refSpaces {
		if err := r.looseRefs(strings.TrimSuffix(space, "/"), 0, byName); err != nil {
			return nil, err
		}
	}
	packed, err := r.readFile("packed-refs", maxPackedRefs)
	if err != nil {
		return nil, err
	}
	list, err := parsePackedRefs(string(packed), r.objects.Format())
	if err != nil {
		return nil, err
	}
	for _, ref := range list {
		if _, loose := byName[ref.name]; !loose {
			byName[ref.name] = ref.id
		}
	}
	out := make([]ref, 0, len(byName))
	for name, id := range byName {
		if isBranchOrTag(name) && id != (gitobj.ID{}) {
			out = append(out, ref{name, id})
		}
	}
	slices.SortFunc(out, func(a, b ref) int { return strings.Compare(a.name, b.name) })
	r.loaded = out
	return out, nil
}

// parsePackedRefs reads the branches and tags of a packed-refs file. Every line is checked: forges keep tens of thousands of
// other refs there. What it says about the commits behind tags is not believed, and not read.
func parsePackedRefs(text string, format gitobj.Format) ([]ref, error) {
	var list []ref
	count := 0
	malformed := func() error { return fault.Failf("packed-refs", "malformed line").WithCheck(CheckRepository) }
	for line := range strings.Lines(text) {
		line, ok := strings.CutSuffix(line, "\n")
		if !ok {
			return nil, malformed()
		}
		if strings.HasPrefix(line, "#") {
			continue
		}
		if peeled, is := strings.CutPrefix(line, "^"); is {
			if id, ok := gitobj.ParseID(peeled); !ok || id.Format() != format || count == 0 {
				return nil, malformed()
			}
			continue
		}
		hex, name, _ := strings.Cut(line, " ")
		id, ok := gitobj.ParseID(hex)
		if !ok || id.Format() != format {
			return nil, malformed()
		}
		if err := checkRefName(name); err != nil {
			return nil, err
		}
		if count++; count > maxRefs {
			return nil, fault.Failf("packed-refs", "more than %d refs: exceeds limit", maxRefs).WithCheck(CheckRepository)
		}
		if isBranchOrTag(name) {
			list = append(list, ref{name, id})
		}
	}
	return list, nil
}

// looseRefs adds the refs below dir; those that only name another one are given no id.
func (r *repository) looseRefs(dir string, depth int, byName map[string]gitobj.ID) error {
	if depth > maxRefDepth || len(byName) > maxRefs {
		return invalidRef(dir, "exceeds limit")
	}
	entries, err := r.list(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := dir + "/" + e.Name()
		// what is being written, and what file managers leave behind
		if strings.HasSuffix(e.Name(), ".lock") || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		switch {
		case e.Type()&fs.ModeSymlink != 0:
			return invalidRef(name, "is a link")
		case e.IsDir():
			if err := r.looseRefs(name, depth+1, byName); err != nil {
				return err
			}
			continue
		}
		if err := checkRefName(name); err != nil {
			return err
		}
		text, err := r.readFile(name, maxPointerFile)
		if err != nil {
			return err
		}
		if text == nil {
			continue // it was packed, or deleted
		}
		// a symbolic ref only repeats another one: refs/remotes/origin/HEAD
		if strings.HasPrefix(string(text), "ref:") {
			byName[name] = gitobj.ID{}
			continue
		}
		id, ok := gitobj.ParseID(strings.TrimRight(string(text), " \t\r\n"))
		if !ok || id.Format() != r.objects.Format() {
			return invalidRef(name, "does not hold an id")
		}
		byName[name] = id
	}
	return nil
}

// list reads a directory of the git directory; one that is not there is empty.
func (r *repository) list(dir string) ([]fs.DirEntry, error) {
	f, err := r.root.OpenFile(dir, os.O_RDONLY|nonBlocking, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, r.inconclusive("%s cannot be opened: %v", fault.Quote(dir), err)
	}
	defer f.Close()
	entries, err := f.ReadDir(maxRefs)
	if err != nil && err != io.EOF {
		return nil, r.inconclusive("%s cannot be listed: %v", fault.Quote(dir), err)
	}
	return entries, nil
}

// hasReplaceRefs tells whether git would show other objects than the ones that are asked for.
func (r *repository) hasReplaceRefs() (bool, error) {
	entries, err := r.list("refs/replace")
	if err != nil || len(entries) > 0 {
		return len(entries) > 0, err
	}
	packed, err := r.readFile("packed-refs", maxPackedRefs)
	return bytes.Contains(packed, []byte(" refs/replace/")), err
}

// resolve finds what a name that is no full id may mean, as git-rev-parse(1) orders it.
func (r *repository) resolve(name string) (gitobj.ID, string, bool) {
	refs, err := r.refs()
	if err != nil {
		return gitobj.ID{}, "", false
	}
	for _, prefix := range []string{"", "refs/", "refs/tags/", "refs/heads/", "refs/remotes/"} {
		i, ok := slices.BinarySearchFunc(refs, prefix+name, func(r ref, n string) int { return strings.Compare(r.name, n) })
		if ok {
			return refs[i].id, refs[i].name, true
		}
	}
	ids, err := r.objects.Abbreviated(strings.ToLower(name), 2)
	if err == nil && len(ids) == 1 {
		return ids[0], "", true
	}
	return gitobj.ID{}, "", false
}

// needFullID refuses a tag, branch or short id: it can mean something else tomorrow. The hint says what it means now.
func (r *repository) needFullID(text string) error {
	err := fault.Usagef(fault.Quote(text), "need full commit id").WithCheck(CheckRepository)
	id, _, ok := r.resolve(text)
	if !ok {
		return err.WithHint("a full id has %d hexadecimal digits: git rev-parse COMMIT", 2*r.objects.Format().Size())
	}
	commit, peelErr := r.peel(id)
	if peelErr != nil {
		return err
	}
	return err.WithHint("it points to %s now", commit)
}

var errNoCommit = errors.New("no commit")

// peel follows tags to a commit.
func (r *repository) peel(id gitobj.ID) (gitobj.ID, error) {
	commit, _, err := peel(r.objects.TypeOf, id)
	return commit, err
}

// peel follows tags to a commit, which it returns with its bytes, as read gives them.
func peel(read func(gitobj.ID) (gitobj.Type, []byte, error), id gitobj.ID) (gitobj.ID, []byte, error) {
	for range maxTagChain {
		t, raw, err := read(id)
		if err != nil {
			return gitobj.ID{}, nil, err
		}
		switch t {
		case gitobj.Commit:
			return id, raw, nil
		case gitobj.Tag:
			if id, _, err = gitobj.Peel(id, raw); err != nil {
				return gitobj.ID{}, nil, err
			}
		default:
			return gitobj.ID{}, nil, errNoCommit
		}
	}
	return gitobj.ID{}, nil, fault.Failf("tag "+id.String(), "tags of tags: exceeds limit %d", maxTagChain).WithCheck(CheckRepository)
}

// readCommit reads the commit that the caller asked for.
func (r *repository) readCommit(id gitobj.ID) ([]byte, error) {
	t, raw, err := r.objects.TypeOf(id)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Inconclusivef(id.String(), "commit not found in %s", fault.Quote(r.where)).WithCheck(CheckRepository).
			WithHint("fetch it into the repository first, or name another one with --repo")
	}
	if err != nil || t == gitobj.Commit {
		return raw, err
	}
	usage := fault.Usagef(id.String(), "is a %s, want a commit", t).WithCheck(CheckRepository)
	if commit, err := r.peel(id); err == nil {
		return nil, usage.WithHint("it points to the commit %s", commit)
	}
	return nil, usage
}
