package policy

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/pattern"
	"github.com/glassbuild/glassbuild/internal/tomlfile"
	"github.com/glassbuild/glassbuild/internal/trust"
)

// Quorum says whose independent rebuilds must agree. A vote is a principal's own rebuild of
// the same artefact from the same commit, tree, recipe and builder, under a policy that is listed here.
type Quorum struct {
	Witness
	Of       string      `toml:"of,required"`       // group, or a single principal
	MaxAge   age         `toml:"max-age,required"`  // "90d": older verdicts do not count
	Policies []string    `toml:"policies,required"` // digests of the policies under which a rebuild counts
	DifferIn []string    `toml:"differ-in"`         // attributes in which those who are counted must differ from each other
	Dissent  string      `toml:"dissent"`           // fail (default) or report
	Votes    []string    `toml:"votes"`             // folders, registries and logs in which votes are looked for
	Commit   string      `toml:"commit"`            // what the votes must be about, for a check without a rebuild
	Tree     string      `toml:"tree"`
	Recipe   string      `toml:"recipe"`
	Builder  string      `toml:"builder"`
	Others   []Rebuilder `toml:"rebuilder"`
}

// Rebuilder is a principal whose provenance of a build type counts as a vote, although it says neither tree nor recipe.
type Rebuilder struct {
	Principal string `toml:"principal,required"`
	BuildType string `toml:"build-type,required"`
	Reason    string `toml:"reason,required"`
}

// LogPlace is a transparency log among the places of votes.
type LogPlace struct {
	Text    string // as the policy writes it
	Version int    // of Rekor: 1 or 2
	URL     string // below which checkpoint and tiles lie (v2), or the API (v1)
	Origin  string // host name by which the trusted root knows the log
}

// logPlace reads "rekor-v1+URL" or "rekor-v2+URL". A mirror names the log that it holds behind a #.
func logPlace(text string) (p LogPlace, log bool, err error) {
	p.Text = text
	switch {
	case strings.HasPrefix(text, "rekor-v1+"):
		p.Version = 1
	case strings.HasPrefix(text, "rekor-v2+"):
		p.Version = 2
	default:
		return p, false, nil
	}
	u, err := url.Parse(text[len("rekor-v1+"):])
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.RawQuery != "" || u.User != nil {
		return p, true, fmt.Errorf("%q names no log: want rekor-v1+https://… or rekor-v2+https://…", text)
	}
	if p.Origin = u.Fragment; p.Origin == "" {
		p.Origin = u.Hostname()
	}
	u.Fragment = ""
	p.URL = u.String()
	return p, true, nil
}

// Logs are the transparency logs among the places of votes.
func (q *Quorum) Logs() []LogPlace {
	var out []LogPlace
	for _, v := range q.Votes {
		if p, log, err := logPlace(v); log && err == nil {
			out = append(out, p)
		}
	}
	return out
}

// Places are the folders and registries among the places of votes.
func (q *Quorum) Places() []string {
	var out []string
	for _, v := range q.Votes {
		if _, log, _ := logPlace(v); !log {
			out = append(out, v)
		}
	}
	return out
}

// age is a number of days, written "90d".
type age struct{ time.Duration }

var days = pattern.New(`^([1-9][0-9]{0,4})d$`)

// UnmarshalTOML implements tomlfile.Unmarshaler.
func (a *age) UnmarshalTOML(v tomlfile.Value) error {
	var text string
	if err := v.Decode(&text); err != nil {
		return err
	}
	m := days.FindStringSubmatch(text)
	if m == nil {
		return v.Errorf("%q is no age: want a number of days, such as \"90d\"", text)
	}
	n, err := strconv.Atoi(m[1])
	if err != nil || n > maxAgeDays {
		return v.Errorf("%q out of range 1d–%dd", text, maxAgeDays)
	}
	a.Duration = time.Duration(n) * 24 * time.Hour
	return nil
}

// ByBuiltIn stands for the digest of the built-in policy in a list of policies.
const ByBuiltIn = "built-in"

func (q *Quorum) check(doc *tomlfile.Document, t *trust.Trust) error {
	if !t.Known(q.Of) {
		return doc.Errorf("quorum.of", "%q is neither a group nor a principal of this policy", q.Of)
	}
	if err := q.Witness.check(doc, "quorum"); err != nil {
		return err
	}
	if err := choice(doc, "quorum.dissent", &q.Dissent, "fail", "report"); err != nil {
		return err
	}
	if len(q.Policies) == 0 || len(q.Policies) > maxPolicies {
		return doc.Errorf("quorum.policies", "%d digests, want 1 to %d", len(q.Policies), maxPolicies)
	}
	for i, sum := range q.Policies {
		if sum == ByBuiltIn {
			q.Policies[i] = Default().SHA256
		} else if q.Policies[i] = strings.TrimPrefix(sum, "sha256:"); !digest(q.Policies[i]) {
			return doc.Errorf(fmt.Sprintf("quorum.policies[%d]", i), "malformed digest %q: want what glassbuild policy check prints, or %q", sum, ByBuiltIn)
		}
	}
	if len(q.Votes) > maxSources {
		return doc.Errorf("quorum.votes", "exceeds %d places", maxSources)
	}
	for i, v := range q.Votes {
		if v == "" || !fault.Plain(v) {
			return doc.Errorf(fmt.Sprintf("quorum.votes[%d]", i), "names no place")
		}
		if _, log, err := logPlace(v); log && err != nil {
			return doc.Errorf(fmt.Sprintf("quorum.votes[%d]", i), "%w", err)
		}
	}
	return q.checkPins(doc, t)
}

func (q *Quorum) checkPins(doc *tomlfile.Document, t *trust.Trust) error {
	if doc.Has("quorum.commit") && !fullID(q.Commit) {
		return doc.Errorf("quorum.commit", "%q: need full commit id", q.Commit)
	}
	for key, sum := range map[string]string{"tree": q.Tree, "recipe": q.Recipe, "builder": q.Builder} {
		if doc.Has("quorum."+key) && !digest(sum) {
			return doc.Errorf("quorum."+key, "malformed digest %q: want 64 lower-case hex digits", sum)
		}
	}
	for i, o := range q.Others {
		key := fmt.Sprintf("quorum.rebuilder[%d]", i)
		if _, ok := t.Principal(o.Principal); !ok {
			return doc.Errorf(key+".principal", "%q is no principal of this policy", o.Principal)
		}
		if !slices.Contains(t.Members(q.Of), o.Principal) {
			return doc.Errorf(key+".principal", "%q is not among %q", o.Principal, q.Of)
		}
		if !strings.Contains(o.BuildType, "://") || !fault.Plain(o.BuildType) || len(o.BuildType) > maxText {
			return doc.Errorf(key+".build-type", "malformed build type %q: want a URI", o.BuildType)
		}
		if strings.TrimSpace(o.Reason) == "" {
			return doc.Errorf(key, "reason required")
		}
	}
	return q.checkDiversity(doc, t)
}

func (q *Quorum) checkDiversity(doc *tomlfile.Document, t *trust.Trust) error {
	for i, name := range q.DifferIn {
		if name == "" || slices.Contains(q.DifferIn[:i], name) {
			return doc.Errorf(fmt.Sprintf("quorum.differ-in[%d]", i), "%q is empty or stands twice", name)
		}
		for _, member := range t.Members(q.Of) {
			if p, _ := t.Principal(member); p.Attributes[name] == "" {
				return doc.Errorf("quorum.differ-in", "%s has no attribute %s: nobody can say whether it differs", fault.Quote(member), fault.Quote(name))
			}
		}
	}
	if ok, why := t.SatisfiedDiverse(q.Of, t.Members(q.Of), q.DifferIn); !ok {
		return doc.Errorf("quorum.differ-in", "could never hold: %s", why)
	}
	return nil
}

// vendors refuses those whom the policy itself knows as the vendor among the auditors: who signs commits, tags or
// provenance is the party that is audited, and so is whoever belongs to its organisation.
func (p *Policy) vendors(doc *tomlfile.Document) error {
	if p.Quorum == nil {
		return nil
	}
	organisations := map[string]string{}
	for _, who := range p.vendorNames() {
		if slices.Contains(p.Trust.Members(p.Quorum.Of), who) {
			return doc.Errorf("quorum.of", "%s is the vendor: it signs the source or the provenance and cannot audit it", fault.Quote(who))
		}
		if s, _ := p.Trust.Principal(who); s.Attributes["organisation"] != "" {
			organisations[strings.ToLower(s.Attributes["organisation"])] = who
		}
	}
	for _, member := range p.Trust.Members(p.Quorum.Of) {
		s, _ := p.Trust.Principal(member)
		if who := organisations[strings.ToLower(s.Attributes["organisation"])]; who != "" {
			return doc.Errorf("quorum.of", "%s is of the vendor's organisation, as %s is, and cannot audit it", fault.Quote(member), fault.Quote(who))
		}
	}
	return nil
}

func (p *Policy) vendorNames() []string {
	groups := []string{p.Source.SignedBy}
	if p.Source.Tag != nil {
		groups = append(groups, p.Source.Tag.SignedBy)
	}
	for _, r := range p.Source.Paths {
		groups = append(groups, r.SignedBy)
	}
	if p.Provenance != nil {
		groups = append(groups, p.Provenance.SignedBy)
	}
	var out []string
	for _, g := range groups {
		for _, m := range p.Trust.Members(g) {
			if !slices.Contains(out, m) {
				out = append(out, m)
			}
		}
	}
	return out
}
