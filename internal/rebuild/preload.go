package rebuild

import (
	"debug/elf"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/rebuild/wallclock"
	"github.com/glassbuild/glassbuild/internal/recipe"
	"github.com/glassbuild/glassbuild/internal/sandbox"
)

// The wall clock is varied by a shared object that dynamic loaders lay before the C library. glibc's reads its name from a file,
// so that no step sees another environment for it, and none loses it by clearing that; musl's knows the environment alone.
const (
	shimPath    = "/etc/glassbuild-clock.so" // /.glassbuild is not for programs
	preloadFile = "/etc/ld.so.preload"
	preloadName = "LD_PRELOAD"

	// aheadSeconds is how far ahead the second run is told to be: another year, month, day, weekday, hour, minute and second. Ahead, since
	// times of files stay the kernel's: a file from the future is what make(1) and configure warn of.
	aheadSeconds = 400*24*3600 + 3*3600 + 17*60 + 41

	clockReal = "not varied: no namespace covers it; outputs were looked through for the time of the run"
)

// loader is a dynamic loader, where roots have it.
var loaders = map[string]struct{ glibc, musl []string }{
	"amd64": {inLib("ld-linux-x86-64.so.2", "x86_64-linux-gnu"), inLib("ld-musl-x86_64.so.1", "x86_64-linux-musl")},
	"arm64": {inLib("ld-linux-aarch64.so.1", "aarch64-linux-gnu"), inLib("ld-musl-aarch64.so.1", "aarch64-linux-musl")},
}

// libc are the places of glibc.
var libc = slices.Concat(inLib("libc.so.6", "x86_64-linux-gnu"), inLib("libc.so.6", "aarch64-linux-gnu"))

func inLib(name, triplet string) []string {
	var list []string
	for _, dir := range []string{"lib64", "lib", "lib/" + triplet} {
		list = append(list, "/"+dir+"/"+name, "/usr/"+dir+"/"+name)
	}
	return list
}

// Shim says what a run was told of the wall clock, by which way, and which programs are known not to have heard it.
type Shim struct {
	Seconds int64    `json:"seconds"` // ahead of the kernel's clock; where it stands still, since 1970
	Still   bool     `json:"still,omitempty"`
	By      []string `json:"by"`
	Threads string   `json:"threads,omitempty"` // what programs with threads were told, where that is something else
	// Told counts the programs among the files that the steps opened which load libraries, and so the shim. Whether they asked for
	// the time, and whether through the C library, is not known. Untold are those that load none, or are written in Go, which asks the kernel.
	Told    int      `json:"told"`
	Untold  []string `json:"untold,omitempty"`
	Unknown string   `json:"unknown,omitempty"` // why the two are not all programs
	waits   bool
}

// shim says how the wall clock of a builder's programs can be varied; nil, and why not.
func (o *Outcome) shim() (*Shim, string) {
	l, ok := loaders[runtime.GOARCH]
	switch {
	case !ok:
		return nil, "there is no shim for this processor"
	case o.Builder == nil:
		return nil, "there is no builder"
	case holds(o.Builder, preloadFile):
		return nil, "the builder has an " + preloadFile + " of its own"
	}
	s := &Shim{waits: true}
	if holds(o.Builder, l.glibc...) {
		s.By = append(s.By, preloadFile)
		if s.waits = o.findsWaits(); !s.waits {
			s.Threads = "the kernel's time: in this C library their timed waits cannot be moved"
		}
	}
	if holds(o.Builder, l.musl...) {
		s.By = append(s.By, preloadName)
	}
	if s.By == nil {
		return nil, "no program of the builder loads libraries"
	}
	return s, ""
}

// findsWaits tells whether the builder's glibc itself has dlsym.
func (o *Outcome) findsWaits() bool {
	for _, name := range libc {
		found := false
		o.inBuilder(name, func(f *elf.File) {
			symbols, err := f.DynamicSymbols()
			found = err == nil && slices.ContainsFunc(symbols, func(s elf.Symbol) bool { return s.Name == "dlsym" && s.Section != elf.SHN_UNDEF })
		})
		if found {
			return true
		}
	}
	return false
}

// inBuilder shows a file of the builder's layers, if it is a program or a library.
func (o *Outcome) inBuilder(name string, look func(*elf.File)) {
	for _, l := range o.Builder.Layers {
		if rel, ok := strings.CutPrefix(name, strings.TrimSuffix(l.Target, "/")+"/"); ok && !l.Shadowed {
			openELF(l.Dir, rel, look)
		}
	}
}

// openELF shows a file below a folder without following a link out of it.
func openELF(dir, rel string, look func(*elf.File)) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return
	}
	defer root.Close()
	st, err := root.Stat(rel) // a device or a pipe would be opened for nothing
	if err != nil || !st.Mode().IsRegular() || st.Size() > maxProgram {
		return
	}
	f, err := root.Open(rel)
	if err != nil {
		return
	}
	defer f.Close()
	var magic [4]byte
	if _, err := io.ReadFull(f, magic[:]); err != nil || string(magic[:]) != elf.ELFMAG {
		return
	}
	if e, err := elf.NewFile(f); err == nil {
		look(e)
	}
}

// tell makes a variation say another time of day, if the builder's programs can be told one.
func (o *Outcome) tell(v *Variation, seconds int64, still bool) {
	s, why := o.shim()
	if s == nil {
		v.Clock = fmt.Sprintf("not varied: %s; outputs were looked through for the time of the run", why)
		return
	}
	s.Seconds, s.Still = seconds, still
	how := fmt.Sprintf("%d seconds ahead", seconds)
	if still {
		how = fmt.Sprintf("still at %d", seconds)
	}
	v.told = s
	v.Clock = fmt.Sprintf("%s for programs that load libraries, by %s; outputs were looked through for the time of the run and for that one", how, strings.Join(s.By, " and "))
}

// preload adds to a sandbox what tells its programs the time.
func (s *Shim) preload(req Request, spec *sandbox.Spec) error {
	if s == nil {
		return nil
	}
	dir, err := req.Run.Dir("clock")
	if err != nil {
		return err
	}
	object := filepath.Join(dir, path.Base(shimPath))
	data := wallclock.Object(runtime.GOARCH, wallclock.Shift{Seconds: s.Seconds, Still: s.Still, Waits: s.waits})
	if err := os.WriteFile(object, data, 0o555); err != nil {
		return fault.Inconclusivef("clock", "%w", err)
	}
	spec.Mounts = append(spec.Mounts, sandbox.Mount{Kind: sandbox.ReadOnly, Source: object, Target: shimPath})
	if slices.Contains(s.By, preloadFile) {
		spec.Files = append(spec.Files, sandbox.File{Path: preloadFile, Mode: 0o444, Data: []byte(shimPath + "\n")})
	}
	return nil
}

// env is what the environment has to say for musl.
func (s *Shim) env() map[string]string {
	if s == nil || !slices.Contains(s.By, preloadName) {
		return nil
	}
	return map[string]string{preloadName: shimPath}
}

// programs finds out which programs were told, from what a traced run of the same steps opened.
func (o *Outcome) programs(s *Shim, steps []StepRecord) {
	if s == nil {
		return
	}
	s.Unknown = "programs that the steps made themselves were not looked at"
	if len(steps) == 0 {
		s.Unknown = "no run was traced"
	}
	for i, st := range steps {
		if st.Trace != sandbox.TraceComplete {
			s.Unknown = fmt.Sprintf("the trace of step %d is not complete: %s", i+1, orElse(st.Trace, "this sandbox makes none"))
		}
	}
	for _, l := range o.Builder.Layers {
		if l.Digest == "" {
			s.Unknown = "what the builder takes from this machine is not traced"
		}
	}
	places := o.readable()
	for _, name := range openedBy(steps, recipe.SourceDir) {
		p, rel := places.of(name)
		dir := o.TreeDir
		switch {
		case p == nil || p.target == proxyDir:
			continue
		case p.layer >= 0:
			dir = o.Builder.Layers[p.layer].Dir
		}
		openELF(dir, path.Clean(rel), func(f *elf.File) {
			switch told, program := hears(f); {
			case !program:
			case told:
				s.Told++
			case len(s.Untold) < maxUntold:
				s.Untold = append(s.Untold, name)
			case len(s.Untold) == maxUntold:
				s.Untold = append(s.Untold, "…")
			}
		})
	}
}

// hears tells whether a file is a program, and whether that loads the shim and asks the C library for the time.
func hears(f *elf.File) (told, program bool) {
	loads := slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP })
	if name, err := f.DynString(elf.DT_SONAME); err == nil && len(name) > 0 { // a library, also the C library, which can be run
		return false, false
	}
	flags, err := f.DynValue(elf.DT_FLAGS_1)
	pie := err == nil && len(flags) > 0 && elf.DynFlag1(flags[0])&elf.DF_1_PIE != 0
	if f.Type != elf.ET_EXEC && !loads && !pie {
		return false, false
	}
	return loads && f.Section(".go.buildinfo") == nil, true
}
