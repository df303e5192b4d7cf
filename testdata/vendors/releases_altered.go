package vendors

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// hidden is the payload of the releases that carry one in a linker flag: directories that the scanner leaves out.
const hidden = "-X=main.defaultExclude=/opt/collector,/etc/cron.d"

// altered are programs that were not built from the commit that is named, or not in the way that is said.
var altered = []release{
	{
		name: "tampered", row: "F13", about: "one more function, which sends the scanned files away; the stamp is that of the clean commit", demo: true,
		repo: "repo", commit: "v1.3.0", file: "kestrel", want: different,
		make: tampered,
	},
	{
		name: "one-line", row: "F13", about: "one changed line: one rule never matches",
		repo: "repo", commit: "v1.3.0", file: "kestrel", want: different,
		make: func(m *maker) ([]byte, error) {
			return m.program("repo", "v1.3.0", "./cmd/kestrel", m.edit("engine/set.go", "\t\tif ok {\n", "\t\tif ok && r.ID != \"KST-0102\" {\n"))
		},
	},
	{
		name: "one-bit", about: "the honest scanner with one bit turned over",
		repo: "repo", commit: "v1.3.0", file: "kestrel", want: different,
		make: func(m *maker) ([]byte, error) {
			data, err := m.scanner("repo", "v1.3.0")
			if err == nil {
				data[len(data)/3] ^= 1
			}
			return data, err
		},
	},
	{
		name: "appended", about: "the honest scanner with a program appended, which nothing needs to run it",
		repo: "repo", commit: "v1.3.0", file: "kestrel", want: different,
		make: func(m *maker) ([]byte, error) {
			data, err := m.scanner("repo", "v1.3.0")
			return append(data, "#!/bin/sh\nexec /opt/collector/run\n"...), err
		},
	},
	{
		name: "other-commit", about: "the scanner of v1.2.0, said to be v1.3.0",
		repo: "repo", commit: "v1.3.0", file: "kestrel", want: contradicted,
		make: func(m *maker) ([]byte, error) { return m.scanner("repo", "v1.2.0") },
	},
	{
		name: "linker-payload", row: "F2", about: "a list of directories to leave out, set by -X; the build info says so",
		repo: "repo", file: "kestrel", want: want{"inconclusive", "", "recipe.settings"},
		make: func(m *maker) ([]byte, error) { return m.linked("v1.2.0", "-buildvcs=true", "-ldflags="+hidden) },
	},
	{
		name: "linker-payload-hidden", row: "F2", about: "the same with -trimpath, so that the build info does not say so",
		repo: "repo", commit: "v1.3.0", file: "kestrel", want: different,
		make: func(m *maker) ([]byte, error) {
			return m.linked("v1.3.0", "-trimpath", "-buildvcs=true", "-ldflags="+hidden)
		},
	},
	{
		name: "phantom-tag", row: "F14", about: "built while a tag was there that nobody else can see; the build info says v1.9.9",
		repo: "repo", commit: "v1.3.0", file: "kestrel", want: different,
		make: func(m *maker) ([]byte, error) {
			return m.program("repo", "v1.3.0", "./cmd/kestrel", func(dir string) error {
				_, err := m.git(dir, "tag", "v1.9.9")
				return err
			})
		},
	},
	{
		name: "dirty", row: "F14", about: "built beside a file that is not in the commit; the stamp says modified, and no recipe says so",
		repo: "repo", file: "kestrel", want: want{"inconclusive", "", "recipe.settings"},
		make: func(m *maker) ([]byte, error) { return m.program("repo", "v1.2.0", "./cmd/kestrel", untracked) },
	},
	{
		name: "dirty-accepted", row: "F14", about: "the same, and the auditor's own recipe says so",
		repo: "repo", commit: "v1.2.0", args: []string{"--recipe", "recipes/dirty.toml"}, file: "kestrel", want: identical,
		make: func(m *maker) ([]byte, error) { return m.program("repo", "v1.2.0", "./cmd/kestrel", untracked) },
	},
	{
		name: "unreproducible", row: "76", about: "an honest vendor that embeds the time of the build", demo: true,
		repo: "repo-unreproducible", commit: "v1.3.1", file: "kestrel", want: want{"inconclusive", "not-rebuilt", "rebuild.reproducible"},
		make: func(m *maker) ([]byte, error) {
			return m.program("repo-unreproducible", "v1.3.1", "./cmd/kestrel", m.stamped("./internal/stamp", nil))
		},
	},
	{
		name: "unreproducible-tampered", row: "F16", about: "the same vendor, and the function that sends files away",
		repo: "repo-unreproducible", commit: "v1.3.1", file: "kestrel", want: different,
		make: func(m *maker) ([]byte, error) {
			return m.program("repo-unreproducible", "v1.3.1", "./cmd/kestrel", m.stamped("./internal/stamp", m.hide("tampered")))
		},
	},
	{
		name: "unreproducible-container", row: "76", about: "an honest vendor whose archive holds the time at which it was packed",
		repo: "repo-unreproducible-container", commit: "v1.3.1", file: "kestrel_linux_amd64.tar.gz", mode: 0o644,
		want: want{"inconclusive", "not-rebuilt", "rebuild.reproducible"},
		make: func(m *maker) ([]byte, error) { return m.container("repo-unreproducible-container", "v1.3.1", nil) },
	},
	{
		name: "doctored-toolchain", row: "F3", about: "built with a Go toolchain in which one file of the standard library was changed",
		repo: "repo", commit: "v1.3.0", file: "kestrel", want: different,
		make: func(m *maker) ([]byte, error) { return m.doctored("repo", "v1.3.0") },
	},
}

func tampered(m *maker) ([]byte, error) {
	return m.program("repo", "v1.3.0", "./cmd/kestrel", m.hide("tampered"))
}

// linked builds with flags of its own.
func (m *maker) linked(commit string, flags ...string) ([]byte, error) {
	return m.program("repo", commit, "./cmd/kestrel", nil, flags...)
}

func untracked(dir string) error {
	return os.WriteFile(filepath.Join(dir, "NOTES"), []byte("ask for the new certificate\n"), 0o644)
}

// doctored builds with a Go toolchain in which one file of the standard library says something else.
func (m *maker) doctored(repo, commit string) ([]byte, error) {
	const from, to = "flag provided but not defined", "flag given but not defined"
	root, goTool, err := m.doctor("flag", func(text []byte) ([]byte, error) {
		if !bytes.Contains(text, []byte(from)) {
			return nil, errors.New("src/flag/flag.go: not as expected")
		}
		return bytes.ReplaceAll(text, []byte(from), []byte(to)), nil
	})
	if err != nil {
		return nil, err
	}
	dir, err := m.checkout(repo, commit)
	if err != nil {
		return nil, err
	}
	out := dir + ".out"
	cmd := exec.CommandContext(m.ctx, goTool, "build", "-trimpath", "-buildvcs=true", "-o", out, "./cmd/kestrel")
	cmd.Dir = dir
	cmd.Env = append(slices.Concat(m.goEnv, m.hostGo(), target), "GOROOT="+root)
	if _, err := run(cmd); err != nil {
		return nil, err
	}
	return os.ReadFile(out)
}
