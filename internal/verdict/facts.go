package verdict

import (
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Facts is everything that a run found out about its inputs, as plain values. A nil part was not reached.
// Nothing in it depends on when, where or by whom it was run, but for Rebuild.Cached.
type Facts struct {
	Scope      string      `json:"scope,omitempty"` // ScopeCheck; "" is a verification with a rebuild
	Tool       Tool        `json:"tool"`
	Subject    Subject     `json:"subject"`
	Source     *Source     `json:"source,omitempty"`
	Recipe     *Recipe     `json:"recipe,omitempty"`
	Builder    *Builder    `json:"builder,omitempty"`
	Inputs     *Inputs     `json:"inputs,omitempty"`
	Rebuild    *Rebuild    `json:"rebuild,omitempty"`
	Comparison *Comparison `json:"comparison,omitempty"`
	Published  *Module     `json:"published,omitempty"`  // what was shipped, where it is a package that a public database records
	Provenance *Evidence   `json:"provenance,omitempty"` // signed statements, as [provenance] demands them
	Votes      *Evidence   `json:"votes,omitempty"`      // verdicts of others, as [quorum] demands them
	Release    *Release    `json:"release,omitempty"`    // a whole release; the parts above are then of its first build
	Document   *Document   `json:"document,omitempty"`   // a verdict that was handed in, to be held against what was signed
	Problems   []Problem   `json:"problems,omitempty"`

	Now time.Time `json:"-"` // by which ages are judged; the zero time makes every vote too old
}

// ScopeCheck is the scope of facts that were found without a rebuild.
const ScopeCheck = "check"

// Tool names the program that found the facts.
type Tool struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Subject is what the verdict speaks about: the shipped file, or with a member one file inside it.
type Subject struct {
	Name     string  `json:"name"`             // base name as given; never a path of this machine
	Member   string  `json:"member,omitempty"` // path inside it, when only that member is judged
	SHA256   string  `json:"sha256"`           // of the file, of the member, or the tree digest of a folder
	Size     int64   `json:"size"`             // bytes
	Format   string  `json:"format,omitempty"`
	Within   *Digest `json:"within,omitempty"`    // with a member: the file that holds it
	ByDigest bool    `json:"by-digest,omitempty"` // only a digest is at hand; Size is not known, and Name may repeat it
}

// unnamed tells that nobody said what the subject is called.
func (s Subject) unnamed() bool { return s.ByDigest && s.Name == "sha256:"+s.SHA256 }

// Digest names bytes.
type Digest struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size,omitempty"`
}

// Who chose something: the order in which a chooser outranks the next.
const (
	ByAuditor  = "auditor"
	ByCommit   = "commit"
	ByArtefact = "artefact"
	ByBuiltIn  = "built-in"
)

// Source is the verified commit.
type Source struct {
	Repository  string      `json:"repository"` // as named, credentials removed; a local path by its base name
	Commit      string      `json:"commit"`
	ChosenBy    string      `json:"chosen-by"`
	GitTree     string      `json:"git-tree"`
	TreeSHA256  string      `json:"tree-sha256"` // over the exported tree
	Files       int         `json:"files"`
	Bytes       int64       `json:"bytes"`
	Time        int64       `json:"time"` // committer time, seconds since the epoch
	Refs        []string    `json:"refs"` // branches and tags from which it is reachable
	Signature   Signature   `json:"signature"`
	Roots       *RootsRef   `json:"trusted-roots,omitempty"` // nil: none was needed, or none was at hand
	Tags        []Tag       `json:"tags,omitempty"`          // tags that point at the commit
	Range       *Range      `json:"range,omitempty"`         // nil: no earlier commit was named
	Paths       []PathTouch `json:"paths,omitempty"`         // one for each rule of the policy
	History     *TagHistory `json:"tag-history,omitempty"`   // nil: no record of earlier tags was given
	Submodules  []Submodule `json:"submodules,omitempty"`
	Attributes  string      `json:"attributes"` // raw, checkout or archive
	Transformed []Change    `json:"transformed,omitempty"`
	Findings    []Finding   `json:"findings,omitempty"`
	Opaque      []Opaque    `json:"opaque,omitempty"`
	Vendored    int         `json:"vendored-files"`
	Generated   int         `json:"generated-files"`
}

// RootsRef names the file of authorities and logs by which certificates on commits and tags were
// judged: like the policy, what the auditor chose.
type RootsRef struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
}

// Signature is one judged signature.
type Signature struct {
	Status   string `json:"status"` // good, good-untrusted, …; "" was not looked at
	Kind     string `json:"kind,omitempty"`
	Signer   string `json:"signer,omitempty"`   // principal of the policy
	Platform bool   `json:"platform,omitempty"` // a forge's own key: it proves the forge, not the author
	Key      string `json:"key,omitempty"`      // fingerprint
	Detail   string `json:"detail,omitempty"`
	Stamp    *Stamp `json:"stamp,omitempty"` // the timestamp inside an embedded signature
}

// Stamp is what a timestamp inside a signature says of its time.
type Stamp struct {
	At        time.Time `json:"at"`
	By        string    `json:"by"`                  // as its certificate names itself
	Principal string    `json:"principal,omitempty"` // of the policy; without one the time is only shown
	Bytes     int       `json:"bytes"`
}

// Tag is a tag at the commit.
type Tag struct {
	Name      string    `json:"name"`
	Object    string    `json:"object"`
	Annotated bool      `json:"annotated"`
	Signature Signature `json:"signature"`
}

// Submodule is a repository inside the tree, pinned by the commit.
type Submodule struct {
	Path   string `json:"path"`
	URL    string `json:"url"`
	Commit string `json:"commit"`
}

// Change is a file that was written otherwise than the commit holds it.
type Change struct {
	Path   string `json:"path"`
	Before string `json:"before"` // SHA-256 of the blob
	After  string `json:"after"`  // SHA-256 of what was written
	Why    string `json:"why"`
}

// Finding is something in the tree that the reader should know.
type Finding struct {
	Kind string `json:"kind"`
	Path string `json:"path"`
	Text string `json:"text"`
}

// Opaque is a file that a person cannot read.
type Opaque struct {
	Path    string `json:"path"`
	Kind    string `json:"kind"`
	Size    int64  `json:"size"`
	SHA256  string `json:"sha256"`
	Touched string `json:"last-touched,omitempty"` // commit that gave it this content, where it was looked for
}

// Recipe says how the commit becomes what is shipped.
type Recipe struct {
	SHA256         string   `json:"sha256"`
	ChosenBy       string   `json:"chosen-by"`
	Text           string   `json:"text"`
	Lines          []Line   `json:"lines,omitempty"`
	Unknown        []string `json:"unknown,omitempty"`        // what could not be told from the artefact
	Refused        []string `json:"refused,omitempty"`        // settings of the artefact that were not taken over
	Contradictions []string `json:"contradictions,omitempty"` // what the artefact says against the named commit
	Dirty          bool     `json:"dirty,omitempty"`          // a dirty stamp is asked for
	Lock           string   `json:"lock-sha256,omitempty"`
	Target         string   `json:"target,omitempty"` // of the recipe's build matrix
	Place          string   `json:"path,omitempty"`   // at the commit, where that is not the root's glassbuild.toml
}

// Line is one line of a recipe and who chose it.
type Line struct {
	Text     string `json:"text"`
	ChosenBy string `json:"chosen-by"`
	Why      string `json:"why,omitempty"`
}

// Builder is the root in which the steps ran.
type Builder struct {
	SHA256 string  `json:"sha256"` // over all layers; "" when one of them is not pinned
	Layers []Layer `json:"layers"`
}

// Layer is one part of a builder.
type Layer struct {
	Name    string  `json:"name"`
	Version string  `json:"version,omitempty"`
	Digest  string  `json:"digest"` // "sha256:…" or "h1:…"; "" for what is not pinned
	Voucher Voucher `json:"voucher"`
}

// Voucher says who, other than the vendor, stands behind a layer. The zero value is nobody.
type Voucher struct {
	Kind   string `json:"kind"`
	By     string `json:"by,omitempty"`
	Detail string `json:"detail,omitempty"`
}

// Inputs are what the build was given beside source and builder.
type Inputs struct {
	SHA256   string   `json:"sha256"` // over the frozen set
	Files    int      `json:"files"`
	Bytes    int64    `json:"bytes"`
	Modules  []Module `json:"modules,omitempty"`
	Locked   bool     `json:"locked"` // the lock at the commit, or the auditor's, named exactly this set
	Vendored []Module `json:"vendored,omitempty"`
	// Database is the checksum database that the user's configuration names in place of Go's own; "off" for none.
	Database string `json:"checksum-database,omitempty"`
}

// Module is one fetched or vendored dependency.
type Module struct {
	Path    string `json:"path"`
	Version string `json:"version"`
	Hash    string `json:"hash,omitempty"`
	Status  string `json:"status"` // verified, private (npm: named by version alone), unknown, mismatch
	Detail  string `json:"detail,omitempty"`
	// Ecosystem is "npm" for a package of the npm registry; "" is a Go module.
	Ecosystem string `json:"ecosystem,omitempty"`
}

// Rebuild is what the runs gave.
type Rebuild struct {
	Runs      int       `json:"runs"`
	Agree     bool      `json:"agree"`
	Disagree  *Disagree `json:"disagreement,omitempty"` // the first one
	Outputs   []Digest  `json:"outputs"`
	Copies    []Copy    `json:"copies,omitempty"`
	Git       []string  `json:"git-refused,omitempty"` // questions to git that were not answered
	TagsUsed  []Tag     `json:"tags-used,omitempty"`   // tags whose data the build asked for
	Cached    bool      `json:"cached"`
	Packed    bool      `json:"packed,omitempty"` // nothing was built: this program packed the files of the commit
	CopyCheck bool      `json:"copy-check"`       // the outputs were held against every input
	Account   *Account  `json:"account,omitempty"`
	Origins   []Origin  `json:"origins,omitempty"`         // what the outputs say of the source that is in them
	Refused   []string  `json:"network-refused,omitempty"` // what the first run tried to reach, one line each
	Sandbox   *Sandbox  `json:"sandbox,omitempty"`         // only where the policy demands something of it
}

// Sandbox says what the build ran in, with every step that fetched something or made a tool. The zero value is none at all.
type Sandbox struct {
	Runtimes []string `json:"runtimes"` // that made the sandboxes: "embedded", "runc"
	Held     []string `json:"held"`     // of policy.Isolations, what every one of them had
}

// Account says what the build read. The zero value accounts for nothing.
type Account struct {
	Proved    bool        `json:"proved"`            // a run that was shown nothing else gave the same bytes
	Refuted   bool        `json:"refuted,omitempty"` // it was tried, and that run ended otherwise
	Why       string      `json:"why,omitempty"`     // it is not proved
	Source    []Digest    `json:"source"`            // the files of the tree that were read: what there is to read for a person too
	Of        int         `json:"of"`                // files that the tree holds
	Opaque    []Opaque    `json:"opaque,omitempty"`  // those of them that nobody can read
	Generated int         `json:"generated-files"`
	Vendored  int         `json:"vendored-files"`
	Fetched   []Digest    `json:"fetched"` // files of the frozen inputs that were read
	FetchedOf int         `json:"fetched-of"`
	Layers    []LayerRead `json:"layers"` // parts of the builder
}

// LayerRead says whether anything of a part of the builder was read.
type LayerRead struct {
	Name   string `json:"name"`
	Digest string `json:"digest"` // "" for what nobody pinned
	Read   bool   `json:"read"`
}

// Disagree is the first difference between two runs.
type Disagree struct {
	Output string `json:"output"`
	Offset int64  `json:"offset"`
	Count  int64  `json:"bytes"`
	Detail string `json:"detail,omitempty"`
}

// Copy is an output that was not built but copied.
type Copy struct {
	Output string `json:"output"`
	Member string `json:"member,omitempty"` // inside the output
	SHA256 string `json:"sha256"`
	Input  string `json:"input"`
	Origin string `json:"origin"` // source, fetch, builder
	How    string `json:"how"`    // the same bytes, after stripping, after decompressing
}

// Comparison holds what was shipped against what was rebuilt.
type Comparison struct {
	Whole   string         `json:"whole"` // State of the subject itself as one file
	Members []MemberResult `json:"members"`
	Counts  map[string]int `json:"counts"` // members by state
}

// States of a member.
const (
	Identical  = "identical"
	Equivalent = "equivalent"
	Different  = "different"
	InTree     = "in-tree"      // not rebuilt; the same bytes lie in the verified tree
	Nowhere    = "from-nowhere" // neither rebuilt nor in the tree
	NotRebuilt = "not-rebuilt"
	Uncovered  = "uncovered" // of a release: it would run, and nothing accounts for it
	Covered    = "covered"   // of a release: not rebuilt; signed evidence that the policy demands is about it
)

// MemberResult is one member of what was shipped.
type MemberResult struct {
	Path       string      `json:"path"`
	State      string      `json:"state"`
	SHA256     string      `json:"sha256"`
	Size       int64       `json:"size"`
	Exec       bool        `json:"executable,omitempty"`
	Runs       string      `json:"runs,omitempty"`  // of a release: why it would run, such as "elf code" or "install script of npm"
	Flags      []string    `json:"flags,omitempty"` // set-uid, set-gid, capabilities: rights that no bytes give
	TreePath   string      `json:"tree-path,omitempty"`
	Output     string      `json:"output,omitempty"`
	Difference *Difference `json:"difference,omitempty"`
	Declared   []string    `json:"declared,omitempty"` // differences that the recipe declares for it
	Forgiven   []Forgiven  `json:"forgiven,omitempty"` // what was forgiven, for a state of equivalent
	Signed     []Embedded  `json:"signed,omitempty"`   // embedded signatures that were told from what was built
	Layers     []Layered   `json:"layers,omitempty"`   // the sums of every file that differs, itself and what is in it
}

// Forgiven is what one declared difference forgave in one file.
type Forgiven struct {
	Name   string `json:"name"`
	Layer  string `json:"layer"` // path of the file inside the member; "" for the member itself
	Fields int    `json:"fields"`
	Bytes  int64  `json:"bytes"`
	Ranges []Span `json:"ranges,omitempty"` // the first ones
}

// Embedded is a signature inside a file: its own check holds, and on our build it gives the shipped bytes.
type Embedded struct {
	Name    string      `json:"name"`
	Layer   string      `json:"layer"`
	Bytes   int64       `json:"bytes"`
	Ranges  []Span      `json:"ranges,omitempty"`
	Signers []Signature `json:"signers"`
}

// Span is a run of bytes on both sides.
type Span struct {
	Offset        int64 `json:"offset"`
	Size          int64 `json:"size"`
	RebuiltOffset int64 `json:"rebuilt-offset"`
	RebuiltSize   int64 `json:"rebuilt-size"`
}

// Layered gives the sums of one file, which are together its Size.
type Layered struct {
	Path     string `json:"path"`
	Size     int64  `json:"size"`
	Same     int64  `json:"same"`
	Forgiven int64  `json:"forgiven"`
	Derived  int64  `json:"derived"` // checksums, sizes and offsets that follow from the rest
	Inner    int64  `json:"inner"`   // members that are layers of their own
	Signed   int64  `json:"signed"`  // an embedded signature
}

// Difference tells where and why two files differ.
type Difference struct {
	Rebuilt Digest   `json:"rebuilt"`
	Bytes   int64    `json:"bytes"`  // differing bytes, the surplus of the longer one included
	First   int64    `json:"first"`  // offset of the first
	Last    int64    `json:"last"`   // offset of the last
	Stable  bool     `json:"stable"` // the runs agree on at least one byte that differs from what was shipped
	Cause   string   `json:"cause,omitempty"`
	Explain []string `json:"explain,omitempty"`
	Regions []Region `json:"regions,omitempty"` // the parts that differ, the most telling first; bounded
}

// Region is a part of a file that differs, and why.
type Region struct {
	Name          string      `json:"name"`                    // of the section, function or member; "" for the file itself
	Kind          string      `json:"kind"`                    // file, member, section or function
	Status        string      `json:"status"`                  // different, only-in-shipped, only-in-rebuilt
	Cause         string      `json:"cause,omitempty"`         // id, see docs/causes.md
	Text          string      `json:"text,omitempty"`          // of the cause, one line
	Place         string      `json:"place,omitempty"`         // file:line in what was shipped
	RebuiltPlace  string      `json:"rebuilt-place,omitempty"` // file:line in what was rebuilt
	Ranges        []ByteRange `json:"ranges,omitempty"`        // of the shipped file; none for what lies in a member of it
	RebuiltRanges []ByteRange `json:"rebuilt-ranges,omitempty"`
}

// ByteRange is a run of bytes of one file.
type ByteRange struct {
	Offset int64 `json:"offset"`
	Size   int64 `json:"size"`
}

// Problem is a step that ended too early.
type Problem struct {
	Check string `json:"check,omitempty"`
	Class string `json:"class"` // failed or inconclusive
	Text  string `json:"text"`
	Hint  string `json:"hint,omitempty"`
}

// ProblemOf turns an error into a problem. An error that names no check belongs to check.
func ProblemOf(err error, check string) Problem {
	id := fault.CheckOf(err)
	if id == "" {
		id = check
	}
	return Problem{Check: id, Class: fault.ClassOf(err).String(), Text: err.Error(), Hint: fault.HintOf(err)}
}
