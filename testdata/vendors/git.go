package vendors

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// repo is a bare repository. Its objects are written here, loose, so that nothing of the user's git configuration can
// change an id; everything that reads them afterwards is git itself.
type repo struct {
	m    *maker
	name string
	dir  string
	file Repo // what expected.json says of it
}

// change is one commit to be made.
type change struct {
	parents []string
	files   tree
	by      *key
	sign    bool
	when    time.Time
	message string
}

func (m *maker) newRepo(name string) (*repo, error) {
	r := &repo{m: m, name: name, dir: filepath.Join(m.dir, name)}
	r.file = Repo{Branches: map[string]string{}, Tags: map[string]string{}, Commits: map[string]string{}}
	for _, dir := range []string{"objects/pack", "refs/heads", "refs/tags"} {
		if err := os.MkdirAll(filepath.Join(r.dir, dir), 0o755); err != nil {
			return nil, err
		}
	}
	config := "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n[gc]\n\tauto = 0\n"
	if err := os.WriteFile(filepath.Join(r.dir, "config"), []byte(config), 0o644); err != nil {
		return nil, err
	}
	return r, os.WriteFile(filepath.Join(r.dir, "HEAD"), []byte("ref: refs/heads/main\n"), 0o644)
}

// object writes one object and returns its id.
func (r *repo) object(kind string, data []byte) (string, error) {
	all := slices.Concat(fmt.Appendf(nil, "%s %d\x00", kind, len(data)), data)
	sum := sha1.Sum(all)
	id := hex.EncodeToString(sum[:])
	file := filepath.Join(r.dir, "objects", id[:2], id[2:])
	if _, err := os.Stat(file); err == nil {
		return id, nil
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return "", err
	}
	var buf bytes.Buffer
	z := zlib.NewWriter(&buf)
	if _, err := z.Write(all); err != nil {
		return "", err
	}
	if err := z.Close(); err != nil {
		return "", err
	}
	return id, os.WriteFile(file, buf.Bytes(), 0o444)
}

// tree writes the trees and blobs of the files; every file has mode 100644.
func (r *repo) tree(files tree) (string, error) {
	type entry struct{ mode, name, id string }
	var entries []entry
	below := map[string]tree{}
	for name, data := range files {
		if dir, rest, ok := strings.Cut(name, "/"); ok {
			if below[dir] == nil {
				below[dir] = tree{}
			}
			below[dir][rest] = data
			continue
		}
		id, err := r.object("blob", data)
		if err != nil {
			return "", err
		}
		entries = append(entries, entry{"100644", name, id})
	}
	for name, files := range below {
		id, err := r.tree(files)
		if err != nil {
			return "", err
		}
		entries = append(entries, entry{"40000", name, id})
	}
	order := func(e entry) string { // git sorts a tree as if its name ended in a slash
		if e.mode == "40000" {
			return e.name + "/"
		}
		return e.name
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(order(a), order(b)) })
	var buf bytes.Buffer
	for _, e := range entries {
		raw, err := hex.DecodeString(e.id)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&buf, "%s %s\x00%s", e.mode, e.name, raw)
	}
	return r.object("tree", buf.Bytes())
}

// commit writes a commit; no branch moves. A signed one carries its signature in gpgsig, as git writes it.
func (r *repo) commit(c change) (string, error) {
	id, err := r.tree(c.files)
	if err != nil {
		return "", err
	}
	var head strings.Builder
	fmt.Fprintf(&head, "tree %s\n", id)
	for _, p := range c.parents {
		fmt.Fprintf(&head, "parent %s\n", p)
	}
	who := fmt.Sprintf("%s <%s> %d +0000", c.by.name, c.by.email, c.when.Unix())
	fmt.Fprintf(&head, "author %s\ncommitter %s\n", who, who)
	body := "\n" + c.message
	if c.sign {
		sig, err := c.by.sign([]byte(head.String() + body))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&head, "gpgsig %s\n", strings.ReplaceAll(strings.TrimSpace(string(sig)), "\n", "\n "))
	}
	return r.object("commit", []byte(head.String()+body))
}

// tag makes an annotated, signed tag.
func (r *repo) tag(name, commit string, by *key, when time.Time) error {
	text := fmt.Sprintf("object %s\ntype commit\ntag %s\ntagger %s <%s> %d +0000\n\nKestrel %s\n",
		commit, name, by.name, by.email, when.Unix(), name)
	sig, err := by.sign([]byte(text))
	if err != nil {
		return err
	}
	id, err := r.object("tag", slices.Concat([]byte(text), bytes.TrimSpace(sig), []byte("\n")))
	if err != nil {
		return err
	}
	r.file.Tags[name] = commit
	return r.ref("refs/tags/"+name, id)
}

func (r *repo) branch(name, commit string) error {
	r.file.Branches[name] = commit
	return r.ref("refs/heads/"+name, commit)
}

func (r *repo) ref(name, id string) error {
	file := filepath.Join(r.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(id+"\n"), 0o644)
}

// clone checks a commit out into a new work tree, as the vendor's own machine has it: with every object and tag.
func (r *repo) clone(commit string) (string, error) {
	dir, err := os.MkdirTemp(r.m.work, path.Base(r.name)+"-")
	if err != nil {
		return "", err
	}
	if _, err := r.m.git(r.m.work, "clone", "-q", "--no-checkout", r.dir, dir); err != nil {
		return "", err
	}
	_, err = r.m.git(dir, "checkout", "-q", "--detach", commit)
	return dir, err
}

// gitEnv keeps the user's and the machine's configuration out.
var gitEnv = []string{
	"GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_CONFIG_SYSTEM=" + os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
	"GIT_TERMINAL_PROMPT=0", "GIT_OPTIONAL_LOCKS=0", "LC_ALL=C", "TZ=UTC",
}

func (m *maker) git(dir string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(m.ctx, "git", args...)
	cmd.Dir = dir
	cmd.Env = append(cleanEnv("GIT_"), gitEnv...)
	return run(cmd)
}

// run returns the standard output; an error holds what was printed to the other.
func run(cmd *exec.Cmd) ([]byte, error) {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return out, nil
}

// cleanEnv is the environment less the variables with one of the prefixes.
func cleanEnv(prefixes ...string) []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(v, p) })
	})
}
