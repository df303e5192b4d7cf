package verdict

// Evidence is what was found of signed statements about the subject, verified by the demands of one table of the policy.
// Nothing stands in Statements whose signature, witnesses and subject were not verified.
type Evidence struct {
	Pieces         int         `json:"pieces"`                  // that speak of the subject, or do not say of what
	Elsewhere      int         `json:"elsewhere"`               // that say they speak of something else
	TrustedRoots   string      `json:"trusted-roots,omitempty"` // digest of the authorities and logs that were trusted
	Statements     []Statement `json:"statements,omitempty"`
	Refused        []Refused   `json:"refused,omitempty"`
	Contradictions []string    `json:"contradictions,omitempty"` // between statements, or with the artefact or the commit
	Searched       []string    `json:"searched,omitempty"`       // places of the policy in which it was looked
	Unsearched     []string    `json:"unsearched,omitempty"`     // places of the policy that could not be read
}

// Statement is one verified statement, or a signature over the artefact itself.
type Statement struct {
	Name       string            `json:"name"`
	SHA256     string            `json:"sha256"`            // of the bundle
	Payload    string            `json:"payload,omitempty"` // digest of the signed statement
	Format     string            `json:"format"`
	Type       string            `json:"type"` // predicate type, or message
	Subject    string            `json:"subject,omitempty"`
	Signers    []Signer          `json:"signers"`
	Time       int64             `json:"time,omitempty"` // earliest proved time, seconds since the epoch
	Logs       []string          `json:"logs,omitempty"`
	Timestamps []string          `json:"timestamps,omitempty"` // authorities
	Says       map[string]string `json:"says,omitempty"`       // repository, commit, … by the policy's names
	Conflicts  map[string]string `json:"conflicts,omitempty"`  // claims that the signer's certificate contradicts
	Fields     map[string]string `json:"fields,omitempty"`     // those that the policy demands, by address
	Exceptions []string          `json:"exceptions,omitempty"`
	Notes      []string          `json:"notes,omitempty"`
	Withdrawn  string            `json:"withdrawn,omitempty"` // why, where its signer took it back
	Vote       *Vote             `json:"vote,omitempty"`
}

// Signer is one party whose signature holds.
type Signer struct {
	Principal string `json:"principal"`
	Platform  bool   `json:"platform,omitempty"`
	Key       string `json:"key"`
	Identity  string `json:"identity,omitempty"`
	Issuer    string `json:"issuer,omitempty"`
	PublicKey string `json:"public-key,omitempty"` // SubjectPublicKeyInfo in base64, of a signer known by its key
}

// Refused is evidence that does not hold.
type Refused struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256,omitempty"`
	Reason string `json:"reason"`
	Hint   string `json:"hint,omitempty"`
}

// Document is a verdict that was handed in.
type Document struct {
	Root     string   `json:"root"` // of its commitments, computed from what it shows
	Result   Result   `json:"result"`
	Match    Match    `json:"match"`
	Redacted int      `json:"redacted"`          // entries that it leaves out
	Entries  int      `json:"entries"`           // that could be left out
	By       []string `json:"by,omitempty"`      // principals who signed that root
	Refused  string   `json:"refused,omitempty"` // why it is not what was signed, or not about this
}

// Vote is what somebody else says of a rebuild of their own.
type Vote struct {
	Result  string `json:"result"` // PASSED or FAILED
	Match   string `json:"match,omitempty"`
	Commit  string `json:"commit,omitempty"` // "" where nothing was rebuilt
	Tree    string `json:"tree-sha256,omitempty"`
	Recipe  string `json:"recipe-sha256,omitempty"`
	Builder string `json:"builder-sha256,omitempty"`
	Policy  string `json:"policy-sha256,omitempty"`
	Time    int64  `json:"time"`              // as its principal says
	Expires int64  `json:"expires,omitempty"` // as its principal says
	Rests   string `json:"rests,omitempty"`   // why it is not the principal's own rebuild alone
}

// principals returns the names of those who signed.
func (s *Statement) principals() []string {
	var out []string
	for _, g := range s.Signers {
		out = append(out, g.Principal)
	}
	return out
}
