package gitobj

import (
	"strings"
	"unicode/utf8"
)

// checkName refuses a name that could lead out of its directory ("invalid tree entry") and one that some file system
// takes for a repository's own folder ("forbidden name"), whatever file system this is: CVE-2014-9390, CVE-2019-1352,
// CVE-2026-45571. A .gitmodules that is a link is refused as git does (CVE-2018-11235).
func checkName(where, name string, mode Mode) error {
	if name == "" || name == "." || name == ".." || len(name) > maxNameLength {
		return treeFault(where, "invalid tree entry %q", name)
	}
	suspicious := false
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case c == '/', c < ' ', c == 0x7f:
			return treeFault(where, "invalid tree entry %q", name)
		case c == '.', c == '~', c == '\\', c == ':', c >= 0x80:
			suspicious = true
		}
	}
	if !suspicious {
		return nil
	}
	// a backslash divides a path where git protects NTFS
	for part := range strings.SplitSeq(name, `\`) {
		if part == ".." || RepositoryFolder(part) {
			return treeFault(where, "forbidden name %q", name)
		}
	}
	if mode == ModeLink && looksLike(name, ".gitmodules", "gitmod~") {
		return treeFault(where, "unsafe submodule: %q is a link", name)
	}
	return nil
}

// RepositoryFolder tells whether some file system takes name for ".git": by letter case; on HFS+ with code points that
// it ignores; on NTFS with its short name, with dots and spaces at the end, or with the name of a data stream.
func RepositoryFolder(name string) bool { return looksLike(name, ".git", "git~1") }

// looksLike tells whether some file system takes name for dot, whose first short name on NTFS is short; a short that
// ends in "~" stands for any number behind it.
func looksLike(name, dot, short string) bool {
	if strings.EqualFold(foldHFS(name), dot) {
		return true
	}
	base, _, _ := strings.Cut(name, ":")
	base = strings.TrimRight(base, ". ")
	if strings.EqualFold(base, dot) || strings.EqualFold(base, short) {
		return true
	}
	if !strings.HasSuffix(short, "~") || len(base) != len(short)+1 {
		return false
	}
	digit := base[len(base)-1]
	return strings.EqualFold(base[:len(short)], short) && digit >= '1' && digit <= '9'
}

// foldHFS removes the code points that HFS+ ignores in names.
func foldHFS(name string) string {
	ascii := true
	for i := 0; i < len(name) && ascii; i++ {
		ascii = name[i] < utf8.RuneSelf
	}
	if ascii {
		return name
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 0x200c && r <= 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x206a && r <= 0x206f, r == 0xfeff:
			return -1
		}
		return r
	}, name)
}
