package verify

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"

	"github.com/glassbuild/glassbuild/internal/builder"
	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/gomod"
	"github.com/glassbuild/glassbuild/internal/policy"
	"github.com/glassbuild/glassbuild/internal/remote"
	"github.com/glassbuild/glassbuild/internal/store"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// Gate is a policy for a quick gate, said in flags. Each field is what the key of that name demands in [provenance].
type Gate = policy.Gate

// Tally is what several verdicts come to. The zero Tally is a failure.
type Tally = verdict.Tally

// CheckRequest says what to check and by what. One of PolicyFile and Gate is required.
type CheckRequest struct {
	// Subjects are files, sha256:…, images, package URLs (pkg:npm/…), folders of a release, or "-" for the digests in List.
	Subjects    []string
	List        io.Reader // one digest on a line, as sha256:… or as sha256sum writes it
	PolicyFile  string
	Gate        *Gate
	Verdict     string   // a verdict that was handed in, whole or redacted: somebody whom the policy knows must have signed it
	Evidence    []string // files, folders and images, beside what is found next to each subject
	TrustedRoot string   // file; "" is the one that the policy names, or the one that UpdateTrust stored
	ToolVersion string
	DataDir     string    // where UpdateTrust stores; "" is the user's data folder
	Now         time.Time // at which trust is judged; the zero time is now
}

// Check judges subjects by what was signed about them; nothing is rebuilt. Every verdict is handed to each, in the order
// of the subjects; an error of each ends the check. Connections are opened only for subjects, evidence and places of
// votes that are remote. An error means that there is no result: wrong arguments or policy, or an interruption.
func Check(ctx context.Context, req CheckRequest, each func(Verdict) error) (Tally, error) {
	c, err := newChecker(ctx, req)
	if err != nil {
		return Tally{}, err
	}
	if len(c.req.Subjects) == 0 {
		return Tally{}, fault.Usagef("check", "no subject named")
	}
	defer c.close()
	return c.all(ctx, each)
}

// fetchPackage brings what a package URL names into a private folder, which lasts as long as the check.
func (c *checker) fetchPackage(ctx context.Context, text string) (string, error) {
	if c.fetched == nil {
		client, err := gomod.NewRemote(c.offline, builder.PlainHTTP()...) // archives of Debian are signed, and served without TLS
		if err != nil {
			return "", err
		}
		dir, err := store.DefaultDir()
		if err != nil {
			return "", err
		}
		st, err := store.Open(dir)
		if err != nil {
			return "", err
		}
		run, err := st.NewRun()
		if err != nil {
			return "", err
		}
		c.fetched = &packages{store: st, dir: run, remote: client, offline: c.offline, step: func(string, ...any) {}}
	}
	return c.fetched.fetch(ctx, text)
}

func (c *checker) close() {
	if c.fetched != nil {
		c.fetched.dir.Close()
	}
}

// checker holds what all subjects are judged by.
type checker struct {
	req    CheckRequest
	policy *policy.Policy
	roots  *evidence.TrustedRoots
	// rootsFile is the base name of the file that roots were read from
	rootsFile string
	now       time.Time
	named     *library // what --evidence names
	votes     *library // what the policy names
	logs      []*voteLog
	document  *Verdict // that was handed in
	tables    []*table

	fetched *packages // made when a package is named by its URL
	offline bool
	mu      sync.Mutex
	remote  *remote.Client // made when something remote is named
}

// table is one table of the policy that makes demands on evidence.
type table struct {
	name    string
	require evidence.Require
	expect  evidence.Expect
}

func newChecker(ctx context.Context, req CheckRequest) (*checker, error) {
	c := &checker{req: req, now: req.Now}
	if c.now.IsZero() {
		c.now = time.Now()
	}
	var err error
	switch {
	case req.PolicyFile == "" && req.Gate == nil:
		return nil, fault.Usagef("check", "nothing is demanded: neither a policy nor flags that stand for one").
			WithHint("--policy FILE with [provenance] or [quorum]; or --key, or --certificate-identity with --certificate-oidc-issuer")
	case req.PolicyFile != "" && req.Gate != nil && !req.Gate.Narrows():
		return nil, fault.Usagef("check", "both a policy and flags that say who may sign").WithHint("flags can ask for more than a policy, not for somebody else")
	case req.PolicyFile == "":
		c.policy, err = policy.FromGate(*req.Gate, c.now)
	default:
		if c.policy, err = policy.Load(req.PolicyFile, c.now); err == nil {
			c.policy.Name = filepath.Base(req.PolicyFile)
			if req.Gate != nil {
				err = c.policy.Narrow(*req.Gate)
			}
		}
	}
	if err != nil {
		return nil, err
	}
	if err := c.readDocument(); err != nil {
		return nil, err
	}
	return c, c.prepare(ctx)
}

// prepare reads what every subject needs. It is also how a verification with a rebuild gets its evidence judged.
func (c *checker) prepare(ctx context.Context) error {
	if c.policy.Provenance == nil && c.policy.Quorum == nil {
		return fault.Usagef(fault.Quote(c.policy.Name), "demands nothing that can be judged without a rebuild").WithHint("check needs [provenance] or [quorum] in the policy; verify rebuilds")
	}
	if p := c.policy.Provenance; p != nil {
		t := &table{name: "provenance", require: requirement(p.Witness), expect: evidence.Expect{Withdrawal: true}}
		for _, name := range p.Types {
			if name == policy.TypeMessage {
				t.expect.Message = true
			} else {
				t.expect.Predicates = append(t.expect.Predicates, name)
			}
		}
		c.tables = append(c.tables, t)
	}
	if q := c.policy.Quorum; q != nil {
		t := &table{name: "quorum", require: requirement(q.Witness), expect: evidence.Expect{Predicates: []string{evidence.PredicateSummary}, Withdrawal: true}}
		if len(q.Others) > 0 {
			t.expect.Predicates = append(t.expect.Predicates, evidence.PredicateProvenanceV1, evidence.PredicateProvenanceV02)
		}
		c.tables = append(c.tables, t)
	}
	if err := c.trustedRoots(); err != nil {
		return err
	}
	return c.libraries(ctx)
}

func requirement(w policy.Witness) evidence.Require {
	return evidence.Require{Logs: int(w.Logs), Timestamps: int(w.Timestamps), NoLog: w.Logs == 0, NoSCT: w.NoSCT != ""}
}

// libraries reads what the caller and the policy name. What the caller named and is not there is the caller's mistake;
// what the policy names and cannot be read was not searched, and the verdict says so.
func (c *checker) libraries(ctx context.Context) error {
	c.named = newLibrary()
	for _, e := range c.req.Evidence {
		if err := c.read(ctx, c.named, e); err != nil {
			return err
		}
	}
	c.votes = newLibrary()
	if c.policy.Quorum == nil {
		return nil
	}
	for _, place := range c.policy.Quorum.Places() {
		if err := c.read(ctx, c.votes, c.policy.Beside(place)); err != nil {
			c.votes.unsearched = append(c.votes.unsearched, fmt.Sprintf("%s: %v", fault.Quote(place), err))
			continue
		}
		c.votes.searched = append(c.votes.searched, place)
	}
	c.voteLogs(ctx)
	return ctx.Err()
}

// verdictOf judges one subject.
func (c *checker) verdictOf(ctx context.Context, s *subject) Verdict {
	f := verdict.Facts{Scope: verdict.ScopeCheck, Tool: verdict.Tool{Name: "glassbuild", Version: c.req.ToolVersion}, Now: c.now,
		Subject: verdict.Subject{Name: s.name, SHA256: s.sum, Size: s.size, ByDigest: s.open == nil && s.err == nil}}
	if s.err != nil {
		f.Problems = append(f.Problems, verdict.ProblemOf(s.err, verdict.CheckArtefact))
		return verdict.Decide(f, c.policy)
	}
	c.evidence(ctx, s, &f)
	return verdict.Decide(f, c.policy)
}
