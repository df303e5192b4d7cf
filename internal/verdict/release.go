package verdict

// ScopeRelease is the scope of facts about every file of a release at once.
const ScopeRelease = "release"

// Release is what was found out about a release as a whole. What each file and every member of it is lies in
// Facts.Comparison, under paths that begin with the name of the file.
type Release struct {
	Files     []ReleaseFile `json:"files"`
	Lists     []DigestList  `json:"lists,omitempty"`     // files such as SHA256SUMS
	Stray     []string      `json:"stray,omitempty"`     // files that no list names, where there is a list
	Unshipped []Unshipped   `json:"unshipped,omitempty"` // rebuilt or attested, and in no file of the release
	Builds    []BuildFacts  `json:"builds,omitempty"`    // beside the first one, whose facts lie where those of one file would
}

// ReleaseFile is one file of a release.
type ReleaseFile struct {
	Name     string         `json:"name"` // inside the release
	SHA256   string         `json:"sha256"`
	Size     int64          `json:"size"`
	Format   string         `json:"format,omitempty"`
	State    string         `json:"state"`            // the worst of its members; "partial" for a container that was not rebuilt and whose members are all accounted for
	Counts   map[string]int `json:"counts,omitempty"` // members by state
	Evidence string         `json:"evidence,omitempty"`
	Lists    []string       `json:"lists,omitempty"`  // lists of digests that name it as it is
	Signed   bool           `json:"signed,omitempty"` // evidence that the policy demands is about it
}

// DigestList is a file with digests of other files.
type DigestList struct {
	Name      string   `json:"name"`
	SHA256    string   `json:"sha256"`
	Algorithm string   `json:"algorithm"`
	Entries   int      `json:"entries"`
	Missing   []string `json:"missing,omitempty"`
	Differs   []string `json:"differs,omitempty"` // files that have another digest than it says
	Refused   string   `json:"refused,omitempty"` // why it is no list

	Signatures []ListSignature `json:"signatures,omitempty"` // files beside it that sign it
}

// ListSignature is a detached signature beside a list, or a bundle that signs its bytes.
type ListSignature struct {
	Name   string `json:"name"` // of its file
	SHA256 string `json:"sha256"`
	Signature
}

// Unshipped is something that belongs to the release and was not found in it.
type Unshipped struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
	Why    string `json:"why"`
}

// BuildFacts are the facts of one build.
type BuildFacts struct {
	Source  *Source  `json:"source,omitempty"`
	Recipe  *Recipe  `json:"recipe,omitempty"`
	Builder *Builder `json:"builder,omitempty"`
	Inputs  *Inputs  `json:"inputs,omitempty"`
	Rebuild *Rebuild `json:"rebuild,omitempty"`
}

// all returns the facts of each build as those of a run of its own.
func (f Facts) all() []Facts {
	list := []Facts{f}
	if f.Release == nil {
		return list
	}
	for _, b := range f.Release.Builds {
		g := f
		g.Source, g.Recipe, g.Builder, g.Inputs, g.Rebuild = b.Source, b.Recipe, b.Builder, b.Inputs, b.Rebuild
		list = append(list, g)
	}
	return list
}
