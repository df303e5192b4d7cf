package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/sandbox/wire"
)

// Names of limits in Result.Limit and Isolation.Limits.
const (
	LimitMemory    = "memory"
	LimitProcesses = "processes"
	LimitCPU       = "cpu"
	LimitWall      = "wall"
	LimitOutput    = "output"
	LimitLog       = "log"
	LimitFiles     = "files"
)

func (s *session) Run(ctx context.Context, step Step) (Result, error) {
	if err := s.usable(ctx); err != nil {
		return Result{}, err
	}
	order, err := s.order(step)
	if err != nil {
		return Result{}, err
	}
	s.group.begin()
	begun := time.Now()
	if err := wire.Send(s.control, wire.KindRun, order); err != nil {
		return Result{}, s.broke(err)
	}
	f, err := s.next(ctx, startTimeout)
	var started wire.Started
	if err == nil {
		err = f.decode(wire.KindStarted, &started)
	}
	if err != nil {
		return Result{}, s.broke(err)
	}
	streams, err := s.openStreams(step, started.Serial)
	if err != nil {
		return Result{}, s.broke(err)
	}
	var opened pathList
	exited, ended, err := s.attend(ctx, streams, &opened)
	result := Result{Wall: time.Since(begun)}
	if closing := streams.close(&result); err == nil && closing != nil {
		err = fault.Inconclusivef("log", "cannot be written: %w", closing)
	}
	if err != nil {
		return result, s.explainStep(step, err)
	}
	s.conclude(&result, exited, ended)
	slices.Sort(opened.paths)
	result.Opened, result.Trace = opened.paths, exited.Trace
	return result, ctx.Err()
}

func (s *session) usable(ctx context.Context) error {
	if err := s.failed(); err != nil {
		return fault.Inconclusivef("sandbox", "is closed: %w", err)
	}
	return ctx.Err()
}

// broke ends a session whose two sides no longer agree about where they are.
func (s *session) broke(err error) error {
	s.fail(err)
	s.kill()
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fault.Inconclusivef("sandbox", "broke down: %w", err).WithCheck(CheckID)
}

// order checks a step.
func (s *session) order(step Step) (*wire.Step, error) {
	if len(step.Argv) == 0 || step.Argv[0] == "" {
		return nil, fault.Usagef("step", "no program")
	}
	total := 0
	for _, text := range append(append([]string{step.Dir}, step.Argv...), step.Env...) {
		if strings.ContainsRune(text, 0) {
			return nil, fault.Usagef("step", "%q holds a NUL", text)
		}
		total += len(text) + 1
	}
	if total > maxArgv {
		return nil, fault.Usagef("step", "arguments and environment of %d bytes exceed %d", total, maxArgv)
	}
	for _, variable := range step.Env {
		if name, _, ok := strings.Cut(variable, "="); !ok || name == "" {
			return nil, fault.Usagef("step", "environment: %q is not NAME=value", variable)
		}
	}
	if step.Dir != "" && !strings.HasPrefix(step.Dir, "/") {
		return nil, fault.Usagef("step", "working folder %q is not absolute", step.Dir)
	}
	order := &wire.Step{Argv: step.Argv, Env: step.Env, Dir: step.Dir, Terminal: step.Terminal}
	order.Rows, order.Columns = windowSize(step)
	return order, nil
}

// attend waits for a step's end and brings it about where a limit or the caller says so. ended is the limit that did.
func (s *session) attend(ctx context.Context, streams *streams, opened *pathList) (*wire.Exited, string, error) {
	wall := time.NewTimer(s.spec.Limits.Wall)
	defer wall.Stop()
	var grace, giveUp <-chan time.Time
	ended := ""
	cancelled, flooded := ctx.Done(), streams.flooded()
	stop := func(limit string, after time.Duration) {
		if grace != nil || giveUp != nil {
			return
		}
		ended = limit
		grace = time.After(after)
		if after > 0 {
			s.signal(unix.SIGTERM)
		}
	}
	for {
		select {
		case f, ok := <-s.frames:
			if !ok {
				return nil, ended, s.broke(s.lost())
			}
			if f.kind == wire.KindOpened {
				if err := opened.add(f.payload); err != nil {
					return nil, ended, s.broke(err)
				}
				continue
			}
			exited := new(wire.Exited)
			if err := f.decode(wire.KindExited, exited); err != nil {
				return nil, ended, err
			}
			return exited, ended, nil
		case <-wall.C:
			stop(LimitWall, s.spec.Limits.Grace)
		case <-cancelled:
			cancelled = nil
			stop("", s.spec.Limits.Grace)
		case <-flooded:
			flooded = nil
			stop(LimitLog, 0)
		case <-grace:
			grace, giveUp = nil, time.After(endTimeout)
			s.signal(unix.SIGKILL)
		case <-giveUp:
			return nil, ended, s.broke(errors.New("the step does not die"))
		}
	}
}

// signal has the first process signal every process of the step.
func (s *session) signal(number unix.Signal) {
	_ = wire.Send(s.control, wire.KindSignal, wire.Signal{Number: int(number)})
}

// conclude turns what the first process and the control group say into a Result.
func (s *session) conclude(result *Result, exited *wire.Exited, ended string) {
	result.ExitCode = exited.Code
	result.CPU = time.Duration(exited.CPU)
	if exited.Signal != 0 {
		result.Signal = unix.SignalName(unix.Signal(exited.Signal))
		if result.Signal == "" {
			result.Signal = fmt.Sprintf("signal %d", exited.Signal)
		}
	}
	met := s.group.end()
	result.PeakMemory = max(met.peak, 0)
	if result.PeakMemory == 0 {
		result.PeakMemory = exited.MaxRSS
	}
	result.Limit = s.limit(result, exited, ended, met)
}

// limit names the limit that ended a step: first those that somebody acted upon, then, for a step that failed by
// itself, those that it had met.
func (s *session) limit(result *Result, exited *wire.Exited, ended string, met usage) string {
	switch {
	case ended != "":
		return ended
	case exited.Limit != "":
		return exited.Limit
	case result.ExitCode == 0:
		return ""
	case met.oomKills > 0:
		return LimitMemory
	case met.refusedForks > 0:
		return LimitProcesses
	case exited.Full:
		return LimitOutput
	case exited.MaxRSS >= s.spec.Limits.Memory/2: // RLIMIT_DATA counts what is reserved, this what is used
		return LimitMemory
	}
	return ""
}

// explainStep turns what kept a step from being executed into an error.
func (s *session) explainStep(step Step, err error) error {
	var trouble *wire.Fault
	if !errors.As(err, &trouble) {
		return err
	}
	if !trouble.Blame {
		return s.broke(err)
	}
	e := fault.Inconclusivef(fault.Quote(step.Argv[0]), "cannot be run in the sandbox: %s", trouble.Error())
	if trouble.Missing {
		e = fault.Inconclusivef(fault.Quote(step.Argv[0]), "cannot be run in the sandbox: %s: %w", trouble.Error(), os.ErrNotExist).
			WithHint("the builder holds no such program, or the step's PATH does not lead to it")
	}
	return e
}

// pathList gathers the paths that the first process tells.
type pathList struct {
	paths []string
	bytes int
}

func (l *pathList) add(payload []byte) error {
	if l.bytes += len(payload); l.bytes > maxOpened {
		return fmt.Errorf("more than %d bytes of paths", maxOpened)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(payload), "\x00"), "\x00") {
		l.paths = append(l.paths, name)
	}
	return nil
}
