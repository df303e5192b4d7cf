package inside

import (
	"encoding/binary"
	"errors"
	"path"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/glassbuild/glassbuild/internal/sandbox/wire"
)

// trace writes down which plain files of the mounts a step opens, executes or maps (all three open them), with one watch
// of inotify(7) on every folder. The watches are on the folders as steps see them: what lies below an overlay is opened by
// the kernel without notice, and another sandbox on the same files is not seen. A file that is moved counts as opened.
//
// What is written down is a hypothesis. A step can read a file without it, for instance through a hard link in a folder
// of its own; then a run that is shown only the files of the trace gives something else, see Mount.Masked.
type trace struct {
	fd      int
	folders []*folder         // to be watched
	watched map[int32]*folder // by watch descriptor
	why     string            // the trace is not complete
	rest    time.Time         // until then nothing is read: events come by the thousand
	buffer  []byte
}

// folder is one folder with its plain files; true is one that was opened since the last report.
type folder struct {
	path  string
	files map[string]bool
}

// survey lists every folder of a source for the trace.
func (t *trace) survey(source int, target string) error {
	fd, err := unix.Openat(source, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return failed("list the source of "+target, err)
	}
	defer unix.Close(fd)
	return t.below(fd, target, 0)
}

func (t *trace) below(fd int, at string, depth int) error {
	if depth > maxCopyDepth {
		return exceeded(at, "folders nested too deep")
	}
	entries, err := readEntries(fd)
	if err != nil {
		return failed("list "+at, err)
	}
	f := &folder{path: at, files: map[string]bool{}}
	t.folders = append(t.folders, f)
	for _, e := range entries {
		if e.kind == unix.DT_UNKNOWN {
			if e.kind, err = kindOf(fd, e.name); err != nil {
				return failed("look at "+path.Join(at, e.name), err)
			}
		}
		switch e.kind {
		case unix.DT_REG:
			f.files[e.name] = false
		case unix.DT_DIR:
			below, err := unix.Openat(fd, e.name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
			if closed(fd, e.name, err) {
				continue
			}
			if err != nil {
				return failed("open "+path.Join(at, e.name), err)
			}
			err = t.below(below, path.Join(at, e.name), depth+1)
			unix.Close(below)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// closed tells of a folder that could not be opened and that no step can look into either: it has no more rights than
// process 1 has to other people's files. One that may be entered but not listed is not closed.
func closed(dir int, name string, err error) bool {
	return errors.Is(err, unix.EACCES) && errors.Is(unix.Faccessat(dir, name, unix.X_OK, 0), unix.EACCES)
}

func kindOf(fd int, name string) (byte, error) {
	var st unix.Stat_t
	err := unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	return byte(st.Mode & unix.S_IFMT >> 12), err // IFTODT of <dirent.h>
}

// watch begins. What keeps it from being complete is told with every report, and nothing else comes of it: whoever asked
// for the trace decides.
func (t *trace) watch() {
	if t.why != "" {
		return
	}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err == nil {
		fd, err = raised(fd)
	}
	if err != nil {
		t.why = "inotify: " + err.Error()
		return
	}
	t.fd, t.watched, t.buffer = fd, map[int32]*folder{}, make([]byte, traceBuffer)
	for _, f := range t.folders {
		wd, err := unix.InotifyAddWatch(fd, f.path, unix.IN_OPEN|unix.IN_MOVED_FROM|unix.IN_ONLYDIR|unix.IN_DONT_FOLLOW)
		switch {
		case errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR): // another mount covers it: nobody can open it
			continue
		case errors.Is(err, unix.ENOSPC):
			t.why = "more folders than this user may watch (fs.inotify.max_user_watches)"
			return
		case err != nil:
			t.why = "watching " + f.path + ": " + err.Error()
			return
		}
		t.watched[int32(wd)] = f
	}
	t.folders = nil
}

// drain reads what happened.
func (t *trace) drain() {
	for t.fd >= 0 {
		n, err := unix.Read(t.fd, t.buffer)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n <= 0 {
			return
		}
		t.take(t.buffer[:n])
	}
}

// take reads events (struct inotify_event).
func (t *trace) take(events []byte) {
	for len(events) >= unix.SizeofInotifyEvent {
		wd := int32(binary.NativeEndian.Uint32(events))
		what := binary.NativeEndian.Uint32(events[4:])
		size := int(binary.NativeEndian.Uint32(events[12:]))
		name := events[unix.SizeofInotifyEvent:min(unix.SizeofInotifyEvent+size, len(events))]
		events = events[min(unix.SizeofInotifyEvent+size, len(events)):]
		if what&unix.IN_Q_OVERFLOW != 0 {
			t.why = "files were opened faster than they could be written down"
			continue
		}
		f := t.watched[wd]
		if f == nil || what&(unix.IN_OPEN|unix.IN_MOVED_FROM) == 0 {
			continue
		}
		if i := slices.Index(name, 0); i >= 0 {
			name = name[:i]
		}
		if opened, known := f.files[string(name)]; known && !opened {
			f.files[string(name)] = true
		}
	}
}

// report sends the paths that were opened since the last one, and says whether they are all.
func (t *trace) report(control file) (string, error) {
	t.drain()
	var out []byte
	for _, f := range t.watched {
		for name, opened := range f.files {
			if !opened {
				continue
			}
			f.files[name] = false
			if len(out)+len(f.path)+len(name)+2 > wire.MaxData {
				if err := wire.Write(control, wire.KindOpened, out); err != nil {
					return "", err
				}
				out = out[:0]
			}
			out = append(append(append(append(out, f.path...), '/'), name...), 0)
		}
	}
	if len(out) > 0 {
		if err := wire.Write(control, wire.KindOpened, out); err != nil {
			return "", err
		}
	}
	if t.why != "" {
		return t.why, nil
	}
	return wire.TraceComplete, nil
}
