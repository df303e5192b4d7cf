package inside

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// device is one device node that a step may use. Nodes cannot be made in a user namespace, so the machine's own are
// bound, read-only: writing to a device is not writing to its file system, but changing its mode or owner is.
type device struct {
	name         string
	major, minor uint32
}

var devices = []device{{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}}

// openDevices takes hold of the machine's nodes and makes sure that they are what they are called.
func openDevices() ([]int, error) {
	out := make([]int, len(devices))
	for i, d := range devices {
		name := "/dev/" + d.name
		fd, err := unix.Open(name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, failed("open "+name, err)
		}
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return nil, failed("look at "+name, err)
		}
		if st.Mode&unix.S_IFMT != unix.S_IFCHR || unix.Major(st.Rdev) != d.major || unix.Minor(st.Rdev) != d.minor {
			return nil, blame(name, "is not the device of that name")
		}
		out[i] = fd
	}
	return out, nil
}

// deviceLinks are the other names that programs expect in /dev.
var deviceLinks = [][2]string{
	{"/proc/self/fd", "fd"}, {"/proc/self/fd/0", "stdin"}, {"/proc/self/fd/1", "stdout"}, {"/proc/self/fd/2", "stderr"},
	{"pts/ptmx", "ptmx"},
}

func (r *root) makeDevices(sources []int) error {
	dev, err := tmpfs(devSize, 64, 0o755)
	if err != nil {
		return err
	}
	defer unix.Close(dev)
	if err := r.mountAt(dev, "/dev", true); err != nil {
		return err
	}
	for i, d := range devices {
		err := r.bindDevice(sources[i], "/dev/"+d.name)
		unix.Close(sources[i])
		if err != nil {
			return err
		}
	}
	for _, link := range deviceLinks {
		if err := unix.Symlinkat(link[0], dev, link[1]); err != nil {
			return failed("make /dev/"+link[1], err)
		}
	}
	for _, name := range []string{"pts", "shm"} {
		if err := unix.Mkdirat(dev, name, 0o755); err != nil {
			return failed("make /dev/"+name, err)
		}
	}
	shm, err := tmpfs(shmSize, 1<<16, 0o1777)
	if err != nil {
		return err
	}
	defer unix.Close(shm)
	if err := r.mountAt(shm, "/dev/shm", true); err != nil {
		return err
	}
	r.writes = append(r.writes, "/dev/shm")
	return failed("make /dev read-only", setattr(dev, unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC, false))
}

func (r *root) bindDevice(source int, target string) error {
	tree, err := unix.OpenTree(source, "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH)
	if err != nil {
		return failed("bind "+target, err)
	}
	defer unix.Close(tree)
	const attr = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOEXEC
	if err := setattr(tree, attr, false); err != nil {
		return failed("seal "+target, err)
	}
	return r.mountAt(tree, target, false)
}

// makeTerminals mounts a private devpts, once, when the first step asks for a terminal.
func makeTerminals() error {
	var st unix.Stat_t
	if unix.Stat("/dev/pts/ptmx", &st) == nil {
		return nil
	}
	const options = "newinstance,ptmxmode=0666,mode=0620,max=" // every terminal costs kernel memory
	err := unix.Mount("devpts", "/dev/pts", "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, options+strconv.Itoa(maxTerminals))
	return failed("mount /dev/pts", err)
}
