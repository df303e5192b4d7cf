package verdict

// Origin is what one rebuilt file says of the source files that are in it, held against everything that the build was given.
// It is a claim of the compiler's, which the source can steer, and no check rests on it: what the build could have used at all
// is what Account says. It tells an auditor what to read first.
type Origin struct {
	Names   []string     `json:"names"` // the output, or OUTPUT/MEMBER; more than one where the same bytes lie in several places; bounded
	SHA256  string       `json:"sha256"`
	By      []string     `json:"by"`                // what says it, see docs/sandbox.md; none where the file does not say
	Silent  int          `json:"silent,omitempty"`  // files in it that were compiled and do not say from what
	Why     string       `json:"why,omitempty"`     // it does not say, or not all
	Source  []Digest     `json:"source"`            // files of the tree that it names
	Package []Digest     `json:"package,omitempty"` // further files of the tree that its packages compile or embed
	Made    []MadeFile   `json:"made,omitempty"`    // files that a step made, and that it names
	Parts   []OriginPart `json:"parts,omitempty"`   // dependencies and parts of the builder that it names files of
	Gone    int          `json:"gone,omitempty"`    // files of which only the name is left: a step made and removed them
	Unread  []string     `json:"unread,omitempty"`  // files of the tree that it names and that the build never read
	Unknown []string     `json:"unknown,omitempty"` // names that lead nowhere; bounded
	More    int          `json:"more,omitempty"`    // names that lead nowhere and do not stand there
}

// MadeFile is a file that a step made.
type MadeFile struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256,omitempty"`
}

// OriginPart counts files of one dependency or part of the builder.
type OriginPart struct {
	Kind  string `json:"kind"` // module, package or builder
	Name  string `json:"name"`
	Files int    `json:"files"`
}
