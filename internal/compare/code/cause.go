package code

// A Cause says why two files differ. IDs are stable: reports, policies and documents refer to them.
type Cause struct {
	ID      string   `json:"id"`
	Text    string   `json:"text"`              // one line
	Details []string `json:"details,omitempty"` // one line for each thing that changed; bounded
	Remedy  string   `json:"remedy,omitempty"`  // what to change so that it goes away; "" when it is the content itself
}

// IDs of causes that this package finds.
const (
	CauseToolchain  = "toolchain-version"
	CauseVCS        = "vcs-stamp"
	CausePath       = "build-path"
	CauseFlags      = "compiler-flags"
	CauseDependency = "dependency-version"
	CauseModule     = "main-module"
	CauseCode       = "code"
	CauseData       = "data"
	CauseStripped   = "stripped"
	CauseBuildID    = "build-id"
	CauseLayout     = "layout"
)
