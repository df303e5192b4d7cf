package inside

import (
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/glassbuild/glassbuild/internal/sandbox/wire"
)

// collector sends the host what lies below a folder. No step is alive meanwhile.
type collector struct {
	p     *process
	what  wire.Collect
	files int
	bytes int64
}

func (p *process) collect(what wire.Collect) error {
	fd, err := openBelow(unix.AT_FDCWD, ".", unix.O_PATH)
	if err != nil {
		return failed("open the root", err)
	}
	defer unix.Close(fd)
	top, err := openBelow(fd, what.Path, unix.O_PATH|unix.O_NOFOLLOW)
	if err != nil {
		return failed("open "+strconv.Quote(what.Path), linkBlame(err))
	}
	defer unix.Close(top)
	c := &collector{p: p, what: what}
	var st unix.Stat_t
	if err := unix.Fstat(top, &st); err != nil {
		return failed("look at "+strconv.Quote(what.Path), err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return c.entry(fd, what.Path, "", 0)
	}
	dir, err := openBelow(top, ".", unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return failed("open "+strconv.Quote(what.Path), err)
	}
	defer unix.Close(dir)
	return c.folder(dir, "", 0)
}

// linkBlame turns the kernel's refusal to follow a link into words.
func linkBlame(err error) error {
	if errors.Is(err, unix.ELOOP) {
		return &trouble{what: "path", err: errors.New("leads through a symbolic link"), blame: true}
	}
	return err
}

func (c *collector) folder(dir int, at string, depth int) error {
	if depth > c.what.MaxDepth {
		return exceeded(strconv.Quote(at), fmt.Sprintf("folders nested deeper than %d", c.what.MaxDepth))
	}
	names, err := readNames(dir)
	if err != nil {
		return failed("list "+strconv.Quote(at), err)
	}
	for _, name := range names {
		inner := name
		if at != "" {
			inner = at + "/" + name
		}
		if err := c.entry(dir, name, inner, depth); err != nil {
			return err
		}
	}
	return nil
}

// entry reports one name of an open folder, and descends.
func (c *collector) entry(dir int, name, at string, depth int) error {
	if len(at) > c.what.PathBytes {
		return exceeded(strconv.Quote(at[:64])+"...", fmt.Sprintf("path longer than %d bytes", c.what.PathBytes))
	}
	if c.files++; c.files > c.what.Files {
		return exceeded(strconv.Quote(c.what.Path), fmt.Sprintf("more than %d entries", c.what.Files))
	}
	fd, err := openBelow(dir, name, unix.O_PATH|unix.O_NOFOLLOW)
	if err != nil {
		return failed("open "+strconv.Quote(at), linkBlame(err))
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return failed("look at "+strconv.Quote(at), err)
	}
	e := wire.Entry{Path: []byte(at), Mode: st.Mode & 0o7777, Size: st.Size, ModTime: st.Mtim.Sec}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return c.file(dir, name, e)
	case unix.S_IFDIR:
		return c.descend(dir, name, e, depth)
	case unix.S_IFLNK:
		text := make([]byte, maxLink)
		n, err := unix.Readlinkat(fd, "", text)
		if err != nil {
			return failed("read "+strconv.Quote(at), err)
		}
		e.Kind, e.Link, e.Problem = wire.EntryLink, text[:n], "a symbolic link"
	case unix.S_IFIFO:
		e.Kind, e.Problem = wire.EntryFIFO, "a named pipe"
	case unix.S_IFSOCK:
		e.Kind, e.Problem = wire.EntrySocket, "a socket"
	default:
		e.Kind, e.Problem = wire.EntryDevice, "a device"
	}
	return c.send(e)
}

func (c *collector) descend(dir int, name string, e wire.Entry, depth int) error {
	e.Kind = wire.EntryDirectory
	inner, err := openOwned(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW)
	if err != nil {
		return failed("open "+strconv.Quote(string(e.Path)), err)
	}
	defer unix.Close(inner)
	if err := c.send(e); err != nil {
		return err
	}
	return c.folder(inner, string(e.Path), depth+1)
}

// openOwned opens a file of a step. Process 1 may read files whatever their mode, being capable in a namespace that
// owns them.
func openOwned(dir int, name string, flags int) (int, error) {
	return openBelow(dir, name, flags|unix.O_NONBLOCK|unix.O_NOCTTY)
}

// file sends one regular file, or reports it when it would be more than one.
func (c *collector) file(dir int, name string, e wire.Entry) error {
	e.Kind = wire.EntryFile
	if c.what.Names {
		return c.send(e)
	}
	fd, err := openOwned(dir, name, unix.O_RDONLY|unix.O_NOFOLLOW)
	if err != nil {
		return failed("open "+strconv.Quote(string(e.Path)), err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return failed("look at "+strconv.Quote(string(e.Path)), errors.Join(err, unix.ESTALE))
	}
	switch _, err := unix.Fgetxattr(fd, "security.capability", nil); {
	case err == nil:
		e.Problem = "a file with capabilities"
	case e.Mode&unix.S_ISUID != 0:
		e.Problem = "a set-uid file"
	case e.Mode&unix.S_ISGID != 0:
		e.Problem = "a set-gid file"
	case e.Mode&unix.S_ISVTX != 0:
		e.Problem = "a file with the sticky bit"
	}
	if e.Problem != "" {
		return c.send(e)
	}
	if c.bytes += st.Size; c.bytes > c.what.Bytes || st.Size < 0 {
		return exceeded(strconv.Quote(c.what.Path), fmt.Sprintf("more than %d bytes", c.what.Bytes))
	}
	e.Size, e.Content = st.Size, true
	if err := c.send(e); err != nil {
		return err
	}
	return c.p.sendContent(fd, string(e.Path), st.Size)
}

func (c *collector) send(e wire.Entry) error {
	return wire.Send(c.p.control, wire.KindEntry, e)
}

// sendContent sends exactly size bytes.
func (p *process) sendContent(fd int, name string, size int64) error {
	if p.buffer == nil {
		p.buffer = make([]byte, wire.MaxData)
	}
	for size > 0 {
		n, err := file(fd).Read(p.buffer[:min(size, int64(len(p.buffer)))])
		if err != nil {
			return failed("read "+strconv.Quote(name), err)
		}
		size -= int64(n)
		if err := wire.Write(p.control, wire.KindData, p.buffer[:n]); err != nil {
			return err
		}
	}
	return nil
}

// readFile sends one regular file.
func (p *process) readFile(what wire.ReadFile) error {
	fd, err := openBelow(unix.AT_FDCWD, ".", unix.O_PATH)
	if err != nil {
		return failed("open the root", err)
	}
	defer unix.Close(fd)
	at, err := openOwned(fd, what.Path, unix.O_RDONLY)
	if err != nil {
		return failed("open "+strconv.Quote(what.Path), linkBlame(err))
	}
	defer unix.Close(at)
	var st unix.Stat_t
	if err := unix.Fstat(at, &st); err != nil {
		return failed("look at "+strconv.Quote(what.Path), err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return blame(strconv.Quote(what.Path), "is not a regular file")
	}
	if st.Size > what.Limit {
		return exceeded(strconv.Quote(what.Path), fmt.Sprintf("%d bytes exceed %d", st.Size, what.Limit))
	}
	return p.sendContent(at, what.Path, st.Size)
}
