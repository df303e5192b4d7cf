package inside

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/glassbuild/glassbuild/internal/sandbox/wire"
)

// root is the private root while it is built.
//
// Two file systems carry it. The store is one tmpfs with the whole writable budget: scratch folders, copies and the
// upper halves of overlays are folders of it, so one size bounds them all. The top is what steps see as "/": a small
// tmpfs that is read-only in the end, or whatever a mount with target "/" brings. Only parts of the store are mounted
// below the top, so its own layout is out of reach once the old root is gone.
type root struct {
	store  int // descriptor of the budget tmpfs
	top    int // descriptor of the new root
	topRO  bool
	image  bool // the top is an image, not our own tmpfs
	seq    int
	notes  []wire.Note
	own    int  // descriptor of /.glassbuild, -1 when there is none
	opaque bool // overlays on the store can hide what lies below them
	writes []string
	trace  *trace // nil: nobody asked for one
	sizes  []int  // descriptors of every writable file system, for the question whether one is full
}

func (r *root) note(name, format string, args ...any) {
	r.notes = append(r.notes, wire.Note{Name: name, Detail: fmt.Sprintf(format, args...)})
}

// stages are folders that exist on practically every machine; the first one carries the tmpfs while it is built. It is
// covered in this mount namespace only.
var stages = []string{"/tmp", "/mnt", "/media", "/var", "/run", "/usr", "/etc", "/dev"}

const mountSafe = unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV

func (p *process) buildRoot() error {
	r := &p.root
	if slices.ContainsFunc(p.setup.Mounts, func(m wire.Mount) bool { return m.Trace }) {
		r.trace = &trace{fd: -1}
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return failed("make the mounts private", err)
	}
	sources, err := openSources(p.setup.Mounts) // before anything of the host is covered
	if err != nil {
		return err
	}
	devices, err := openDevices()
	if err != nil {
		return err
	}
	stage, err := r.mountStore(p.setup.Budget)
	if err != nil {
		return err
	}
	steps := []func() error{
		func() error { return r.mountTop(p.setup.Mounts, sources) },
		func() error { return r.place(p.setup.Mounts, sources) },
		func() error { return r.makeFolders(p.setup) },
		func() error { return r.makeOwn(p.setup) },
		func() error { return r.makeDevices(devices) },
		func() error { return r.makeProc(&p.setup) },
		func() error { return r.writeAccounts(p.setup.Identity) },
		func() error { return r.makeStandIn(p.setup.StandIn) },
		func() error { return r.writeFiles(p.setup.Files) },
		r.sealTop,
		func() error { return r.pivot(stage) },
		r.watch,
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// mountStore mounts the budget tmpfs and returns where.
func (r *root) mountStore(budget int64) (string, error) {
	options := "mode=0755,nr_inodes=" + strconv.Itoa(budgetInodes) + ",size=" + strconv.FormatInt(budget, 10)
	var last error
	for _, stage := range stages {
		last = unix.Mount("tmpfs", stage, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, options)
		if errors.Is(last, unix.ENOENT) || errors.Is(last, unix.ENOTDIR) {
			continue
		}
		if last != nil {
			return "", failed("mount a tmpfs", last)
		}
		fd, err := unix.Open(stage, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return "", failed("open the tmpfs", err)
		}
		r.store = fd
		r.sizes = append(r.sizes, fd)
		// Overlays keep "this folder hides the one below" in user.* attributes, which tmpfs has since Linux 6.6.
		r.opaque = unix.Fsetxattr(fd, "user.glassbuild", []byte("1"), 0) == nil
		if r.opaque {
			_ = unix.Fremovexattr(fd, "user.glassbuild")
		}
		return stage, nil
	}
	return "", failed("find a folder to mount on", last)
}

// fresh makes a new folder in the store and returns its name.
func (r *root) fresh(kind string, mode uint32) (string, error) {
	r.seq++
	name := kind + strconv.Itoa(r.seq)
	if err := unix.Mkdirat(r.store, name, mode); err != nil {
		return "", failed("make a folder", err)
	}
	return name, nil
}

// mountTop makes the new root: from the mount with target "/", or an empty tmpfs.
func (r *root) mountTop(mounts []wire.Mount, sources []int) error {
	if err := unix.Mkdirat(r.store, "top", 0o755); err != nil {
		return failed("make a folder", err)
	}
	var tree int
	var err error
	if len(mounts) > 0 && mounts[0].Target == "/" {
		r.image = true
		r.topRO = mounts[0].Kind == wire.ReadOnly
		tree, err = r.tree(mounts[0], sources[0])
	} else {
		tree, err = tmpfs(rootSize, rootInodes, 0o755)
	}
	if err != nil {
		return err
	}
	defer unix.Close(tree)
	if err := unix.MoveMount(tree, "", r.store, "top", unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return failed("mount the root", err)
	}
	r.top, err = unix.Openat(r.store, "top", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	return failed("open the root", err)
}

// tmpfs makes a tmpfs that is not mounted anywhere yet.
func tmpfs(size int64, inodes int, mode uint32) (int, error) {
	fs, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, failed("open a tmpfs", err)
	}
	defer unix.Close(fs)
	for _, option := range [][2]string{
		{"size", strconv.FormatInt(size, 10)}, {"nr_inodes", strconv.Itoa(inodes)}, {"mode", strconv.FormatUint(uint64(mode), 8)},
	} {
		if err := unix.FsconfigSetString(fs, option[0], option[1]); err != nil {
			return -1, failed("set up a tmpfs", err)
		}
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return -1, failed("make a tmpfs", err)
	}
	fd, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, mountSafe)
	return fd, failed("mount a tmpfs", err)
}

// beneath says how every path inside the root is resolved: below it, and through no link of any kind, so that nothing
// in an image or a source tree can redirect a mount (the class of CVE-2019-5736, -2021-30465, -2025-31133).
const beneath = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS

// open opens a path inside the root without following links.
func (r *root) open(name string, flags int) (int, error) {
	return openBelow(r.top, name, flags)
}

func openBelow(dir int, name string, flags int) (int, error) {
	name = strings.TrimPrefix(name, "/")
	if name == "" {
		name = "."
	}
	return unix.Openat2(dir, name, &unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC), Resolve: beneath})
}

// makeDir makes a directory inside the root, with its parents.
func (r *root) makeDir(name string, mode uint32) error {
	name = strings.Trim(path.Clean("/"+name), "/")
	if name == "" {
		return nil
	}
	dir, err := r.parent(name)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	err = unix.Mkdirat(dir, path.Base(name), mode)
	if errors.Is(err, unix.EEXIST) {
		return isDirectory(dir, path.Base(name), name)
	}
	return failed("make "+strconv.Quote("/"+name), err)
}

// isDirectory refuses a symbolic link, and anything else that an image put where a folder has to be.
func isDirectory(dir int, base, name string) error {
	var st unix.Stat_t
	if err := unix.Fstatat(dir, base, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return failed("look at "+strconv.Quote("/"+name), err)
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return nil
	case unix.S_IFLNK:
		return blame(strconv.Quote("/"+name), "is a symbolic link, not a folder")
	}
	return blame(strconv.Quote("/"+name), "is no directory")
}

// parent opens the parent directory of a path inside the root, made if it is missing.
func (r *root) parent(name string) (int, error) {
	above := path.Dir(strings.Trim(name, "/"))
	fd, err := r.open(above, unix.O_PATH|unix.O_DIRECTORY)
	if errors.Is(err, unix.ENOENT) {
		if err := r.makeDir(above, 0o755); err != nil {
			return -1, err
		}
		fd, err = r.open(above, unix.O_PATH|unix.O_DIRECTORY)
	}
	switch {
	case errors.Is(err, unix.ELOOP):
		return -1, blame(strconv.Quote("/"+name), "leads through a symbolic link")
	case errors.Is(err, unix.ENOTDIR):
		return -1, blame(strconv.Quote("/"+name), "leads through something that is no directory")
	}
	return fd, failed("open "+strconv.Quote("/"+above), err)
}

// mountAt mounts a tree on a path inside the root. The place to mount on is made if it is missing.
func (r *root) mountAt(tree int, target string, directory bool) error {
	if err := r.makeTarget(target, directory); err != nil {
		return err
	}
	at, err := r.open(target, unix.O_PATH|unix.O_NOFOLLOW)
	if errors.Is(err, unix.ELOOP) {
		return blame(strconv.Quote(target), "leads through a symbolic link")
	}
	if err != nil {
		return failed("open "+strconv.Quote(target), err)
	}
	defer unix.Close(at)
	err = unix.MoveMount(tree, "", at, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH)
	return failed("mount "+strconv.Quote(target), err)
}

func (r *root) makeTarget(target string, directory bool) error {
	if directory {
		return r.makeDir(target, 0o755)
	}
	dir, err := r.parent(target)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	fd, err := unix.Openat(dir, path.Base(target), unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o644)
	if errors.Is(err, unix.EEXIST) {
		var st unix.Stat_t
		if err := unix.Fstatat(dir, path.Base(target), &st, unix.AT_SYMLINK_NOFOLLOW); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
			return blame(strconv.Quote(target), "is no regular file to mount on")
		}
		return nil
	}
	if err != nil {
		return failed("make "+strconv.Quote(target), err)
	}
	return unix.Close(fd)
}

// sealTop makes glassbuild's own folder read-only, and the root itself too, unless it is an overlay that the caller
// wants written.
func (r *root) sealTop() error {
	if r.own >= 0 {
		if err := setattr(r.own, unix.MOUNT_ATTR_RDONLY|mountSafe|unix.MOUNT_ATTR_NOEXEC, false); err != nil {
			return failed("make "+ownFolder+" read-only", err)
		}
	}
	if r.image && !r.topRO {
		r.writes = append(r.writes, "/")
		return nil
	}
	return failed("make the root read-only", setattr(r.top, unix.MOUNT_ATTR_RDONLY|mountSafe, false))
}

func setattr(fd int, attr uint64, recursive bool) error {
	flags := uint(unix.AT_EMPTY_PATH)
	if recursive {
		flags |= unix.AT_RECURSIVE
	}
	return unix.MountSetattr(fd, "", flags, &unix.MountAttr{Attr_set: attr})
}

// pivot makes the new root the root of every process to come, and detaches the old one (pivot_root(2), "." and ".").
func (r *root) pivot(stage string) error {
	if err := unix.Fchdir(r.top); err != nil {
		return failed("enter the root", err)
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return failed("pivot_root over "+stage, err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return failed("leave the old root", err)
	}
	return failed("enter the root", unix.Chdir("/"))
}

// watch begins the trace where one is asked for.
func (r *root) watch() error {
	if r.trace != nil {
		r.trace.watch()
	}
	return nil
}
