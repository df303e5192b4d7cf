package inside

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/glassbuild/glassbuild/internal/sandbox/wire"
)

const (
	// ownFolder holds what glassbuild itself needs inside: what no step may replace.
	ownFolder = "/.glassbuild"
	// standInMarker lies in the root where the program stands in for git, see CalledAsGit.
	standInMarker = ".glassbuild/stand-in"
	// standInLog can be appended to by steps.
	standInLog = "/.glassbuild/git.log"
)

// makeFolders makes the folders that a step may write to: those asked for, the home, and /tmp. A folder that lies in a
// writable mount is simply made there; any other becomes a part of the store.
func (r *root) makeFolders(s wire.Setup) error {
	type folder struct {
		name string
		mode uint32
	}
	wanted := []folder{{"/tmp", 0o1777}, {s.Identity.Home, 0o755}}
	for _, dir := range s.Dirs {
		wanted = append(wanted, folder{dir, 0o755})
	}
	slices.SortFunc(wanted, func(a, b folder) int { return strings.Compare(a.name, b.name) })
	for _, f := range wanted {
		f.name = path.Clean(f.name)
		if f.name == "/" || slices.Contains(r.writes, f.name) {
			continue
		}
		if r.writable(f.name) {
			if err := r.makeDir(f.name, f.mode); err != nil {
				return err
			}
			continue
		}
		tree, err := r.scratch(f.mode)
		if err != nil {
			return err
		}
		err = r.mountAt(tree, f.name, true)
		unix.Close(tree)
		if err != nil {
			return err
		}
		r.writes = append(r.writes, f.name)
	}
	return nil
}

// writable tells whether a path lies below something that steps may write to.
func (r *root) writable(name string) bool {
	if r.image && !r.topRO {
		return true
	}
	for dir := path.Dir(name); dir != "/"; dir = path.Dir(dir) {
		if slices.Contains(r.writes, dir) {
			return true
		}
	}
	return false
}

// makeOwn mounts glassbuild's own folder where a file or the stand-in asks for it. It is a mount of its own, so that it
// becomes read-only also when the root is an image that steps may write to.
func (r *root) makeOwn(s wire.Setup) error {
	r.own = -1
	inside := func(f wire.File) bool { return strings.HasPrefix(path.Clean(f.Path), ownFolder+"/") }
	if s.StandIn == "" && !slices.ContainsFunc(s.Files, inside) {
		return nil
	}
	tree, err := r.scratch(0o755)
	if err != nil {
		return err
	}
	r.own = tree
	return r.mountAt(tree, ownFolder, true)
}

// makeStandIn puts this very program where the sandbox's git is. It is copied: memory files cannot be mounted.
func (r *root) makeStandIn(target string) error {
	if target == "" {
		return nil
	}
	self, err := unix.Open("/proc/self/exe", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return failed("open this program", err)
	}
	defer unix.Close(self)
	name, err := r.fresh("g", 0o755)
	if err != nil {
		return err
	}
	program, err := unix.Openat(r.store, name+"/git", unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o555)
	if err != nil {
		return failed("make git", err)
	}
	err = copyAll(self, program)
	unix.Close(program)
	if err != nil {
		return failed("copy this program", err)
	}
	if err := r.bindFile(name+"/git", target, unix.MOUNT_ATTR_RDONLY); err != nil {
		return err
	}
	if err := r.writeFile(wire.File{Path: "/" + standInMarker, Mode: 0o444}); err != nil {
		return err
	}
	if err := r.writeStore(name+"/log", nil); err != nil {
		return err
	}
	if err := unix.Fchmodat(r.store, name+"/log", 0o644, 0); err != nil {
		return failed("set a mode", err)
	}
	r.writes = append(r.writes, standInLog)
	return r.bindFile(name+"/log", standInLog, unix.MOUNT_ATTR_NOEXEC)
}

// bindFile mounts a file of the store on a path of the root.
func (r *root) bindFile(name, target string, attr uint64) error {
	tree, err := r.bindStore(name, attr|mountSafe)
	if err != nil {
		return err
	}
	defer unix.Close(tree)
	return r.mountAt(tree, target, false)
}

// writeFiles makes the caller's own files. What is there already is replaced, never followed.
func (r *root) writeFiles(files []wire.File) error {
	for _, f := range files {
		if err := r.writeFile(f); err != nil {
			return err
		}
	}
	return nil
}

func (r *root) writeFile(f wire.File) error {
	dir, err := r.parent(f.Path)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	base := path.Base(f.Path)
	if err := unix.Unlinkat(dir, base, 0); err != nil && !errors.Is(err, unix.ENOENT) {
		return failed("replace "+strconv.Quote(f.Path), err)
	}
	if f.Mode&unix.S_IFMT == unix.S_IFLNK {
		return failed("make "+strconv.Quote(f.Path), unix.Symlinkat(string(f.Data), dir, base))
	}
	fd, err := unix.Openat(dir, base, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return failed("make "+strconv.Quote(f.Path), err)
	}
	defer unix.Close(fd)
	if err := writeAll(fd, f.Data); err != nil {
		return failed("write "+strconv.Quote(f.Path), err)
	}
	return failed("set the mode of "+strconv.Quote(f.Path), unix.Fchmod(fd, f.Mode&0o777))
}

// writeAccounts writes the few files of /etc that programs ask for names. An image's own accounts stay, except where
// they would answer for the step's own ids.
func (r *root) writeAccounts(id wire.Identity) error {
	if r.image && r.topRO {
		r.note("/etc", "the image's own: it is mounted read-only")
		return nil
	}
	if err := r.makeDir("/etc", 0o755); err != nil {
		return err
	}
	host := "127.0.0.1\tlocalhost\n::1\tlocalhost\n127.0.0.1\t"
	if id.Domain != "" {
		host += id.Hostname + "." + id.Domain + " "
	}
	passwd := fmt.Sprintf("%s:x:%d:%d::%s:/bin/sh\n", id.User, id.UID, id.GID, id.Home)
	group := fmt.Sprintf("%s:x:%d:\n", id.Group, id.GID)
	files := []wire.File{
		{Path: "/etc/passwd", Mode: 0o644, Data: r.accounts("/etc/passwd", passwd, "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/nonexistent:/bin/false\n", id.User, id.UID)},
		{Path: "/etc/group", Mode: 0o644, Data: r.accounts("/etc/group", group, "root:x:0:\nnogroup:x:65534:\n", id.Group, id.GID)},
		{Path: "/etc/hosts", Mode: 0o644, Data: []byte(host + id.Hostname + "\n")},
		{Path: "/etc/hostname", Mode: 0o644, Data: []byte(id.Hostname + "\n")},
		{Path: "/etc/nsswitch.conf", Mode: 0o644, Data: []byte("passwd: files\ngroup: files\nhosts: files\n")},
		{Path: "/etc/resolv.conf", Mode: 0o644},
		{Path: "/etc/host.conf", Mode: 0o644, Data: []byte("multi on\n")},
	}
	return r.writeFiles(files)
}

// accounts returns own followed by every line of the image's file, or of standard, that has neither own's name nor id.
func (r *root) accounts(file, own, standard, name string, id int) []byte {
	lines := []byte(standard)
	if r.image {
		if fd, err := r.open(file, unix.O_RDONLY|unix.O_NONBLOCK); err == nil {
			if found, err := readUpTo(fd, maxAccounts); err == nil {
				lines = found
			}
			unix.Close(fd)
		}
	}
	out := []byte(own)
	for line := range bytes.Lines(lines) {
		fields := strings.Split(strings.TrimSuffix(string(line), "\n"), ":")
		if len(fields) < 3 || fields[0] == name || fields[2] == strconv.Itoa(id) {
			continue
		}
		out = append(append(out, bytes.TrimSuffix(line, []byte("\n"))...), '\n')
	}
	return out
}
