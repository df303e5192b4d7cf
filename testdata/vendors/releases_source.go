package vendors

import "path/filepath"

// sources are releases whose repository is the trick.
var sources = []release{
	{
		name: "unreachable", row: "F5", about: "the program names a commit that no branch or tag reaches",
		repo: "repo", file: "kestrel", want: want{"failed", "", "source.reachable"},
		make: func(m *maker) ([]byte, error) { return m.scanner("repo", "unreachable") },
	},
	{
		name: "side-branch", row: "F5", about: "the program names a branch that nobody reviewed; the auditor named the release",
		repo: "repo", commit: "v1.3.0", file: "kestrel", want: contradicted,
		make: func(m *maker) ([]byte, error) { return m.scanner("repo", "side") },
	},
	{
		name: "side-branch-chosen", row: "F5", about: "the same, and the auditor let the program choose: the first line says so, and it cannot be signed",
		repo: "repo", file: "kestrel", want: identical,
		make: func(m *maker) ([]byte, error) { return m.scanner("repo", "side") },
	},
	{
		name: "side-branch-reviewed", row: "F5", about: "the same, judged by a policy that demands a signed commit",
		repo: "repo", args: []string{"--policy", "policies/reviewed.toml"}, file: "kestrel", want: want{"failed", "", "source.signature"},
		make: func(m *maker) ([]byte, error) { return m.scanner("repo", "side") },
	},
	{
		name: "untagged-reviewed", row: "F5", about: "built from the tip of main, signed but never released; the policy demands a signed tag",
		repo: "repo", commit: "tip", args: []string{"--policy", "policies/reviewed.toml"}, file: "kestrel", want: want{"failed", "", "source.tag"},
		make: func(m *maker) ([]byte, error) { return m.scanner("repo", "tip") },
	},
	{
		name: "renamed-tag", row: "F5", about: "the signed tag v1.2.0 is served as v1.9.0: an old release looks like the newest",
		repo: "repo-renamed-tag", commit: "v1.2.0", args: []string{"--policy", "policies/newest.toml"}, file: "kestrel", want: want{"failed", "", "source.tag"},
		make: func(m *maker) ([]byte, error) { return m.scanner("repo-renamed-tag", "v1.2.0") },
	},
	{
		name: "copied", row: "F6", about: "the finished program lies in the repository, and the recipe copies it", demo: true,
		repo: "repo-copied", commit: "v1.3.1", file: "kestrel", want: copied,
		make: (*maker).finished,
	},
	{
		name: "copied-gzip", row: "F6", about: "the same, compressed",
		repo: "repo-copied-gzip", commit: "v1.3.1", file: "kestrel", want: copied,
		make: (*maker).finished,
	},
	{
		name: "copied-nested", row: "F6", about: "the same, in an archive",
		repo: "repo-copied-nested", commit: "v1.3.1", file: "kestrel", want: copied,
		make: (*maker).finished,
	},
	{
		name: "disguised", row: "F19", about: "the same, every byte changed; the policy demands that every file can be read",
		repo: "repo-disguised", commit: "v1.3.1", args: []string{"--policy", "policies/readable.toml"}, file: "kestrel",
		want: want{"failed", "", "source.tree"},
		make: (*maker).finished,
	},
	{
		name: "dependency", row: "F6", about: "the finished program lies in a dependency, stripped; the recipe puts it together again",
		repo: "repo-dependency", commit: "v1.3.1", file: "kestrel", want: copied, env: privateProxy("proxy-dependency"),
		make: (*maker).finished,
	},
	{
		name: "dependency-strips", row: "F6", about: "the finished program lies in a dependency; the recipe strips it",
		repo: "repo-dependency-strips", commit: "v1.3.1", file: "kestrel", want: copied, env: privateProxy("proxy-dependency-strips"),
		make: func(m *maker) ([]byte, error) {
			data, err := m.finished()
			if err != nil {
				return nil, err
			}
			files, err := stripped(data)
			return files["model.bin"], err
		},
	},
	{
		name: "export-subst", row: "F12", about: "git archive turns a comment into code that stands in the commit's message",
		repo: "repo-export-subst", commit: "v1.3.1", file: "kestrel", want: want{"failed", "", "source.tree"},
		make: func(m *maker) ([]byte, error) {
			r, err := m.repo("repo-export-subst")
			if err != nil {
				return nil, err
			}
			dir, err := r.archive(r.file.Commits["v1.3.1"])
			if err != nil {
				return nil, err
			}
			return m.buildIn(dir, "export-subst", "-trimpath", "-buildvcs=false")
		},
	},
	{
		name: "vendored-edited", row: "F19", about: "one line of the vendored dependency was changed: one rule is read wrongly",
		repo: "repo-vendored-edited", commit: "v1.3.1", file: "kestrel", want: want{"failed", "", "inputs.vendored"},
		make: func(m *maker) ([]byte, error) { return m.scanner("repo-vendored-edited", "v1.3.1") },
	},
}

// privateProxy is the environment in which the private dependency can be had.
func privateProxy(dir string) func(*maker) map[string]string {
	return func(m *maker) map[string]string {
		return map[string]string{
			"GOPROXY":   "file://" + filepath.ToSlash(filepath.Join(m.dir, dir)) + "," + m.goproxy,
			"GONOSUMDB": "kestrel.example/*",
		}
	}
}
