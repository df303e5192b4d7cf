package gomod

import (
	"context"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Kind says which file of the protocol a path names.
type Kind string

// The files of https://go.dev/ref/mod#goproxy-protocol, and those of a checksum database behind a proxy.
const (
	List       Kind = "list"
	Latest     Kind = "latest"
	Info       Kind = "info"
	Mod        Kind = "mod"
	Zip        Kind = "zip"
	SumSupport Kind = "sumdb supported"
	SumFile    Kind = "sumdb file"
)

// File is a parsed path of the module proxy protocol.
type File struct {
	Kind    Kind
	Path    string         // as asked for, which is the only form accepted
	Module  module.Version // unescaped; Version is "" for List and Latest
	SumName string         // name of the checksum database, for the Sum kinds
	SumPath string         // path within it
}

// ParseFile accepts exactly the canonical paths of the protocol, without a leading slash. databases lists the names of the checksum
// databases that may be asked for.
func ParseFile(p string, databases ...string) (File, error) {
	if rest, ok := strings.CutPrefix(p, "sumdb/"); ok {
		return parseSum(p, rest, databases)
	}
	bad := fault.Failf(fault.Quote(p), "no path of the module proxy protocol")
	if m, ok := strings.CutSuffix(p, "/@latest"); ok {
		mod, err := module.UnescapePath(m)
		if err != nil {
			return File{}, bad
		}
		return File{Kind: Latest, Path: p, Module: module.Version{Path: mod}}, nil
	}
	m, name, ok := strings.Cut(p, "/@v/")
	mod, err := module.UnescapePath(m)
	if !ok || err != nil {
		return File{}, bad
	}
	if name == "list" {
		return File{Kind: List, Path: p, Module: module.Version{Path: mod}}, nil
	}
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		return File{}, bad
	}
	version, err := module.UnescapeVersion(name[:i])
	if err != nil {
		return File{}, bad
	}
	f := File{Kind: Kind(name[i+1:]), Path: p, Module: module.Version{Path: mod, Version: version}}
	switch f.Kind {
	case Info: // also asked for with a branch or a commit
		return f, nil
	case Mod, Zip:
		if module.CanonicalVersion(version) == version {
			return f, nil
		}
	}
	return File{}, bad
}

func parseSum(p, rest string, databases []string) (File, error) {
	bad := fault.Failf(fault.Quote(p), "no path of a checksum database in use")
	for _, name := range databases {
		file, ok := strings.CutPrefix(rest, name+"/")
		if !ok || name == "" {
			continue
		}
		f := File{Kind: SumFile, Path: p, SumName: name, SumPath: file}
		switch {
		case file == "supported":
			f.Kind = SumSupport
			return f, nil
		case file == "latest":
			return f, nil
		case strings.HasPrefix(file, "lookup/"):
			m, v, ok := strings.Cut(strings.TrimPrefix(file, "lookup/"), "@")
			mod, errPath := module.UnescapePath(m)
			version, errVersion := module.UnescapeVersion(v)
			if ok && errPath == nil && errVersion == nil {
				f.Module = module.Version{Path: mod, Version: version}
				return f, nil
			}
		case strings.HasPrefix(file, "tile/"):
			if t, err := tlog.ParseTilePath(file); err == nil && t.Path() == file {
				return f, nil
			}
		}
	}
	return File{}, bad
}

// Limit returns how many bytes the file may have.
func (f File) Limit() int64 {
	switch f.Kind {
	case Zip:
		return MaxZip
	case Mod:
		return MaxMod
	case List:
		return MaxList
	case Info, Latest:
		return MaxInfo
	}
	return MaxSum
}

// Result is what is known of one file that was fetched.
type Result struct {
	Module string `json:"module"`
	// Version is that of the module; GoMod tells its go.mod file from its zip.
	Version string `json:"version"`
	GoMod   bool   `json:"go_mod,omitempty"`
	Sum     string `json:"sum"`
	Status  Status `json:"status"`
	Detail  string `json:"detail,omitempty"`
}

// Fetched is one file that a build was given: its path in the protocol and how to open its bytes.
type Fetched struct {
	Path string
	Open func() (*os.File, error)
}

// Verify hashes the zips and go.mod files among files and asks the checksum database about each. Other files carry no
// code and are left out. The results come sorted; only an unreadable or malformed file is an error.
func (c *Checker) Verify(ctx context.Context, files []Fetched) ([]Result, error) {
	var out []Result
	for _, file := range files {
		f, err := ParseFile(file.Path, c.db.Name)
		if err != nil {
			return nil, err
		}
		if f.Kind != Zip && f.Kind != Mod {
			continue
		}
		sum, err := sumOf(f, file.Open)
		if err != nil {
			return nil, err
		}
		r := Result{Module: f.Module.Path, Version: f.Module.Version, GoMod: f.Kind == Mod, Sum: sum}
		ask := f.Module
		if r.GoMod {
			ask.Version += "/go.mod"
		}
		r.Status, r.Detail = c.Check(ctx, ask, sum)
		out = append(out, r)
	}
	slices.SortFunc(out, compareResults)
	return out, ctx.Err()
}

func compareResults(a, b Result) int {
	if n := strings.Compare(a.Module+"@"+a.Version, b.Module+"@"+b.Version); n != 0 || a.GoMod == b.GoMod {
		return n
	}
	if a.GoMod {
		return -1
	}
	return 1
}

func sumOf(f File, open func() (*os.File, error)) (string, error) {
	file, err := open()
	if err != nil {
		return "", err
	}
	defer file.Close()
	if f.Kind == Zip {
		return SumZip(f.Module, file)
	}
	return SumMod(io.Reader(file))
}
