package cgroup

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// places are the folders of this process's own groups.
type places struct {
	v2, v2Own string            // mount point, and path below it
	v1        map[string]string // controller to folder
	v1Mounts  []string
}

// find reads where the hierarchies are mounted and where this process is in them.
func find() (places, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return places{}, err
	}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return places{}, err
	}
	return locate(string(mounts), string(own)), nil
}

// locate combines proc_pid_mountinfo(5) with proc_pid_cgroup(5). A container may have mounted a part of a hierarchy
// only: what stands before that part is taken off.
func locate(mounts, own string) places {
	p := places{v1: map[string]string{}}
	paths := map[string]string{} // controller to path; "" is version 2
	for line := range strings.Lines(own) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(f) == 3 {
			for c := range strings.SplitSeq(f[1], ",") {
				paths[c] = f[2]
			}
		}
	}
	for line := range strings.Lines(mounts) {
		before, after, ok := strings.Cut(line, " - ")
		f, kind := strings.Fields(before), strings.Fields(after)
		if !ok || len(f) < 5 || len(kind) < 3 {
			continue
		}
		root, at := f[3], f[4]
		switch kind[0] {
		case "cgroup2":
			if path, ok := paths[""]; ok && p.v2 == "" {
				p.v2, p.v2Own = at, below(root, path)
			}
		case "cgroup":
			p.v1Mounts = append(p.v1Mounts, at) // an OCI runtime makes a group in every hierarchy, with a name of ours
			for _, c := range []string{"memory", "pids"} {
				if path, ok := paths[c]; ok && slices.Contains(strings.Split(kind[2], ","), c) && p.v1[c] == "" {
					p.v1[c] = filepath.Join(at, below(root, path))
				}
			}
		}
	}
	return p
}

func below(root, path string) string {
	if root == "/" {
		return path
	}
	rest, ok := strings.CutPrefix(path, root)
	if !ok || rest != "" && rest[0] != '/' {
		return "/"
	}
	return filepath.Join("/", rest)
}

// Sweep removes the groups of programs that were killed: folders with our name that nobody has locked. It looks at the
// whole of each hierarchy that groups are made in, since the killed program may have had another place there, and
// returns how many it removed.
func Sweep() int {
	p, err := find()
	if err != nil {
		return 0
	}
	tops := p.v1Mounts
	if p.v2 != "" {
		tops = append(tops, p.v2)
	}
	removed := 0
	for _, top := range tops {
		removed += sweep(top, time.Now().Add(-young))
	}
	return removed
}

var errEnough = errors.New("enough")

func sweep(top string, before time.Time) int {
	removed, looked := 0, 0
	_ = filepath.WalkDir(top, func(path string, e fs.DirEntry, err error) error {
		if looked++; looked > maxSwept {
			return errEnough
		}
		if err != nil || !e.IsDir() {
			return nil
		}
		if strings.Count(strings.TrimPrefix(path, top), "/") > maxDepth {
			return fs.SkipDir
		}
		if !strings.HasPrefix(e.Name(), prefix) {
			return nil
		}
		if info, err := e.Info(); err == nil && info.ModTime().Before(before) && abandoned(path) && unix.Rmdir(path) == nil {
			removed++
		}
		return fs.SkipDir
	})
	return removed
}

// abandoned tells whether nobody holds a folder's lock.
func abandoned(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil
}
