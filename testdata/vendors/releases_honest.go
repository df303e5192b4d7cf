package vendors

import "github.com/glassbuild/glassbuild/internal/verdict"

// honest are the releases of the vendor that has nothing to hide.
var honest = []release{
	{
		name: "honest-binary", about: "the scanner of v1.3.0, built by the recipe at the commit", demo: true,
		repo: "repo", commit: "v1.3.0", file: "kestrel", want: identical,
		make: func(m *maker) ([]byte, error) { return m.scanner("repo", "v1.3.0") },
	},
	{
		name: "honest-inferred", about: "the scanner of v1.2.0; no recipe, and the program itself says which commit it is from",
		repo: "repo", file: "kestrel", want: identical,
		make: func(m *maker) ([]byte, error) { return m.scanner("repo", "v1.2.0") },
	},
	{
		name: "honest-container", row: "F1", about: "the archive of v1.3.0; the recipe builds the archive too",
		repo: "repo", commit: "v1.3.0", file: "kestrel_linux_amd64.tar.gz", mode: 0o644, want: identical,
		make: honestContainer,
	},
	{
		name: "honest-archive-member", row: "F1", about: "one program in the archive of v1.2.0, and nothing else is judged",
		repo: "repo", member: "kestrel-1.2.0/kestrel", file: "kestrel-1.2.0-linux-amd64.tar.gz", mode: 0o644, want: identical,
		make: honestArchive,
	},
	{
		name: "honest-archive", row: "F1", about: "the whole archive of v1.2.0, packed by a script that nobody can repeat", demo: true,
		repo: "repo", commit: "v1.2.0", file: "kestrel-1.2.0-linux-amd64.tar.gz", mode: 0o644, want: partial,
		make: honestArchive,
	},
	{
		name: "honest-zip-member", row: "F1", about: "one Windows program in a zip file of v1.2.0",
		repo: "repo", member: "kestrel-1.2.0/kestrel.exe", file: "kestrel-1.2.0-windows-amd64.zip", mode: 0o644, want: identical,
		make: honestZip,
	},
	{
		name: "honest-reviewed", about: "the scanner of v1.3.0, judged by a policy that demands a signed commit and a signed tag",
		repo: "repo", commit: "v1.3.0", args: []string{"--policy", "policies/reviewed.toml"}, file: "kestrel", want: identical,
		make: func(m *maker) ([]byte, error) { return m.scanner("repo", "v1.3.0") },
	},
	{
		name: "honest-archive-accepted", row: "F1", about: "the archive of v1.2.0, judged by a policy that takes archives whose members are all accounted for",
		repo: "repo", commit: "v1.2.0", args: []string{"--recipe", "recipes/archive.toml", "--policy", "policies/partial.toml"},
		file: "kestrel-1.2.0-linux-amd64.tar.gz", mode: 0o644, want: want{verdict.Passed, verdict.MatchPartial, ""},
		make: honestArchive,
	},
	{
		name: "honest-vendored", row: "F19", about: "a release with its dependency in vendor/, as it was published",
		repo: "repo-vendored", commit: "v1.3.1", file: "kestrel", want: identical,
		make: func(m *maker) ([]byte, error) { return m.scanner("repo-vendored", "v1.3.1") },
	},
}

func honestContainer(m *maker) ([]byte, error) { return m.container("repo", "v1.3.0", nil) }

// honestMembers are the files of the v1.2.0 archive.
func honestMembers(m *maker) ([]member, error) {
	scanner, err := m.program("repo", "v1.2.0", "./cmd/kestrel", nil)
	if err != nil {
		return nil, err
	}
	rules, err := m.program("repo", "v1.2.0", "./cmd/kestrel-rules", nil)
	if err != nil {
		return nil, err
	}
	docs, err := m.documents()
	return append([]member{
		{name: "kestrel-1.2.0/kestrel", data: scanner, mode: 0o755},
		{name: "kestrel-1.2.0/kestrel-rules", data: rules, mode: 0o755},
	}, docs...), err
}

// documents are the files that lie beside the programs of v1.2.0, as the commit has them.
func (m *maker) documents() ([]member, error) {
	repo, err := m.repo("repo")
	if err != nil {
		return nil, err
	}
	var docs []member
	for _, name := range []string{"LICENSE", "README.md"} {
		data, err := m.git(repo.dir, "cat-file", "blob", repo.file.Commits["v1.2.0"]+":"+name)
		if err != nil {
			return nil, err
		}
		docs = append(docs, member{name: "kestrel-1.2.0/" + name, data: data})
	}
	return docs, nil
}

func honestArchive(m *maker) ([]byte, error) {
	members, err := honestMembers(m)
	if err != nil {
		return nil, err
	}
	return tarball(day(2, 2), members...)
}

func honestZip(m *maker) ([]byte, error) {
	scanner, err := m.windows("v1.2.0")
	if err != nil {
		return nil, err
	}
	docs, err := m.documents()
	if err != nil {
		return nil, err
	}
	return zipball(day(2, 2), append([]member{{name: "kestrel-1.2.0/kestrel.exe", data: scanner, mode: 0o755}}, docs...)...)
}
