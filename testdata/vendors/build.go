package vendors

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
)

// scanner builds cmd/kestrel of a commit as the vendor does, and returns the program.
func (m *maker) scanner(repo, commit string) ([]byte, error) {
	return m.program(repo, commit, "./cmd/kestrel", nil)
}

// program builds one command of a commit. prepare may change the work tree before; a build that is not prepared is kept
// and not repeated.
func (m *maker) program(repo, commit, pkg string, prepare func(dir string) error, flags ...string) ([]byte, error) {
	name := fmt.Sprintf("%s-%s-%s", repo, commit, filepath.Base(pkg))
	if file, ok := m.outputs[name]; ok && prepare == nil && len(flags) == 0 {
		return os.ReadFile(file)
	}
	dir, err := m.checkout(repo, commit)
	if err != nil {
		return nil, err
	}
	if prepare != nil {
		if err := prepare(dir); err != nil {
			return nil, err
		}
	}
	if prepare != nil || len(flags) > 0 {
		name = filepath.Base(dir)
	}
	if len(flags) == 0 {
		flags = []string{"-trimpath", "-buildvcs=true"}
	}
	file, err := m.build(name, dir, append(flags, pkg)...)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(file)
}

// checkout clones a repository at a commit that it knows by name.
func (m *maker) checkout(repo, commit string) (string, error) {
	r, err := m.repo(repo)
	if err != nil {
		return "", err
	}
	id, ok := r.file.Commits[commit]
	if !ok {
		return "", fmt.Errorf("%s: no commit %q", repo, commit)
	}
	return r.clone(id)
}

// hide lays files over a work tree in a way that git does not report: the stamp stays that of the clean commit.
func (m *maker) hide(variant string) func(dir string) error {
	return func(dir string) error {
		files, err := m.readTree("variants/" + variant)
		if err != nil {
			return err
		}
		if err := writeFiles(dir, files); err != nil {
			return err
		}
		var names bytes.Buffer
		for path := range files {
			fmt.Fprintf(&names, "/%s\n", path)
		}
		return os.WriteFile(filepath.Join(dir, ".git/info/exclude"), names.Bytes(), 0o644)
	}
}

// edit replaces text in one file of a work tree and tells git to look away.
func (m *maker) edit(path, from, to string) func(dir string) error {
	return func(dir string) error {
		file := filepath.Join(dir, filepath.FromSlash(path))
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if bytes.Count(data, []byte(from)) != 1 {
			return fmt.Errorf("%s: want %q in it once", path, from)
		}
		if err := os.WriteFile(file, bytes.Replace(data, []byte(from), []byte(to), 1), 0o644); err != nil {
			return err
		}
		_, err = m.git(dir, "update-index", "--assume-unchanged", path)
		return err
	}
}

// stamped runs the step that the vendor's recipe runs before the build.
func (m *maker) stamped(step string, then func(dir string) error) func(dir string) error {
	return func(dir string) error {
		if err := m.goRun(dir, nil, "run", step); err != nil {
			return err
		}
		if then == nil {
			return nil
		}
		return then(dir)
	}
}

// container is the archive of a commit as the vendor packs it, around the scanner of that commit or another one.
func (m *maker) container(repo, commit string, scanner []byte) ([]byte, error) {
	rules, err := m.program(repo, commit, "./cmd/kestrel-rules", nil)
	if err != nil {
		return nil, err
	}
	if scanner == nil {
		if scanner, err = m.scanner(repo, commit); err != nil {
			return nil, err
		}
	}
	dir, err := m.checkout(repo, commit)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(dir, "dist"), 0o755); err != nil {
		return nil, err
	}
	for name, data := range map[string][]byte{"kestrel": scanner, "kestrel-rules": rules} {
		if err := os.WriteFile(filepath.Join(dir, "dist", name), data, 0o755); err != nil {
			return nil, err
		}
	}
	out := filepath.Join(dir, "dist", "kestrel_linux_amd64.tar.gz")
	env := []string{fmt.Sprintf("SOURCE_DATE_EPOCH=%d", day(3, 2).Unix())}
	err = m.goRun(dir, env, "run", "./cmd/pack", "-o", out, "-prefix", "kestrel", "dist/kestrel", "dist/kestrel-rules", "LICENSE", "README.md")
	if err != nil {
		return nil, err
	}
	return os.ReadFile(out)
}

// windows builds the scanner for windows/amd64, from the same clean work tree.
func (m *maker) windows(commit string) ([]byte, error) {
	dir, err := m.checkout("repo", commit)
	if err != nil {
		return nil, err
	}
	out := filepath.Join(dir, "kestrel-rules") // a name that .gitignore leaves out of the stamp
	if err := m.goRun(dir, []string{"GOOS=windows", "GOARCH=amd64", "GOAMD64=v1"}, "build", "-trimpath", "-buildvcs=true", "-o", out, "./cmd/kestrel"); err != nil {
		return nil, err
	}
	return os.ReadFile(out)
}

// buildIn builds the scanner in a folder that is no work tree.
func (m *maker) buildIn(dir, name string, flags ...string) ([]byte, error) {
	file, err := m.build(name, dir, append(flags, "./cmd/kestrel")...)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(file)
}
