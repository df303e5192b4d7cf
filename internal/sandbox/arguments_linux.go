package sandbox

import (
	"fmt"

	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Offsets in struct seccomp_data. Both architectures are little-endian: the low half of an argument comes first. The
// kernel itself looks only at the low half of an int, so that is what is compared (CVE-2019-10063 is what happens
// otherwise).
const (
	offNumber = 0
	offArch   = 4
)

func offLow(arg uint32) uint32  { return 16 + 8*arg }
func offHigh(arg uint32) uint32 { return 20 + 8*arg }

const (
	answerAllow  = unix.SECCOMP_RET_ALLOW
	answerNotify = unix.SECCOMP_RET_USER_NOTIF
	answerKill   = unix.SECCOMP_RET_KILL_PROCESS
)

func answerErrno(e uint32) uint32 { return unix.SECCOMP_RET_ERRNO | e }

// rule is what happens to one system call: a sequence of tests that either returns or falls through to "allow".
type rule struct {
	name string
	body []bpf.Instruction
}

func ret(value uint32) bpf.Instruction { return bpf.RetConstant{Val: value} }
func load(off uint32) bpf.Instruction  { return bpf.LoadAbsolute{Off: off, Size: 4} }
func low(arg uint32) bpf.Instruction   { return load(offLow(arg)) }
func unless(cond bpf.JumpTest, value uint32, skip uint8) bpf.Instruction {
	return bpf.JumpIf{Cond: cond, Val: value, SkipFalse: skip}
}

// when returns answer when the loaded word fulfils the condition.
func when(cond bpf.JumpTest, value, answer uint32) []bpf.Instruction {
	return []bpf.Instruction{unless(cond, value, 1), ret(answer)}
}

func sequence(parts ...any) []bpf.Instruction {
	var out []bpf.Instruction
	for _, p := range parts {
		switch p := p.(type) {
		case bpf.Instruction:
			out = append(out, p)
		case []bpf.Instruction:
			out = append(out, p...)
		}
	}
	return out
}

// harmlessPersonalities are the values of personality(2) that builds use: none, PER_LINUX32 for uname(1), UNAME26,
// ADDR_NO_RANDOMIZE, and "tell me".
var harmlessPersonalities = []uint32{0x0, 0x0008, 0x20000, 0x20008, 0x40000, 0x40008, 0xffffffff}

// rules are what happens to calls whose arguments matter. connections answers those that would leave the sandbox.
func rules(connections uint32) []rule {
	eperm := answerErrno(uint32(unix.EPERM))
	family := answerErrno(uint32(unix.EAFNOSUPPORT))
	personality := []bpf.Instruction{low(0)}
	for _, v := range harmlessPersonalities {
		personality = append(personality, when(bpf.JumpEqual, v, answerAllow)...)
	}
	toInit := sequence(low(0), when(bpf.JumpEqual, 1, eperm))
	return []rule{
		{"connect", sequence(ret(connections))},
		// sendto with an address; without one it is send on a connected socket
		{"sendto", sequence(low(4), when(bpf.JumpNotEqual, 0, connections), load(offHigh(4)), when(bpf.JumpNotEqual, 0, connections))},
		{"clone", sequence(low(0), when(bpf.JumpBitsSet, namespaceFlags, eperm))},
		{"unshare", sequence(low(0), when(bpf.JumpBitsSet, namespaceFlags|unix.CLONE_NEWTIME, eperm))},
		// families unix, inet, inet6 and netlink's routing one; no raw or packet sockets
		{"socket", sequence(low(0), when(bpf.JumpEqual, unix.AF_UNIX, answerAllow),
			unless(bpf.JumpEqual, unix.AF_NETLINK, 4), low(2), unless(bpf.JumpNotEqual, unix.NETLINK_ROUTE, 1), ret(family), ret(answerAllow),
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.AF_INET, SkipTrue: 2},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.AF_INET6, SkipTrue: 1}, ret(family),
			low(1), bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0xf},
			when(bpf.JumpEqual, unix.SOCK_RAW, eperm), when(bpf.JumpEqual, unix.SOCK_PACKET, eperm))},
		{"socketpair", sequence(low(0), when(bpf.JumpNotEqual, unix.AF_UNIX, family))},
		{"ioctl", sequence(low(1), when(bpf.JumpEqual, unix.TIOCSTI, eperm), when(bpf.JumpEqual, tiocLinux, eperm))},
		{"personality", append(personality, ret(eperm))},
		// signals to process 1, which would only hurt the step itself
		{"kill", toInit}, {"tkill", toInit}, {"tgkill", toInit}, {"rt_sigqueueinfo", toInit}, {"rt_tgsigqueueinfo", toInit},
		{"pidfd_open", toInit},
	}
}

const tiocLinux = 0x541c

// ruleProgram is the first part of the filter. Foreign instruction sets, which have other numbers for everything, are
// killed; x32, which shares ours, does not exist.
func ruleProgram(goarch string, connections uint32) ([]bpf.Instruction, error) {
	info, err := arch.GetInfo(goarch)
	if err != nil {
		return nil, err
	}
	program := []bpf.Instruction{
		load(offArch), bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(info.ID), SkipTrue: 1}, ret(answerKill),
		load(offNumber),
	}
	if goarch == "amd64" {
		const x32 = 0x40000000
		program = append(program, when(bpf.JumpGreaterOrEqual, x32, answerErrno(uint32(unix.ENOSYS)))...)
	}
	for _, r := range rules(connections) {
		number, ok := info.SyscallNames[r.name]
		if !ok {
			return nil, fmt.Errorf("%s has no %s", goarch, r.name)
		}
		body := append(r.body, ret(answerAllow))
		if len(body) > 255 {
			return nil, fmt.Errorf("rule for %s too long", r.name)
		}
		program = append(program, bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(number), SkipFalse: uint8(len(body))})
		program = append(program, body...)
	}
	return program, nil
}
