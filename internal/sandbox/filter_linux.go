package sandbox

import (
	"encoding/binary"
	"runtime"
	"slices"
	"sync"

	seccomp "github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// One filter is on every step. Its first part looks at what names cannot say: foreign instruction sets, 32-bit arguments,
// and calls that the host is asked about. Whatever that part has no rule for comes to the second one, which refuses, by
// name, what no build needs and what has opened kernels before.

// refused are system calls that answer EPERM. A name that an architecture does not have is left out there.
var refused = []string{
	// mounts and roots
	"mount", "umount2", "umount", "pivot_root", "chroot", "open_tree", "open_tree_attr", "move_mount", "fsopen", "fsconfig",
	"fsmount", "fspick", "mount_setattr", "statmount", "listmount", "swapon", "swapoff", "quotactl", "quotactl_fd",
	// namespaces
	"setns",
	// keys
	"keyctl", "add_key", "request_key",
	// programs in the kernel, faults and counters
	"bpf", "userfaultfd", "perf_event_open", "io_uring_setup", "io_uring_enter", "io_uring_register",
	// other processes' memory and descriptors
	"ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp", "pidfd_getfd",
	// modules, kernels, machine
	"init_module", "finit_module", "delete_module", "create_module", "query_module", "get_kernel_syms", "kexec_load",
	"kexec_file_load", "reboot", "acct", "syslog", "iopl", "ioperm", "vhangup", "_sysctl", "sysfs", "uselib", "nfsservctl",
	"lookup_dcookie", "modify_ldt",
	// clocks
	"clock_settime", "clock_adjtime", "adjtimex", "settimeofday", "stime",
	// files by handle, watching a whole file system, moving pages between nodes
	"open_by_handle_at", "name_to_handle_at", "fanotify_init", "fanotify_mark", "mbind", "migrate_pages", "move_pages",
	"set_mempolicy", "vmsplice",
}

// missing are system calls that answer ENOSYS: programs know how to live without them, but give up at EPERM. The flags
// of clone3 lie in memory, where no filter can see them.
var missing = []string{"clone3"}

const namespaceFlags = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC |
	unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET

// assembled are two forms of the filter as the kernel reads it: one that asks the host about connections, and one for
// machines where that cannot be.
type assembled struct{ asking, plain []byte }

var assemble = sync.OnceValues(func() (assembled, error) {
	asking, err := filter(runtime.GOARCH, answerNotify)
	if err != nil {
		return assembled{}, err
	}
	plain, err := filter(runtime.GOARCH, answerAllow)
	return assembled{asking, plain}, err
})

// filter assembles both parts. Jumps are relative, so the second simply follows the first.
func filter(goarch string, connections uint32) ([]byte, error) {
	first, err := ruleProgram(goarch, connections)
	if err != nil {
		return nil, err
	}
	second, err := nameProgram()
	if err != nil {
		return nil, err
	}
	return encode(append(first, second...))
}

// nameProgram is the second part, for the architecture that this program runs on.
func nameProgram() ([]bpf.Instruction, error) {
	info, err := arch.GetInfo("")
	if err != nil {
		return nil, err
	}
	known := func(names []string) []string {
		return slices.DeleteFunc(slices.Clone(names), func(n string) bool { _, ok := info.SyscallNames[n]; return !ok })
	}
	policy := seccomp.Policy{
		DefaultAction: seccomp.ActionAllow,
		Syscalls: []seccomp.SyscallGroup{
			{Names: known(missing), Action: seccomp.ActionErrno | seccomp.Action(unix.ENOSYS)},
			{Names: known(refused), Action: seccomp.ActionErrno},
		},
	}
	return policy.Assemble()
}

// encode writes a program as an array of struct sock_filter.
func encode(program []bpf.Instruction) ([]byte, error) {
	raw, err := bpf.Assemble(program)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, len(raw)*8)
	for _, i := range raw {
		out = binary.LittleEndian.AppendUint16(out, i.Op)
		out = append(out, i.Jt, i.Jf)
		out = binary.LittleEndian.AppendUint32(out, i.K)
	}
	return out, nil
}
