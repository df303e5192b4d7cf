package main

import (
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// call makes one system call with zero or harmless arguments.
func call(number uintptr, args ...uintptr) error {
	var a [6]uintptr
	copy(a[:], args)
	_, _, errno := unix.Syscall6(number, a[0], a[1], a[2], a[3], a[4], a[5])
	if errno == 0 {
		return nil
	}
	return errno
}

func calls([]string) {
	zero := uintptr(unsafe.Pointer(new([4096]byte)))
	for name, number := range map[string]uintptr{
		"mount": unix.SYS_MOUNT, "umount2": unix.SYS_UMOUNT2, "pivot_root": unix.SYS_PIVOT_ROOT, "chroot": unix.SYS_CHROOT,
		"open_tree": unix.SYS_OPEN_TREE, "move_mount": unix.SYS_MOVE_MOUNT, "fsopen": unix.SYS_FSOPEN, "fsmount": unix.SYS_FSMOUNT,
		"fspick": unix.SYS_FSPICK, "fsconfig": unix.SYS_FSCONFIG, "mount_setattr": unix.SYS_MOUNT_SETATTR, "swapon": unix.SYS_SWAPON,
		"quotactl": unix.SYS_QUOTACTL, "setns": unix.SYS_SETNS, "keyctl": unix.SYS_KEYCTL, "add_key": unix.SYS_ADD_KEY,
		"request_key": unix.SYS_REQUEST_KEY, "bpf": unix.SYS_BPF, "userfaultfd": unix.SYS_USERFAULTFD,
		"perf_event_open": unix.SYS_PERF_EVENT_OPEN, "io_uring_setup": unix.SYS_IO_URING_SETUP, "io_uring_enter": unix.SYS_IO_URING_ENTER,
		"io_uring_register": unix.SYS_IO_URING_REGISTER, "ptrace": unix.SYS_PTRACE, "process_vm_readv": unix.SYS_PROCESS_VM_READV,
		"process_vm_writev": unix.SYS_PROCESS_VM_WRITEV, "kcmp": unix.SYS_KCMP, "pidfd_getfd": unix.SYS_PIDFD_GETFD,
		"init_module": unix.SYS_INIT_MODULE, "finit_module": unix.SYS_FINIT_MODULE, "delete_module": unix.SYS_DELETE_MODULE,
		"kexec_load": unix.SYS_KEXEC_LOAD, "reboot": unix.SYS_REBOOT, "acct": unix.SYS_ACCT, "syslog": unix.SYS_SYSLOG,
		"clock_settime": unix.SYS_CLOCK_SETTIME, "clock_adjtime": unix.SYS_CLOCK_ADJTIME, "settimeofday": unix.SYS_SETTIMEOFDAY,
		"adjtimex": unix.SYS_ADJTIMEX, "open_by_handle_at": unix.SYS_OPEN_BY_HANDLE_AT, "name_to_handle_at": unix.SYS_NAME_TO_HANDLE_AT,
		"fanotify_init": unix.SYS_FANOTIFY_INIT, "move_pages": unix.SYS_MOVE_PAGES, "vmsplice": unix.SYS_VMSPLICE,
	} {
		want(name, call(number, zero, zero, zero, 0, zero), unix.EPERM)
	}
	want("clone3", call(unix.SYS_CLONE3, zero, 88), unix.ENOSYS)
	want("ptrace traceme", call(unix.SYS_PTRACE, unix.PTRACE_TRACEME), unix.EPERM)
	want("ptrace attach", call(unix.SYS_PTRACE, unix.PTRACE_ATTACH, 1), unix.EPERM)
}

func namespaces([]string) {
	for name, flag := range map[string]uintptr{
		"user": unix.CLONE_NEWUSER, "mnt": unix.CLONE_NEWNS, "pid": unix.CLONE_NEWPID, "net": unix.CLONE_NEWNET,
		"ipc": unix.CLONE_NEWIPC, "uts": unix.CLONE_NEWUTS, "cgroup": unix.CLONE_NEWCGROUP,
	} {
		want("unshare "+name, call(unix.SYS_UNSHARE, flag), unix.EPERM)
		want("unshare with more bits "+name, call(unix.SYS_UNSHARE, flag|unix.CLONE_FS), unix.EPERM)
		want("unshare with high bits "+name, call(unix.SYS_UNSHARE, flag|1<<40), unix.EPERM)
		pid, _, errno := unix.RawSyscall6(unix.SYS_CLONE, flag|uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
		if errno == 0 && pid == 0 {
			unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
		}
		want("clone "+name, toError(errno), unix.EPERM)
	}
	want("unshare time", call(unix.SYS_UNSHARE, unix.CLONE_NEWTIME), unix.EPERM)
	runtime.LockOSThread()
	want("unshare files", call(unix.SYS_UNSHARE, unix.CLONE_FILES), nil)
}

func toError(errno syscall.Errno) error {
	if errno == 0 {
		return nil
	}
	return errno
}

func sockets([]string) {
	open := func(family, kind, protocol int) error {
		fd, err := unix.Socket(family, kind, protocol)
		if err == nil {
			unix.Close(fd)
		}
		return err
	}
	for _, family := range []int{unix.AF_PACKET, unix.AF_VSOCK, unix.AF_ALG, unix.AF_BLUETOOTH, unix.AF_CAN, unix.AF_TIPC, unix.AF_XDP, unix.AF_KEY, unix.AF_RDS, 0, 47, 1 << 20} {
		want("family", open(family, unix.SOCK_DGRAM, 0), unix.EAFNOSUPPORT)
		want("family raw", open(family, unix.SOCK_RAW, 0), unix.EAFNOSUPPORT)
	}
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		want("raw", open(family, unix.SOCK_RAW, unix.IPPROTO_ICMP), unix.EPERM)
		want("raw with flags", open(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 255), unix.EPERM)
		want("packet", open(family, unix.SOCK_PACKET, 0), unix.EPERM)
		want("stream", open(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0), nil, unix.EAFNOSUPPORT)
	}
	for _, protocol := range []int{unix.NETLINK_NETFILTER, unix.NETLINK_XFRM, unix.NETLINK_AUDIT, unix.NETLINK_KOBJECT_UEVENT, unix.NETLINK_GENERIC, unix.NETLINK_SOCK_DIAG} {
		want("netlink", open(unix.AF_NETLINK, unix.SOCK_RAW, protocol), unix.EAFNOSUPPORT)
	}
	want("netlink route", open(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE), nil)
	want("unix", open(unix.AF_UNIX, unix.SOCK_STREAM, 0), nil)
	_, err := unix.Socketpair(unix.AF_TIPC, unix.SOCK_STREAM, 0)
	want("socketpair", err, unix.EAFNOSUPPORT)
}

func powers([]string) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	all := [2]unix.CapUserData{{Effective: ^uint32(0), Permitted: ^uint32(0), Inheritable: ^uint32(0)}}
	if unix.Capset(&header, &all[0]) == nil {
		won("took capabilities")
	}
	if v, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); err != nil || v != 1 {
		won("no_new_privs is %d, %v", v, err)
	}
	if unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, unix.CAP_SYS_ADMIN, 0, 0) == nil {
		won("raised an ambient capability")
	}
	if unix.Prctl(unix.PR_SET_SECUREBITS, 0, 0, 0, 0) == nil {
		won("changed the securebits")
	}
	for _, id := range []int{0, 1, 1234} {
		if id != os.Getuid() && unix.Setuid(id) == nil {
			won("became user %d", id)
		}
		if id != os.Getgid() && unix.Setgid(id) == nil {
			won("became group %d", id)
		}
	}
	if unix.Setgroups([]int{0}) == nil {
		won("changed its groups")
	}
	for name, err := range map[string]error{
		"host name": unix.Sethostname([]byte("x")), "priority": unix.Setpriority(unix.PRIO_PROCESS, 0, -5),
		"limit": unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 1 << 19, Max: 1 << 19}),
	} {
		if err == nil {
			won("changed the %s", name)
		}
	}
}

func againstInit([]string) {
	for _, signal := range []unix.Signal{unix.SIGKILL, unix.SIGTERM, unix.SIGSTOP, unix.SIGSEGV, unix.SIGQUIT, 0} {
		want("kill", unix.Kill(1, signal), unix.EPERM)
		want("tgkill", unix.Tgkill(1, 1, signal), unix.EPERM)
	}
	for tid := 2; tid < os.Getpid(); tid++ { // other threads of process 1 can be guessed; what it ignores does no harm
		_ = unix.Tgkill(1, tid, unix.SIGTERM)
		_, _, _ = unix.RawSyscall(unix.SYS_TKILL, uintptr(tid), uintptr(unix.SIGTERM), 0)
	}
	_, err := unix.PidfdOpen(1, 0)
	want("pidfd_open", err, unix.EPERM)
	_ = unix.Kill(-1, unix.SIGCONT)
}

const tiocLinux = 0x541c

func tricks([]string) {
	if runtime.GOARCH == "amd64" {
		const x32 = 0x40000000
		want("x32 getpid", call(x32+39), unix.ENOSYS)
		want("x32 mount", call(x32+165), unix.ENOSYS)
	}
	text := uintptr(unsafe.Pointer(new(byte)))
	want("push input", call(unix.SYS_IOCTL, 0, unix.TIOCSTI, text), unix.EPERM)
	want("push input with high bits", call(unix.SYS_IOCTL, 0, unix.TIOCSTI|1<<32, text), unix.EPERM)
	want("console", call(unix.SYS_IOCTL, 0, tiocLinux, text), unix.EPERM)
	const readImpliesExec, addrCompat = 0x0400000, 0x0200000
	want("personality", call(unix.SYS_PERSONALITY, readImpliesExec), unix.EPERM)
	want("personality", call(unix.SYS_PERSONALITY, addrCompat), unix.EPERM)
	if _, _, errno := unix.Syscall(unix.SYS_PERSONALITY, 0xffffffff, 0, 0); errno != 0 {
		won("cannot ask for the personality: %v", errno)
	}
}
