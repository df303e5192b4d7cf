package sandbox

import (
	"io/fs"
	"math"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/sandbox/wire"
)

// plan checks a Spec and turns it into what the first process is told.
func plan(spec *Spec) (*wire.Setup, error) {
	if err := spec.Identity.fill(); err != nil {
		return nil, err
	}
	if err := spec.Limits.fill(); err != nil {
		return nil, err
	}
	s := &wire.Setup{
		Version:  wire.Version,
		Identity: spec.Identity.wire(),
		StandIn:  spec.GitStandIn,
		Budget:   spec.Limits.Output + spareBytes,
		Memory:   spec.Limits.Memory,
		Listen:   spec.Listen,
		Rlimits:  rlimits(spec.Limits),
		Watch:    wire.Watch{CPU: int64(spec.Limits.CPU)},
	}
	for _, step := range []func(*wire.Setup, *Spec) error{planMounts, planFolders, planFiles, planListen} {
		if err := step(s, spec); err != nil {
			return nil, err
		}
	}
	filters, err := assemble()
	if err != nil {
		return nil, fault.Inconclusivef("sandbox", "cannot isolate: system call filter: %w", err).WithCheck(CheckID)
	}
	s.Asking, s.Plain = filters.asking, filters.plain
	return s, nil
}

func planMounts(s *wire.Setup, spec *Spec) error {
	if len(spec.Mounts) > maxMounts {
		return fault.Usagef("sandbox", "%d mounts exceed %d", len(spec.Mounts), maxMounts)
	}
	below, err := mountPoints()
	if err != nil {
		return fault.Inconclusivef("sandbox", "cannot read this process's mounts: %w", err).WithCheck(CheckID)
	}
	seen := map[string]bool{}
	for _, m := range spec.Mounts {
		w, err := planMount(m, below)
		if err != nil {
			return err
		}
		if seen[w.Target] {
			return fault.Usagef(fault.Quote(m.Target), "two mounts with this target")
		}
		seen[w.Target] = true
		s.Mounts = append(s.Mounts, w)
	}
	// Parents come before what is mounted inside them, whatever the order of the list was.
	slices.SortFunc(s.Mounts, func(a, b wire.Mount) int {
		return slices.Compare(strings.Split(a.Target, "/"), strings.Split(b.Target, "/"))
	})
	if i := slices.IndexFunc(s.Mounts, func(m wire.Mount) bool { return m.Target == "/" }); i > 0 {
		root := s.Mounts[i]
		s.Mounts = slices.Insert(slices.Delete(s.Mounts, i, i+1), 0, root)
	}
	return nil
}

func planMount(m Mount, below []string) (wire.Mount, error) {
	w := wire.Mount{Kind: string(m.Kind), Target: m.Target, Size: m.Size, Reverse: m.Reverse, Trace: m.Trace, Masked: m.Masked}
	for _, name := range m.Named {
		if strings.ContainsRune(name, 0) {
			return w, fault.Usagef(fault.Quote(m.Target), "a named path holds a NUL")
		}
		w.Named = append(append(w.Named, name...), 0)
	}
	if err := insidePath("mount", m.Target); err != nil {
		return w, err
	}
	switch m.Kind {
	case Scratch:
		if m.Source != "" || m.Size < 0 || m.Target == "/" {
			return w, fault.Usagef(fault.Quote(m.Target), "a scratch mount has no source, no negative size, and is not the root")
		}
		w.Directory = true
		return w, nil
	case ReadOnly, Overlay, Copy:
	default:
		return w, fault.Usagef(fault.Quote(m.Target), "unknown kind of mount %q", m.Kind)
	}
	if m.Size != 0 {
		return w, fault.Usagef(fault.Quote(m.Target), "only a scratch mount has a size")
	}
	source, err := filepath.EvalSymlinks(m.Source)
	if err != nil || !filepath.IsAbs(m.Source) {
		return w, fault.Usagef(fault.Quote(m.Source), "cannot be mounted: needs to be an absolute path that exists")
	}
	w.Source = source
	var st unix.Stat_t
	if err := unix.Lstat(source, &st); err != nil {
		return w, fault.Inconclusivef(fault.Quote(source), "cannot be mounted: %w", err)
	}
	w.Device, w.Inode = uint64(st.Dev), st.Ino // so that the first process can tell whether it was replaced
	w.Directory = st.Mode&unix.S_IFMT == unix.S_IFDIR
	if !w.Directory && (m.Kind != ReadOnly || st.Mode&unix.S_IFMT != unix.S_IFREG) {
		return w, fault.Usagef(fault.Quote(m.Source), "is not a folder")
	}
	w.Nested = slices.ContainsFunc(below, func(at string) bool { return strings.HasPrefix(at, strings.TrimSuffix(source, "/")+"/") })
	return w, nil
}

func planFolders(s *wire.Setup, spec *Spec) error {
	if len(spec.Dirs) > maxDirs {
		return fault.Usagef("sandbox", "%d folders exceed %d", len(spec.Dirs), maxDirs)
	}
	for _, dir := range spec.Dirs {
		if err := insidePath("folder", dir); err != nil {
			return err
		}
	}
	if spec.GitStandIn != "" {
		if err := insidePath("git", spec.GitStandIn); err != nil {
			return err
		}
	}
	s.Dirs = spec.Dirs
	return nil
}

// insidePath checks a path inside the root.
func insidePath(what, name string) error {
	switch {
	case !path.IsAbs(name) || path.Clean(name) != name:
		return fault.Usagef(fault.Quote(name), "%s path has to be absolute and clean", what)
	case len(name) > maxPath || strings.ContainsRune(name, 0):
		return fault.Usagef(fault.Quote(name), "%s path is too long or holds a NUL", what)
	}
	for _, own := range []string{"/proc", "/dev", "/sys"} {
		if name == own || strings.HasPrefix(name, own+"/") {
			return fault.Usagef(fault.Quote(name), "%s path lies in what the sandbox makes itself", what)
		}
	}
	return nil
}

func planFiles(s *wire.Setup, spec *Spec) error {
	if len(spec.Files) > maxFiles {
		return fault.Usagef("sandbox", "%d files exceed %d", len(spec.Files), maxFiles)
	}
	total := 0
	for _, f := range spec.Files {
		if err := insidePath("file", f.Path); err != nil {
			return err
		}
		mode := uint32(f.Mode.Perm())
		switch f.Mode.Type() {
		case 0:
		case fs.ModeSymlink:
			mode |= unix.S_IFLNK
			if len(f.Data) == 0 || len(f.Data) > maxPath || slices.Contains(f.Data, 0) {
				return fault.Usagef(fault.Quote(f.Path), "the text of a link has to have 1 to %d bytes and no NUL", maxPath)
			}
		default:
			return fault.Usagef(fault.Quote(f.Path), "only files and links can be made")
		}
		total += len(f.Data)
		s.Files = append(s.Files, wire.File{Path: f.Path, Mode: mode, Data: f.Data})
	}
	if total > maxFileBytes {
		return fault.Inconclusivef("sandbox", "files of %d bytes exceed %d", total, maxFileBytes)
	}
	return nil
}

func planListen(_ *wire.Setup, spec *Spec) error {
	if len(spec.Listen) > maxListen {
		return fault.Usagef("sandbox", "%d addresses to listen on exceed %d", len(spec.Listen), maxListen)
	}
	for _, address := range spec.Listen {
		at, err := netip.ParseAddrPort(address)
		if err != nil || !at.Addr().IsLoopback() || at.Port() == 0 || at.Addr().Zone() != "" {
			return fault.Usagef(fault.Quote(address), "a listener needs a loopback address and a port")
		}
	}
	return nil
}

// mountPoints returns the paths of every mount that this process sees.
func mountPoints() ([]string, error) {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var out []string
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) > 4 {
			at, err := strconv.Unquote(`"` + strings.ReplaceAll(f[4], `"`, `\"`) + `"`)
			if err != nil {
				at = f[4]
			}
			out = append(out, at)
		}
	}
	return out, nil
}

// rlimits are set for every process of a step. RLIMIT_AS is not among them: honest programs reserve far more address
// space than they use. A core limit of one byte also keeps core_pattern's pipe from being opened (core(5)).
func rlimits(l Limits) []wire.Rlimit {
	out := []wire.Rlimit{
		{Resource: unix.RLIMIT_CORE, Value: 1},
		{Resource: unix.RLIMIT_NOFILE, Value: uint64(l.Files)},
		{Resource: unix.RLIMIT_DATA, Value: uint64(l.Memory)},
		{Resource: unix.RLIMIT_NPROC, Value: uint64(l.Processes)},
		{Resource: unix.RLIMIT_CPU, Value: uint64(math.Ceil(l.CPU.Seconds())) + 1},
		{Resource: unix.RLIMIT_MEMLOCK, Value: 8 << 20},
		{Resource: unix.RLIMIT_MSGQUEUE, Value: 819200},
		{Resource: unix.RLIMIT_NICE, Value: 0},
		{Resource: unix.RLIMIT_RTPRIO, Value: 0},
		{Resource: unix.RLIMIT_SIGPENDING, Value: 4096},
	}
	for i := range out { // a hard limit can only be lowered
		var have unix.Rlimit
		if unix.Getrlimit(out[i].Resource, &have) == nil && have.Max < out[i].Value {
			out[i].Value = have.Max
		}
	}
	return out
}

// fill gives empty fields their fixed values and checks the others.
func (id *Identity) fill() error {
	for _, f := range []struct {
		name  string
		field *string
		value string
	}{{"host name", &id.Hostname, "builder"}, {"user name", &id.User, "builder"}, {"group name", &id.Group, "builder"}, {"domain", &id.Domain, ""}} {
		if *f.field == "" {
			*f.field = f.value
		}
		if len(*f.field) > maxName || strings.ContainsFunc(*f.field, func(r rune) bool { return r <= ' ' || r > '~' || r == ':' || r == '/' }) {
			return fault.Usagef(fault.Quote(*f.field), "cannot be a %s", f.name)
		}
	}
	if id.Home == "" {
		id.Home = "/home/" + id.User
	}
	if strings.ContainsAny(id.Home, ":\n") {
		return fault.Usagef(fault.Quote(id.Home), "cannot be a home")
	}
	if id.Umask == 0 {
		id.Umask = 0o022
	}
	if id.UID < 0 || id.UID > maxID || id.GID < 0 || id.GID > maxID || id.Umask < 0 || id.Umask > 0o777 || id.CPUs < 0 {
		return fault.Usagef("sandbox", "identity: a number is out of range")
	}
	return insidePath("home", id.Home)
}

func (id Identity) wire() wire.Identity {
	cpus := id.CPUs
	var have unix.CPUSet
	if err := unix.SchedGetaffinity(0, &have); err == nil && (cpus == 0 || cpus > have.Count()) {
		cpus = have.Count()
	}
	return wire.Identity{
		Hostname: id.Hostname, Domain: id.Domain, User: id.User, Group: id.Group, Home: id.Home,
		UID: id.UID, GID: id.GID, Umask: id.Umask, CPUs: max(cpus, 1),
		BootOffset: int64(id.BootOffset.Seconds()), MonotonicOffset: int64(id.MonotonicOffset.Seconds()),
		FixedAddresses: id.FixedAddresses,
	}
}

// fill gives empty fields their defaults and checks the others.
func (l *Limits) fill() error {
	for _, f := range []struct {
		name           string
		field          *int64
		value, minimum int64
	}{
		{"memory", &l.Memory, defaultMemory, minMemory}, {"processes", &l.Processes, defaultProcesses, 1},
		{"open files", &l.Files, defaultFiles, 8}, {"output", &l.Output, defaultOutput, minOutput}, {"log", &l.Log, defaultLog, 1},
		{"processor time", (*int64)(&l.CPU), int64(defaultCPU), 1}, {"wall time", (*int64)(&l.Wall), int64(defaultWall), 1},
		{"grace", (*int64)(&l.Grace), int64(defaultGrace), 1},
	} {
		if *f.field == 0 {
			*f.field = f.value
		}
		if *f.field < f.minimum || *f.field > math.MaxInt64/4 {
			return fault.Usagef("sandbox", "limit on %s: %d is out of range", f.name, *f.field)
		}
	}
	return nil
}
