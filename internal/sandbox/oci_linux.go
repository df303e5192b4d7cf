package sandbox

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/sandbox/wire"
)

// ociRuntime has another program, an OCI runtime such as runc, make the namespaces and start the first process in them.
// That process then builds the same root, seals the same steps and is looked at in the same way as under Embedded.
type ociRuntime struct {
	program  string // path
	name     string // as it calls itself
	version  string
	sha256   string
	folder   func() (string, error) // makes a private folder, which somebody sweeps when this program is killed
	carrier  func() (carrier, error)
	patience time.Duration // for the first process to come about, and for the runtime to end
}

// Open returns the runtime that a person named: "embedded", which "" is too, or an OCI runtime for OCI.
func Open(ctx context.Context, name string, folder func() (string, error)) (Runtime, error) {
	if name == "" || name == EmbeddedName {
		return Embedded(), nil
	}
	return OCI(ctx, name, folder)
}

// OCI returns the runtime at a path, or of a name in PATH. folder makes a private folder for each sandbox; what is in it
// outlives this program only when it is killed.
func OCI(ctx context.Context, program string, folder func() (string, error)) (Runtime, error) {
	r, err := findOCI(ctx, program, runtimePatience)
	if err != nil {
		return nil, err
	}
	r.folder = folder
	return r, nil
}

func findOCI(ctx context.Context, program string, patience time.Duration) (*ociRuntime, error) {
	path, err := lookUp(program)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return nil, fault.Usagef(fault.Quote(program), "is no program that can be run: %w", bare(err)).WithHint("name the OCI runtime by its path: --sandbox /usr/sbin/runc")
	}
	r := &ociRuntime{program: path, carrier: findCarrier, patience: patience}
	if err := r.identify(ctx); err != nil {
		return nil, err
	}
	return r, nil
}

// lookUp finds a program by its path or its name, also where only an administrator's PATH leads.
func lookUp(program string) (string, error) {
	path, err := exec.LookPath(program)
	for _, dir := range []string{"/usr/local/sbin", "/usr/sbin", "/sbin"} {
		if err == nil || program == "" || strings.Contains(program, "/") {
			break
		}
		path, err = exec.LookPath(filepath.Join(dir, program))
	}
	return path, err
}

// Found returns the paths of the OCI runtimes of this machine that are known by name.
func Found() []string {
	var out []string
	for _, name := range []string{"runc", "crun", "youki", "runsc"} {
		if path, err := lookUp(name); err == nil {
			out = append(out, path)
		}
	}
	return out
}

// bare takes off what repeats the name of the program.
func bare(err error) error {
	var e *exec.Error
	if errors.As(err, &e) {
		err = e.Err
	}
	var p *os.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return err
}

// identify asks the program who it is. Every runtime says "NAME version VERSION" and "spec: VERSION".
func (r *ociRuntime) identify(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.patience)
	defer cancel()
	var text tail
	c := r.call("--version")
	c.Stdout = &text
	if err := run(ctx, c); err != nil {
		if errors.Is(ctx.Err(), context.Canceled) {
			return ctx.Err()
		}
		return fault.Usagef(fault.Quote(r.program), "is no OCI runtime: --version: %w", err)
	}
	var spec string
	for line := range strings.Lines(text.String()) {
		f := strings.Fields(line)
		switch {
		case len(f) >= 3 && f[1] == "version" && r.name == "":
			r.name, r.version = f[0], f[2]
		case len(f) == 2 && f[0] == "spec:":
			spec = f[1]
		}
	}
	first, _, _ := strings.Cut(text.String(), "\n")
	switch {
	case r.name == "" || spec == "" || len(r.name)+len(r.version) > maxName || !plainWord(r.name+r.version):
		return fault.Usagef(fault.Quote(r.program), "is no OCI runtime: --version says %s", fault.Quote(first)).WithHint("runc and crun are such runtimes")
	case !strings.HasPrefix(spec, "1."):
		return fault.Usagef(fault.Quote(r.program), "follows version %s of the OCI runtime specification, not 1", fault.Quote(spec)).WithHint("use a newer %s", r.name)
	}
	f, err := os.Open(r.program)
	if err != nil {
		return fault.Usagef(fault.Quote(r.program), "cannot be read: %w", bare(err))
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(f, maxRuntime)); err != nil {
		return fault.Usagef(fault.Quote(r.program), "cannot be read: %w", bare(err))
	}
	r.sha256 = hex.EncodeToString(h.Sum(nil))
	return nil
}

func plainWord(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c > '~' || c == '"' || c == '<' || c == '>' })
}

// Name is different for every build of every runtime.
func (r *ociRuntime) Name() string { return r.name + " " + r.version + " sha256:" + r.sha256 }

// call describes a call of the program, with nothing of this process's environment but where programs lie.
func (r *ociRuntime) call(args ...string) *exec.Cmd {
	return &exec.Cmd{
		Path: r.program, Args: append([]string{r.program}, args...), Dir: "/", Env: []string{"PATH=" + os.Getenv("PATH")},
		// What it starts and leaves behind may keep its output open.
		WaitDelay: drainTimeout, SysProcAttr: &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGTERM},
	}
}

// run waits for a program, and ends it with all that it started when ctx does.
func run(ctx context.Context, c *exec.Cmd) error {
	if err := c.Start(); err != nil {
		return bare(err)
	}
	stop := context.AfterFunc(ctx, func() { _ = unix.Kill(-c.Process.Pid, unix.SIGKILL) })
	defer stop()
	err := c.Wait()
	if ctx.Err() != nil {
		return errors.New("it does not end")
	}
	return err
}

func (r *ociRuntime) Start(ctx context.Context, spec Spec) (Session, error) {
	return begin(ctx, spec, r.find, func(c carrier) maker { return &ociMaker{runtime: r, carrier: c} })
}

// find returns the first process's program, which has to run in a root that holds nothing else.
func (r *ociRuntime) find() (carrier, error) {
	c, err := r.carrier()
	if err == nil && !c.fits {
		return c, errors.New("this program needs shared libraries and holds no static one: build it with `make build`, or with CGO_ENABLED=0")
	}
	return c, err
}

// ociMaker is one container.
type ociMaker struct {
	runtime *ociRuntime
	carrier carrier
	dir     string // holds the bundle and the runtime's own state
	id      string

	checks []Check // of the first process, as the runtime made it

	mu    sync.Mutex
	first int // descriptor of the first process, 0 until it has come
}

func (m *ociMaker) command(s *session, setup *wire.Setup, control, pass *os.File) (*exec.Cmd, error) {
	var err error
	if m.dir, err = m.runtime.folder(); err != nil {
		return nil, err
	}
	// The name is that of a control group of ours, which is swept should this program be killed.
	m.id = "glassbuild-" + strconv.Itoa(os.Getpid()) + "-" + strings.ToLower(rand.Text()[:10])
	if err := writeBundle(m.dir, setup, m.carrier); err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	if err := os.Mkdir(m.state(), 0o700); err != nil {
		return nil, err
	}
	c := m.runtime.call("--root", m.state(), "run", "--bundle", m.dir, "--preserve-fds", "2", m.id)
	c.ExtraFiles = []*os.File{control, pass} // wire.ControlFD, wire.PassFD
	return c, tellSender(s.pass, 1)
}

func (m *ociMaker) state() string { return filepath.Join(m.dir, "state") }

// meet waits for the first process's hello. The kernel says who sent it (SCM_CREDENTIALS of unix(7)), so a runtime cannot
// pass another process off; and nothing is built before the namespaces of that one were looked at.
func (m *ociMaker) meet(ctx context.Context, s *session) (int, error) {
	pid, err := m.hello(ctx, s)
	if err != nil {
		return 0, err
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return 0, fmt.Errorf("its first process: %w", err)
	}
	m.mu.Lock()
	m.first = fd
	m.mu.Unlock()
	if err := m.inspect(pid); err != nil {
		return 0, err
	}
	return pid, nil
}

// inspect looks whether the runtime did what its configuration says of the first process.
func (m *ociMaker) inspect(pid int) error {
	checks := statusChecks(pid)
	for _, name := range wanted {
		c, err := compareNamespace(pid, name)
		if err != nil {
			return err
		}
		checks = append(checks, c)
	}
	var bad untrue
	for _, c := range checks {
		if !c.OK {
			bad = append(bad, c.Name+" "+c.Detail)
		}
	}
	if len(bad) > 0 {
		return bad
	}
	m.checks = checks[:len(checks)-len(wanted)] // the namespaces are looked at again
	return nil
}

// statusChecks looks at the first process's own powers (proc_pid_status(5)), before it has built anything.
func statusChecks(pid int) []Check {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	value := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, rest, _ := strings.Cut(line, ":")
		value[name] = strings.TrimSpace(rest)
	}
	if err != nil {
		return []Check{{Name: "runtime", Detail: err.Error()}}
	}
	var allowed uint64
	for _, bit := range firstPowers {
		allowed |= 1 << bit
	}
	powers := Check{Name: "runtime capabilities", OK: true, Detail: value["CapBnd"] + ", of the first process alone"}
	for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
		have, err := strconv.ParseUint(value[set], 16, 64)
		if err != nil || have&^allowed != 0 {
			powers.OK, powers.Detail = false, set+" "+value[set]
		}
	}
	return []Check{
		powers,
		{Name: "runtime no-new-privileges", OK: value["NoNewPrivs"] == "1", Detail: value["NoNewPrivs"]},
		{Name: "runtime seccomp", OK: value["Seccomp"] == "2", Detail: "mode " + value["Seccomp"]},
	}
}

// untrue says what a runtime did not do.
type untrue []string

func (u untrue) Error() string {
	return "it did not do what its configuration says: " + strings.Join(u, ", ")
}

func (m *ociMaker) hello(ctx context.Context, s *session) (int, error) {
	raw, err := s.pass.SyscallConn()
	if err != nil {
		return 0, err
	}
	if err := s.pass.SetReadDeadline(time.Now().Add(m.runtime.patience)); err != nil {
		return 0, err
	}
	stop := context.AfterFunc(ctx, func() { _ = s.pass.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	word, rights := make([]byte, 2), make([]byte, unix.CmsgSpace(unix.SizeofUcred))
	var n, oob int
	var failed error
	err = raw.Read(func(fd uintptr) bool {
		n, oob, _, _, failed = unix.Recvmsg(int(fd), word, rights, unix.MSG_CMSG_CLOEXEC)
		return !errors.Is(failed, unix.EAGAIN) && !errors.Is(failed, unix.EINTR)
	})
	switch {
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return 0, fmt.Errorf("no first process within %v", m.runtime.patience)
	case err != nil || failed != nil:
		return 0, errors.Join(err, failed)
	case n == 0:
		return 0, s.lost()
	}
	messages, err := unix.ParseSocketControlMessage(rights[:oob])
	if err != nil || len(messages) != 1 || word[0] != wire.PassHello {
		return 0, errors.Join(err, errors.New("something else spoke in the first process's place"))
	}
	from, err := unix.ParseUnixCredentials(&messages[0])
	if err != nil || from.Pid <= 0 {
		return 0, errors.Join(err, errors.New("its first process cannot be seen from here"))
	}
	return int(from.Pid), errors.Join(tellSender(s.pass, 0), s.pass.SetReadDeadline(time.Time{}))
}

// tellSender has the kernel say of every message who sent it. It remembers that only of what is sent from then on.
func tellSender(socket *os.File, on int) error {
	raw, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PASSCRED, on) })
	return errors.Join(err, failed)
}

// kill ends the first process, and everything with it: then the runtime clears up and ends too. Until there is one, the
// runtime is ended with all that it started.
func (m *ociMaker) kill(s *session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.first > 0 {
		_ = unix.PidfdSendSignal(m.first, unix.SIGKILL, nil, 0)
		return
	}
	m.end(s)
}

// end ends the runtime's own processes.
func (m *ociMaker) end(s *session) { _ = unix.Kill(-s.process.Process.Pid, unix.SIGKILL) }

// clear waits for the runtime, and has it delete what it did not get to.
func (m *ociMaker) clear(s *session) error {
	select {
	case <-s.gone:
	case <-time.After(m.runtime.patience):
		m.end(s)
		<-s.gone
	}
	m.mu.Lock()
	if m.first > 0 {
		unix.Close(m.first)
		m.first = 0
	}
	m.mu.Unlock()
	if left, err := os.ReadDir(m.state()); err == nil && len(left) > 0 {
		ctx, cancel := context.WithTimeout(context.Background(), m.runtime.patience)
		defer cancel()
		_ = run(ctx, m.runtime.call("--root", m.state(), "delete", "--force", m.id))
	}
	if err := os.RemoveAll(m.dir); err != nil {
		return fault.Inconclusivef("sandbox", "cannot be cleared away: %w", err)
	}
	return nil
}

func (m *ociMaker) describe(iso *Isolation) {
	iso.Runtime, iso.Carrier = m.runtime.name, "bundle"
	iso.RuntimeVersion, iso.RuntimeSHA256 = m.runtime.version, m.runtime.sha256
	iso.Checks = append(iso.Checks, m.checks...)
}

// explain says what kept the runtime from making a sandbox, and what can be done about it.
func (m *ociMaker) explain(err error) error {
	var trouble *wire.Fault
	var ended *fault.Error
	switch {
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &ended):
		return err
	case errors.As(err, &trouble) && (trouble.Blame || trouble.Missing || trouble.Limit):
		return explainStart(err)
	}
	const or = "; or do without it: --sandbox embedded"
	who, text, errno := fault.Quote(filepath.Base(m.runtime.program)), err.Error(), syscall.Errno(0)
	var lie untrue
	if errors.As(err, &lie) {
		return fault.Inconclusivef("sandbox", "cannot isolate: %s: %s", who, text).WithCheck(CheckID).WithHint("use another runtime" + or)
	}
	if trouble != nil {
		errno = syscall.Errno(trouble.Errno)
	} else if lower := strings.ToLower(text); strings.Contains(lower, "operation not permitted") || strings.Contains(lower, "permission denied") {
		errno = unix.EPERM
	}
	cause, hint := lookAtMachine().remedy("runtime", errno)
	if cause != "" {
		text = cause + ": " + text
	} else {
		hint = "use another runtime"
	}
	return fault.Inconclusivef("sandbox", "cannot isolate: %s: %s", who, text).WithCheck(CheckID).WithHint("%s", hint+or)
}
