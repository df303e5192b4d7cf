package inside

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/glassbuild/glassbuild/internal/sandbox/wire"
)

// selfCheck seals the child that the first step will use, and looks at it and at what it sees. Any check that does not
// hold ends the sandbox before anything foreign ran.
func (p *process) selfCheck() (checks []wire.Check, err error) {
	own, err := readStatus(1)
	if err != nil {
		return nil, err
	}
	p.filters, _ = strconv.Atoi(own["Seccomp_filters"])
	p.notify = true
	if p.first, err = p.sealedChild(); err != nil {
		// Only one listener can stand in a chain of filters: inside a container that has one, nothing is reported.
		p.notify = false
		if p.first, err = p.sealedChild(); err != nil {
			return nil, err
		}
	}
	if checks, err = p.inspect(p.first.pid, false); err != nil {
		return nil, err
	}
	for _, look := range []func(int) wire.Check{
		checkProcesses, checkInterfaces, checkRoutes, p.checkMounts, checkDevices, checkEnvironment, p.checkIdentity,
	} {
		checks = append(checks, look(p.first.pid))
	}
	return checks, firstBroken(checks)
}

func (p *process) sealedChild() (*child, error) {
	k, err := p.openLog()
	if err != nil {
		return nil, err
	}
	k.notify = p.notify
	return k, p.launch(k)
}

// firstBroken returns an error for the first check that does not hold. No checks at all do not hold either.
func firstBroken(checks []wire.Check) error {
	if len(checks) == 0 {
		return errors.New("nothing was checked")
	}
	for _, c := range checks {
		if !c.OK {
			return &trouble{what: "check " + c.Name, err: errors.New(c.Detail)}
		}
	}
	return nil
}

func check(name string, ok bool, format string, args ...any) wire.Check {
	return wire.Check{Name: name, OK: ok, Detail: fmt.Sprintf(format, args...)}
}

// inspect looks at a sealed process from process 1.
func (p *process) inspect(pid int, terminal bool) ([]wire.Check, error) {
	status, err := readStatus(pid)
	if err != nil {
		return nil, err
	}
	var powers []string
	for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
		if v := status[set]; v == "" || strings.Trim(v, "0") != "" {
			powers = append(powers, set+" "+v)
		}
	}
	checks := []wire.Check{
		check("capabilities", len(powers) == 0, "%s", orElse(strings.Join(powers, ", "), "none in any set")),
		check("no-new-privileges", status["NoNewPrivs"] == "1", "%s", status["NoNewPrivs"]),
		check("seccomp", p.filtered(status), "mode %s, filters %s", status["Seccomp"], status["Seccomp_filters"]),
		checkDescriptors(pid, terminal),
		checkSession(pid, terminal),
	}
	return checks, nil
}

// filtered tells whether a process has more filters than process 1, in filter mode. The count is known since Linux 5.9.
func (p *process) filtered(status map[string]string) bool {
	have, err := strconv.Atoi(status["Seccomp_filters"])
	return status["Seccomp"] == "2" && err == nil && have > p.filters
}

func readStatus(pid int) (map[string]string, error) {
	text, err := readProc(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return nil, failed("read the status of a process", err)
	}
	out := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(line, ":"); ok {
			out[name] = strings.TrimSpace(value)
		}
	}
	return out, nil
}

func readProc(name string) (string, error) {
	text, err := readPath(name, maxProcFile)
	return string(text), err
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// checkDescriptors wants 0 to 2, and beyond them only the two that close themselves.
func checkDescriptors(pid int, terminal bool) wire.Check {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	names, err := listPath(dir)
	if err != nil {
		return check("descriptors", false, "%v", err)
	}
	if !slices.Equal(names, []string{"0", "1", "2", "3", "4"}) {
		return check("descriptors", false, "open: %s", strings.Join(names, " "))
	}
	var kinds []string
	for _, name := range names {
		target, err := os.Readlink(dir + "/" + name)
		if err != nil {
			return check("descriptors", false, "%v", err)
		}
		kind, _, _ := strings.Cut(target, ":")
		fits := kind == "/dev/null" || kind == "pipe" || terminal && strings.HasPrefix(target, "/dev/pts/")
		if name > "2" {
			info, err := readProc(fmt.Sprintf("/proc/%d/fdinfo/%s", pid, name))
			fits = err == nil && kind == "pipe" && closesItself(info)
		} else {
			kinds = append(kinds, kind)
		}
		if !fits {
			return check("descriptors", false, "%s is %q", name, target)
		}
	}
	return check("descriptors", true, "%s", strings.Join(kinds, ", "))
}

// closesItself tells whether the flags in a fdinfo file (octal) hold O_CLOEXEC.
func closesItself(info string) bool {
	for line := range strings.Lines(info) {
		if value, ok := strings.CutPrefix(line, "flags:"); ok {
			flags, err := strconv.ParseUint(strings.TrimSpace(value), 8, 64)
			return err == nil && flags&unix.O_CLOEXEC != 0
		}
	}
	return false
}

// checkSession wants the process to lead a session of its own, without a terminal unless it asked for one.
func checkSession(pid int, terminal bool) wire.Check {
	text, err := readProc(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return check("session", false, "%v", err)
	}
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) < 5 {
		return check("session", false, "%q", text)
	}
	session, tty := fields[3], fields[4] // fields 6 and 7 of proc_pid_stat(5)
	ok := session == strconv.Itoa(pid) && (tty != "0") == terminal
	return check("session", ok, "its own: %t, controlling terminal: %t", session == strconv.Itoa(pid), tty != "0")
}
