package engine

import (
	"io/fs"
	"os"
	"path/filepath"
)

// Options say what a scan looks at.
type Options struct {
	MaxSize int64    // larger files are skipped and counted
	Exclude []string // directories and files that are not looked at
}

// Finding is one file with the rules that it matches.
type Finding struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	Hits   []Hit  `json:"hits"`
}

// Report is the outcome of a scan.
type Report struct {
	Files    int       `json:"files"`
	Skipped  int       `json:"skipped"`
	Findings []Finding `json:"findings"`
	Errors   []string  `json:"errors,omitempty"`
}

// Scan walks root and matches every regular file. Links are not followed. What cannot be read is listed in the report.
func Scan(root string, set *Set, opt Options) Report {
	var rep Report
	excluded := map[string]bool{}
	for _, path := range opt.Exclude {
		excluded[filepath.Clean(path)] = true
	}
	filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			rep.Errors = append(rep.Errors, err.Error())
		case excluded[filepath.Clean(path)]:
			rep.Skipped++
			if entry.IsDir() {
				return fs.SkipDir
			}
		case entry.Type().IsRegular():
			rep.file(path, entry, set, opt)
		}
		return nil
	})
	return rep
}

func (rep *Report) file(path string, entry fs.DirEntry, set *Set, opt Options) {
	info, err := entry.Info()
	if err != nil {
		rep.Errors = append(rep.Errors, err.Error())
		return
	}
	if info.Size() > opt.MaxSize {
		rep.Skipped++
		return
	}
	data, err := os.ReadFile(path)
	if err != nil {
		rep.Errors = append(rep.Errors, err.Error())
		return
	}
	rep.Files++
	if sum, hits := set.Match(data); len(hits) > 0 {
		rep.Findings = append(rep.Findings, Finding{Path: path, Size: int64(len(data)), SHA256: sum, Hits: hits})
	}
}
