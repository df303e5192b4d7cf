// Package dist packs glassbuild's own releases: archives, Debian and RPM packages, an image, checksums. The same inputs give
// the same bytes: times come from the commit, owners are root, entries are sorted, and nothing of the machine is asked.
package dist

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// File is one file of a package. Folders are made as they are needed, with mode 0755.
type File struct {
	Name string // path without a leading slash
	Mode int64  // permission bits
	Data []byte
}

// Info is what packages say of themselves.
type Info struct {
	Name, Version      string // the version as the Go command stamps it: v1.2.3 or a pseudo-version
	Summary, Text, URL string
	Maintainer         string
	Licence            string
	Architecture       string // as Go names it
	Time               time.Time
}

// numbers is the version without the letter before it. Debian and RPM allow no hyphen within a version, and sort what
// follows a tilde before the release that it leads to, as semantic versions do with a pre-release.
func (i Info) numbers() string {
	v := strings.TrimPrefix(i.Version, "v")
	release, pre, is := strings.Cut(v, "-")
	if !is {
		return v
	}
	return release + "~" + strings.ReplaceAll(pre, "-", ".")
}

// architectures are the names of GOARCH in other places.
var architectures = map[string]struct{ debian, rpm string }{
	"amd64": {"amd64", "x86_64"},
	"arm64": {"arm64", "aarch64"},
}

func (i Info) check() error {
	if _, ok := architectures[i.Architecture]; !ok {
		return fmt.Errorf("%s: no package is made for that architecture", i.Architecture)
	}
	if !strings.HasPrefix(i.Version, "v") || strings.ContainsAny(i.Version, " \n/") {
		return fmt.Errorf("%q: is not a version", i.Version)
	}
	return nil
}

// sorted returns the files in the order of their names, with the folders above them before them. Two of the same name are
// an error: which one would be unpacked is anybody's guess.
func sorted(files []File) ([]File, error) {
	all := slices.Clone(files)
	have := map[string]bool{}
	for _, f := range files {
		if f.Name == "" || path.Clean(f.Name) != f.Name || strings.HasPrefix(f.Name, "/") || strings.HasPrefix(f.Name, "..") {
			return nil, fmt.Errorf("%q: is not a clean relative path", f.Name)
		}
		if have[f.Name] {
			return nil, fmt.Errorf("%q: stands there twice", f.Name)
		}
		have[f.Name] = true
	}
	for _, f := range files {
		for dir := path.Dir(f.Name); dir != "." && !have[dir+"/"]; dir = path.Dir(dir) {
			if have[dir] {
				return nil, fmt.Errorf("%q: is a file and a folder", dir)
			}
			have[dir+"/"] = true
			all = append(all, File{Name: dir + "/", Mode: 0o755})
		}
	}
	slices.SortFunc(all, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

func (f File) folder() bool { return strings.HasSuffix(f.Name, "/") }
