package artifact

import (
	"encoding/binary"
	"path"
	"strings"

	"github.com/glassbuild/glassbuild/internal/archive"
)

// Runs says why a member would run, or decide what runs, on the machine of whoever installs or starts what was shipped: ""
// for data. within are the containers around it, the outermost first. Names count only where a package format gives them a
// meaning; everywhere else the bytes and the mode decide, so that no odd name hides a program.
//
// Formats: machine code and scripts by magic (format.go); any file with an execute bit; maintainer scripts and triggers of
// deb (Debian Policy 6), scriptlets of rpm, install scripts of Alpine packages (apk-v2), npm (package.json scripts and what its
// bin names, binding.gyp), Python (.pth, sitecustomize and entry points of wheels, scripts of wheels, setup.py), gems
// (extensions, rubygems_plugin), NuGet (PowerShell and MSBuild files), Arch packages (.INSTALL); the configuration of images;
// source code of interpreted languages by its extension: nothing compiles it; containers that are not opened here (MSI and
// other OLE files, packages and disk images of macOS, 7z, …); resource forks in AppleDouble files and extended attributes.
func (a *Artifact) Runs(m *Member, within []*Member) string {
	if m.Type != File && m.Type != Hardlink {
		return ""
	}
	switch {
	case m.Format == "script":
		return "script"
	case m.Executable():
		return m.Format + " code"
	case m.Xattrs["com.apple.ResourceFork"] != "":
		return "resource fork"
	case m.Size == 0:
		return ""
	}
	if why := hookOf(m, within); why != "" {
		return why
	}
	if a.npmBin(m, within) {
		return "bin of an npm package"
	}
	if why := a.sealed(m, within); why != "" {
		return why
	}
	if m.Mode&0o111 != 0 && len(m.Members) == 0 {
		return "execute bit"
	}
	return ""
}

// sealed looks into the few kinds of data that can hold a program without being one.
func (a *Artifact) sealed(m *Member, within []*Member) string {
	base := path.Base(m.Name)
	switch {
	case base == "package.json":
		if list := a.npmScripts(m); len(list) > 0 {
			return "npm " + strings.Join(list, ", ")
		}
		return ""
	case inGem(within) && within[len(within)-1].Name == "metadata.gz":
		return a.gemExtensions(m)
	case len(within) > 0 && within[len(within)-1].Format == archive.FormatRPM && m.Name == "header":
		if list := a.rpmScripts(m); len(list) > 0 {
			return "rpm scriptlet " + strings.Join(list, ", ")
		}
		return ""
	}
	if m.Format == "" && (strings.HasPrefix(m.Name, "blobs/sha256/") || strings.HasSuffix(m.Name, ".json") && besideManifest(m, within)) {
		return a.entryPoint(m)
	}
	head, err := a.Head(m, archive.DetectBytes)
	if err != nil {
		return ""
	}
	if m.Format == "" && len(m.Members) == 0 && a.macDisk(m) {
		return "disk image of macOS, which is not opened here"
	}
	if hasFork(head) {
		return "resource fork"
	}
	if kind := closed(head); kind != "" && len(m.Members) == 0 && (m.Problem != nil || !archive.DiskImage(m.Format)) {
		return kind + ", which is not opened here"
	}
	return ""
}

// closed names containers that this program does not read: what lies in them could be anything.
func closed(head []byte) string {
	for _, k := range []struct {
		at          int
		magic, name string
	}{
		{0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "OLE file, as installers of Windows are"}, {0, "xar!", "xar archive, as packages of macOS are"},
		{0, "7z\xbc\xaf\x27\x1c", "7z archive"}, {0, "Rar!\x1a\x07", "rar archive"}, {0, "MSCF\x00\x00\x00\x00", "cabinet"}, {0, "LZIP", "lzip stream"}, {0, "\x1f\x9d", "compress stream"},
		{0, "ADB.", "Alpine package of version 3"}, {0, "ADBd", "Alpine package of version 3"}, {0, "\x1bLua", "compiled Lua"}, {0, "FOR1", "compiled Erlang"},
		{0, "hsqs", "squashfs"}, {0, "sqsh", "squashfs"}, {0, "\x45\x3d\xcd\x28", "cramfs"}, {1024, "\xe2\xe1\xf5\xe0", "erofs"}, {0, "UBI#", "UBI image"}, {0, "\x85\x19\x03\x20", "JFFS2"},
		{0, "QFI\xfb", "disk image (qcow2)"}, {0, "KDMV", "disk image (vmdk)"}, {0, "conectix", "disk image (vhd)"}, {0, "vhdxfile", "disk image (vhdx)"},
		{3, "NTFS    ", "NTFS"}, {3, "EXFAT   ", "exFAT"}, {54, "FAT", "FAT"}, {82, "FAT32", "FAT"}, {0, "XFSB", "XFS"}, {512, "EFI PART", "disk image with partitions"}, {510, "\x55\xaa", "disk image or boot code"},
	} {
		if len(head) >= k.at+len(k.magic) && string(head[k.at:k.at+len(k.magic)]) == k.magic {
			return k.name
		}
	}
	return ""
}

// hasFork tells whether an AppleSingle or AppleDouble file (RFC 1740, appendix A) has a resource fork: more than the 286
// bytes that an empty one takes.
func hasFork(head []byte) bool {
	if len(head) < 26 || string(head[:3]) != "\x00\x05\x16" || head[3] != 0 && head[3] != 7 {
		return false
	}
	n := int(binary.BigEndian.Uint16(head[24:]))
	for i := 0; i < n && 26+12*(i+1) <= len(head); i++ {
		e := head[26+12*i:]
		if binary.BigEndian.Uint32(e) == 2 && binary.BigEndian.Uint32(e[8:]) > 286 {
			return true
		}
	}
	return n > maxForkEntries
}
