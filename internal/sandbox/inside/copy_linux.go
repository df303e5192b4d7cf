package inside

import (
	"encoding/binary"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// copier copies a tree from one open folder into another. Nothing is followed: every name is opened relative to the
// folder that it was listed in, with O_NOFOLLOW.
type copier struct {
	reverse bool // create the entries of a folder in descending order: readdir(3) of the copy shows another order
	// named are the paths inside whose contents are shown, nil for all. Of any other file only name, size, mode and time
	// are there; it reads as zeros.
	named map[string]bool
	mask  bool // make nothing but those other files, to be laid over the source, and the folders in which they lie
}

func (c copier) folder(from, to int, at string, depth int) error {
	if depth > maxCopyDepth {
		return exceeded(strconv.Quote(at), fmt.Sprintf("folders nested deeper than %d", maxCopyDepth))
	}
	names, err := readNames(from)
	if err != nil {
		return failed("list "+strconv.Quote(at), err)
	}
	if c.reverse {
		slices.Reverse(names)
	}
	for _, name := range names {
		if err := c.entry(from, to, name, path.Join(at, name), depth); err != nil {
			return err
		}
	}
	var st unix.Stat_t
	if err := unix.Fstat(from, &st); err != nil {
		return failed("look at "+strconv.Quote(at), err)
	}
	if err := unix.Fchmod(to, st.Mode&0o777); err != nil {
		return failed("set the mode of "+strconv.Quote(at), err)
	}
	return failed("set the time of "+strconv.Quote(at), setTime(to, "", &st))
}

func (c copier) entry(from, to int, name, at string, depth int) error {
	var st unix.Stat_t
	if err := unix.Fstatat(from, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return failed("look at "+strconv.Quote(at), err)
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		if c.named != nil && !c.named[at] {
			return failed("hide "+strconv.Quote(at), standFor(to, name, &st))
		}
		if c.mask {
			return nil
		}
		return failed("copy "+strconv.Quote(at), copyFile(from, to, name, &st))
	case unix.S_IFDIR:
		return c.descend(from, to, name, at, depth)
	case unix.S_IFLNK:
		if c.mask {
			return nil
		}
		return failed("copy "+strconv.Quote(at), copyLink(from, to, name, &st))
	}
	if c.mask {
		return nil
	}
	return blame(strconv.Quote(at), "is neither file, folder nor symbolic link")
}

func (c copier) descend(from, to int, name, at string, depth int) error {
	const open = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	source, err := unix.Openat(from, name, open, 0)
	if c.mask && closed(from, name, err) {
		return nil
	}
	if err != nil {
		return failed("open "+strconv.Quote(at), err)
	}
	defer unix.Close(source)
	if err := unix.Mkdirat(to, name, 0o700); err != nil {
		return failed("make "+strconv.Quote(at), err)
	}
	target, err := unix.Openat(to, name, open, 0)
	if err != nil {
		return failed("open "+strconv.Quote(at), err)
	}
	defer unix.Close(target)
	return c.folder(source, target, at, depth+1)
}

func copyFile(from, to int, name string, st *unix.Stat_t) error {
	source, err := unix.Openat(from, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(source)
	target, err := unix.Openat(to, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	defer unix.Close(target)
	if err := copyAll(source, target); err != nil {
		return err
	}
	if err := unix.Fchmod(target, st.Mode&0o777); err != nil {
		return err
	}
	return setTime(target, "", st)
}

// standFor makes a file that has everything of another one but its contents.
func standFor(to int, name string, st *unix.Stat_t) error {
	fd, err := unix.Openat(to, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if st.Size > 0 {
		if err := unix.Ftruncate(fd, st.Size); err != nil {
			return err
		}
	}
	if err := unix.Fchmod(fd, st.Mode&0o777); err != nil {
		return err
	}
	return setTime(fd, "", st)
}

// copyAll copies what is left of one file to another.
func copyAll(from, to int) error {
	for {
		n, err := unix.Sendfile(to, from, nil, 1<<30)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return err
		}
	}
}

func copyLink(from, to int, name string, st *unix.Stat_t) error {
	text := make([]byte, maxLink)
	n, err := unix.Readlinkat(from, name, text)
	if err != nil {
		return err
	}
	if err := unix.Symlinkat(string(text[:n]), to, name); err != nil {
		return err
	}
	return setTime(to, name, st)
}

// setTime gives a file the modification time of st; its access time becomes the same.
func setTime(fd int, name string, st *unix.Stat_t) error {
	times := []unix.Timespec{st.Mtim, st.Mtim}
	if name == "" {
		return unix.UtimesNanoAt(fd, "", times, unix.AT_EMPTY_PATH)
	}
	return unix.UtimesNanoAt(fd, name, times, unix.AT_SYMLINK_NOFOLLOW)
}

// readNames lists an open folder in ascending order.
func readNames(fd int) ([]string, error) {
	entries, err := readEntries(fd)
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.name
	}
	return names, err
}

// entry is one name of a folder, and its DT_ kind where the file system tells (getdents64(2)).
type entry struct {
	name string
	kind byte
}

// readEntries lists a folder in ascending order.
func readEntries(fd int) ([]entry, error) {
	if _, err := unix.Seek(fd, 0, unix.SEEK_SET); err != nil {
		return nil, err
	}
	var out []entry
	buffer := make([]byte, listBuffer)
	for {
		n, err := unix.Getdents(fd, buffer)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, err
		}
		if n == 0 {
			slices.SortFunc(out, func(a, b entry) int { return strings.Compare(a.name, b.name) })
			return out, nil
		}
		out = appendEntries(out, buffer[:n])
	}
}

// appendEntries reads struct linux_dirent64: inode and offset, 8 bytes each, length of the record (2), kind (1), name.
func appendEntries(out []entry, records []byte) []entry {
	const header = 19
	for len(records) > header {
		size := int(binary.NativeEndian.Uint16(records[16:]))
		if size <= header || size > len(records) {
			return out // the kernel writes none such
		}
		name := unix.ByteSliceToString(records[header:size])
		gone := binary.NativeEndian.Uint64(records) == 0
		if !gone && name != "." && name != ".." {
			out = append(out, entry{name, records[18]})
		}
		records = records[size:]
	}
	return out
}
