package rebuild

import (
	"time"

	"github.com/glassbuild/glassbuild/internal/builder"
	"github.com/glassbuild/glassbuild/internal/remote"
	"github.com/glassbuild/glassbuild/internal/sandbox"
)

// Record is what was true of this run and not of its inputs: times, memory, limits obtained, addresses. It stands beside
// the verdict, never in it.
type Record struct {
	Format   int               `json:"format"`
	Runtime  string            `json:"runtime,omitempty"`
	Commit   string            `json:"commit,omitempty"`
	Tree     string            `json:"tree-sha256,omitempty"`
	Builder  string            `json:"builder-sha256,omitempty"`
	Inputs   string            `json:"inputs-sha256,omitempty"`
	Cached   bool              `json:"cached"`
	Kit      string            `json:"kit,omitempty"`              // digest of the kit that everything was taken from
	Packages []builder.Package `json:"builder-packages,omitempty"` // what the builder's root is made of, as far as it says so
	Tools    []RunRecord       `json:"toolchain,omitempty"`        // runs that built tools of a patched toolchain
	Fetch    *RunRecord        `json:"fetch,omitempty"`
	Runs     []RunRecord       `json:"runs,omitempty"`
	Account  *Account          `json:"account,omitempty"` // what the steps read
	// Restricted is the run that was shown only what the trace of the first run names, where it ended otherwise and
	// another one took its place.
	Restricted *RunRecord       `json:"restricted,omitempty"`
	Requests   []remote.Request `json:"requests,omitempty"`
}

// RunRecord is one pass through the steps.
type RunRecord struct {
	Started   time.Time         `json:"started"`
	Finished  time.Time         `json:"finished"`
	Variation Variation         `json:"variation"`
	Isolation sandbox.Isolation `json:"isolation"`
	Shown     int               `json:"shown-files,omitempty"` // the inputs were restricted to so many files; 0 is all of them
	Steps     []StepRecord      `json:"steps"`
	Times     []string          `json:"times-in-outputs,omitempty"` // where an output holds the time of this run; a hint
	Clock     *Shim             `json:"clock,omitempty"`            // what programs were told of the wall clock, where that is not the kernel's

	log string // host path of the log
}

// StepRecord is one command.
type StepRecord struct {
	Argv       []string          `json:"argv"`
	Dir        string            `json:"dir"`
	Env        []string          `json:"env"`
	ExitCode   int               `json:"exit-code"`
	Signal     string            `json:"signal,omitempty"`
	Limit      string            `json:"limit,omitempty"`
	Seconds    float64           `json:"seconds"`
	CPUSeconds float64           `json:"cpu-seconds"`
	PeakMemory int64             `json:"peak-memory"` // bytes
	LogCut     bool              `json:"log-truncated,omitempty"`
	Refused    []sandbox.Attempt `json:"network-refused,omitempty"`
	Trace      string            `json:"trace,omitempty"`  // complete, or why not; "" when nobody asked for one
	Opened     []string          `json:"opened,omitempty"` // files of the inputs that it opened, executed or mapped, as paths inside
}

func stepRecord(s sandbox.Step, r sandbox.Result) StepRecord {
	return StepRecord{Argv: s.Argv, Dir: s.Dir, Env: s.Env, ExitCode: r.ExitCode, Signal: r.Signal, Limit: r.Limit,
		Seconds: r.Wall.Seconds(), CPUSeconds: r.CPU.Seconds(), PeakMemory: r.PeakMemory, LogCut: r.LogTruncated, Refused: r.Refused, Trace: r.Trace, Opened: r.Opened}
}
