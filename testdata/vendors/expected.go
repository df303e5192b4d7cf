package vendors

import (
	"encoding/json"
	"os"
)

// Expected is the file expected.json: what a verification of each release must answer. Every path in it is relative to
// the folder that it lies in, and the arguments are meant for that folder as the working directory.
type Expected struct {
	Format    int             `json:"format"`
	Toolchain string          `json:"toolchain"`
	Repos     map[string]Repo `json:"repos"`
	Releases  []Release       `json:"releases"`
}

// Repo is one repository of the sample vendors, by its name.
type Repo struct {
	Branches map[string]string `json:"branches"`          // name to commit
	Tags     map[string]string `json:"tags"`              // name to commit
	Commits  map[string]string `json:"commits,omitempty"` // by the names that releases use; not all are on a branch
}

// Release is one shipped artefact, how to verify it, and the answer.
type Release struct {
	Name     string            `json:"name"`
	About    string            `json:"about"`          // one line for people
	Row      string            `json:"row,omitempty"`  // F1 to F19, or a row of the bad-input corpus such as 64
	Demo     bool              `json:"demo,omitempty"` // part of the short demonstration
	Artefact string            `json:"artefact"`
	Args     []string          `json:"args"`          // everything after "glassbuild verify"
	Env      map[string]string `json:"env,omitempty"` // to be added to the environment of the verification

	Result string `json:"result"`          // passed, failed or inconclusive
	Match  string `json:"match,omitempty"` // identical, equivalent, partial, different, not-rebuilt; empty when it does not matter
	Exit   int    `json:"exit"`
	Check  string `json:"check,omitempty"`   // id of the check that is the reason; empty when passed
	Says   string `json:"says,omitempty"`    // what the verdict must name; empty when it does not matter
	SaysIn string `json:"says-in,omitempty"` // the check that must name it
	Whole  bool   `json:"whole,omitempty"`   // the artefact is a folder or a list: a release of several files
}

func (e *Expected) write(path string) error { return writeJSON(path, e) }

func writeJSON(path string, value any) error {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644)
}

// ReadExpected reads an expected.json.
func ReadExpected(path string) (*Expected, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	e := new(Expected)
	return e, json.Unmarshal(data, e)
}
