package inside

import (
	"bytes"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/glassbuild/glassbuild/internal/sandbox/wire"
)

// openSources opens every source by its path in this mount namespace and makes sure that it is still the very thing
// that the host looked at. Scratch mounts have none.
func openSources(mounts []wire.Mount) ([]int, error) {
	out := make([]int, len(mounts))
	for i, m := range mounts {
		out[i] = -1
		if m.Kind == wire.Scratch {
			continue
		}
		fd, err := unix.Open(m.Source, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, ofInput(failed(fmt.Sprintf("open the source of %q", m.Target), err))
		}
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return nil, failed(fmt.Sprintf("look at the source of %q", m.Target), err)
		}
		if uint64(st.Dev) != m.Device || st.Ino != m.Inode {
			return nil, blame(strconv.Quote(m.Target), "its source was replaced while the sandbox started")
		}
		out[i] = fd
	}
	return out, nil
}

// place puts every mount but the root itself where it belongs.
func (r *root) place(mounts []wire.Mount, sources []int) error {
	for i, m := range mounts {
		if m.Target != "/" {
			tree, err := r.tree(m, sources[i])
			if err != nil {
				return err
			}
			err = r.mountAt(tree, m.Target, m.Directory || m.Kind == wire.Scratch)
			unix.Close(tree)
			if err != nil {
				return err
			}
			if m.Kind != wire.ReadOnly {
				r.writes = append(r.writes, m.Target)
			}
		}
		if sources[i] >= 0 {
			unix.Close(sources[i])
		}
	}
	return nil
}

// tree returns what a mount brings, not mounted anywhere yet.
func (r *root) tree(m wire.Mount, source int) (int, error) {
	if m.Trace && r.trace.why == "" && m.Directory && m.Kind != wire.Scratch {
		if err := r.trace.survey(source, m.Target); err != nil {
			r.trace.why = err.Error()
		}
	}
	switch m.Kind {
	case wire.ReadOnly:
		return r.readOnly(m, source)
	case wire.Overlay:
		return r.overlay(m, source)
	case wire.Copy:
		return r.copied(m, source)
	case wire.Scratch:
		if m.Size > 0 {
			return r.sized(m)
		}
		return r.scratch(0o755)
	}
	return -1, fmt.Errorf("mount kind %q", m.Kind)
}

// readOnly shows a source read-only. For a folder that is an overlay of two lower halves, an empty one above: it
// behaves like a bind mount, but /proc/self/mountinfo does not show the host's path. Where the kernel refuses (too many
// overlays on top of each other, a file system that cannot be below one), or other file systems are mounted below the
// source, it is a bind mount.
func (r *root) readOnly(m wire.Mount, source int) (int, error) {
	if m.Directory && !m.Nested {
		fd, err := r.layered(m, source, "")
		if err == nil {
			return fd, failed("make a mount read-only", setattr(fd, unix.MOUNT_ATTR_RDONLY|mountSafe, true))
		}
		r.note("mount "+m.Target, "bind mount: the host's path of it can be seen (overlay: %v)", err)
	}
	if m.Masked {
		return -1, blame(strconv.Quote(m.Target), "cannot be restricted to some of its files")
	}
	if m.Trace {
		r.untraced(m.Target + " is a bind mount")
	}
	fd, err := unix.OpenTree(source, "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH|unix.AT_RECURSIVE)
	if err != nil {
		return -1, failed(fmt.Sprintf("bind the source of %q", m.Target), err)
	}
	return fd, failed("make a mount read-only", setattr(fd, unix.MOUNT_ATTR_RDONLY|mountSafe, true))
}

// overlay shows a source that can be written without changing it. Where the kernel cannot do that right, the source is
// copied.
func (r *root) overlay(m wire.Mount, source int) (int, error) {
	if !r.opaque {
		r.note("mount "+m.Target, "copied: tmpfs of this kernel keeps no user attributes, which overlays need")
		return r.copied(m, source)
	}
	if m.Nested {
		r.note("mount "+m.Target, "copied: other file systems are mounted below its source")
		return r.copied(m, source)
	}
	upper, err := r.fresh("u", 0o755)
	if err != nil {
		return -1, err
	}
	fd, err := r.layered(m, source, upper)
	if err != nil {
		r.note("mount "+m.Target, "copied: overlay: %v", err)
		return r.copied(m, source)
	}
	return fd, failed("seal a mount", setattr(fd, mountSafe, false))
}

// layered makes an overlay with source below, and upper (a folder of the store) above when there is one. The source is
// first mounted on a folder of the store, so that no path of the host stands in the options, which also spares the
// escaping of commas and colons.
func (r *root) layered(m wire.Mount, source int, upper string) (int, error) {
	lower, err := r.fresh("l", 0o755)
	if err != nil {
		return -1, err
	}
	bound, err := unix.OpenTree(source, "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH|unix.AT_RECURSIVE)
	if err != nil {
		return -1, err
	}
	defer unix.Close(bound)
	if err := setattr(bound, unix.MOUNT_ATTR_RDONLY|mountSafe, true); err != nil {
		return -1, err
	}
	if err := unix.MoveMount(bound, "", r.store, lower, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return -1, err
	}
	options := [][2]string{{"source", "glassbuild"}}
	highest := upper
	if m.Masked || upper == "" { // what hides files, or an empty folder: one lower half alone makes no overlay
		above, err := r.fresh("e", 0o755)
		if err != nil {
			return -1, err
		}
		if err := r.hide(m, source, above); err != nil {
			return -1, err
		}
		lower = above + ":" + lower
		if upper == "" {
			highest = above
		}
	}
	options = append(options, [2]string{"lowerdir", lower})
	if upper != "" {
		work, err := r.fresh("w", 0o755)
		if err != nil {
			return -1, err
		}
		options = append(options, [2]string{"upperdir", upper}, [2]string{"workdir", work})
	}
	if err := r.resemble(highest, source); err != nil {
		return -1, err
	}
	return r.mountOverlay(options)
}

// resemble gives a folder of the store the mode and time of a source: the highest layer's folder is the one that is
// seen at the top of an overlay.
func (r *root) resemble(name string, source int) error {
	var st unix.Stat_t
	if err := unix.Fstat(source, &st); err != nil {
		return err
	}
	if err := unix.Fchmodat(r.store, name, st.Mode&0o777, 0); err != nil {
		return err
	}
	return setTime(r.store, name, &st)
}

func (r *root) mountOverlay(options [][2]string) (int, error) {
	// Layer paths are relative to the working directory: the store. The host's folders stay out of the options.
	if err := unix.Fchdir(r.store); err != nil {
		return -1, err
	}
	fs, err := unix.Fsopen("overlay", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, err
	}
	defer unix.Close(fs)
	for _, o := range options {
		if err := unix.FsconfigSetString(fs, o[0], o[1]); err != nil {
			return -1, err
		}
	}
	if err := unix.FsconfigSetFlag(fs, "userxattr"); err != nil {
		return -1, err
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return -1, err
	}
	return unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, mountSafe)
}

// sized makes a tmpfs with a size of its own.
func (r *root) sized(m wire.Mount) (int, error) {
	fd, err := tmpfs(m.Size, budgetInodes, 0o755)
	if err != nil {
		return -1, err
	}
	kept, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, lowestFD)
	if err != nil {
		return -1, failed("keep a descriptor", err)
	}
	r.sizes = append(r.sizes, kept)
	return fd, nil
}

// scratch returns an empty writable folder of the store.
func (r *root) scratch(mode uint32) (int, error) {
	name, err := r.fresh("s", 0o700)
	if err != nil {
		return -1, err
	}
	if err := unix.Fchmodat(r.store, name, mode, 0); err != nil {
		return -1, failed("set a mode", err)
	}
	return r.bindStore(name, mountSafe)
}

// bindStore returns a part of the store as a tree of its own.
func (r *root) bindStore(name string, attr uint64) (int, error) {
	fd, err := unix.OpenTree(r.store, name, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return -1, failed("bind a folder", err)
	}
	return fd, failed("seal a mount", setattr(fd, attr, false))
}

// copied copies a source into the store.
func (r *root) copied(m wire.Mount, source int) (int, error) {
	name, err := r.fresh("c", 0o755)
	if err != nil {
		return -1, err
	}
	if !m.Directory {
		return -1, blame(strconv.Quote(m.Target), "only a folder can be copied")
	}
	to, err := unix.Openat(r.store, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, failed("open a folder", err)
	}
	defer unix.Close(to)
	from, err := unix.Openat(source, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, failed(fmt.Sprintf("open the source of %q", m.Target), err)
	}
	defer unix.Close(from)
	c := copier{reverse: m.Reverse, named: named(m)}
	if err := c.folder(from, to, m.Target, 0); err != nil {
		return -1, ofInput(err)
	}
	return r.bindStore(name, mountSafe)
}

// hide fills a folder of the store with what hides the files that a mount does not name.
func (r *root) hide(m wire.Mount, source int, name string) error {
	if !m.Masked {
		return nil
	}
	to, err := unix.Openat(r.store, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(to)
	from, err := unix.Openat(source, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(from)
	return copier{named: named(m), mask: true}.folder(from, to, m.Target, 0)
}

// named returns the paths that a mount names, nil when it names all by naming none.
func named(m wire.Mount) map[string]bool {
	if !m.Masked {
		return nil
	}
	list := map[string]bool{}
	for name := range bytes.SplitSeq(m.Named, []byte{0}) {
		list[string(name)] = true
	}
	return list
}

// untraced says why the trace cannot be complete.
func (r *root) untraced(why string) {
	if r.trace.why == "" {
		r.trace.why = why
	}
}
