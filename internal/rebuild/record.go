package rebuild

import (
	"time"

	"github.com/glassbuild/glassbuild/internal/remote"
	"github.com/glassbuild/glassbuild/internal/sandbox"
)

// Record is what was true of this run and not of its inputs: times, memory, limits obtained, addresses. It stands beside
// the verdict, never in it.
type Record struct {
	Format   int              `json:"format"`
	Runtime  string           `json:"runtime,omitempty"`
	Commit   string           `json:"commit,omitempty"`
	Tree     string           `json:"tree-sha256,omitempty"`
	Builder  string           `json:"builder-sha256,omitempty"`
	Inputs   string           `json:"inputs-sha256,omitempty"`
	Cached   bool             `json:"cached"`
	Fetch    *RunRecord       `json:"fetch,omitempty"`
	Runs     []RunRecord      `json:"runs,omitempty"`
	Requests []remote.Request `json:"requests,omitempty"`
}

// RunRecord is one pass through the steps.
type RunRecord struct {
	Started   time.Time         `json:"started"`
	Finished  time.Time         `json:"finished"`
	Variation Variation         `json:"variation"`
	Isolation sandbox.Isolation `json:"isolation"`
	Steps     []StepRecord      `json:"steps"`
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
}

func stepRecord(s sandbox.Step, r sandbox.Result) StepRecord {
	return StepRecord{Argv: s.Argv, Dir: s.Dir, Env: s.Env, ExitCode: r.ExitCode, Signal: r.Signal, Limit: r.Limit,
		Seconds: r.Wall.Seconds(), CPUSeconds: r.CPU.Seconds(), PeakMemory: r.PeakMemory, LogCut: r.LogTruncated, Refused: r.Refused}
}
