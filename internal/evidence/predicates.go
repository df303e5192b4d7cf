package evidence

import (
	"errors"
	"fmt"
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// TestResult is an in-toto test result: here, whether independent runs of a build agreed.
type TestResult struct {
	Result        string     `json:"result"` // PASSED, WARNED or FAILED
	Configuration []Resource `json:"configuration"`
	URL           string     `json:"url,omitempty"`
	Passed        []string   `json:"passedTests,omitempty"`
	Warned        []string   `json:"warnedTests,omitempty"`
	Failed        []string   `json:"failedTests,omitempty"`
}

func (t *TestResult) check() error {
	switch t.Result {
	case "PASSED", "WARNED", "FAILED":
	default:
		return fmt.Errorf("result is %q, want PASSED, WARNED or FAILED", cut(t.Result))
	}
	if t.Result == "PASSED" && len(t.Failed) > 0 || t.Result == "FAILED" && len(t.Failed) == 0 {
		return errors.New("result contradicts the list of failed tests")
	}
	if len(t.Configuration) == 0 {
		return errors.New("configuration is missing")
	}
	return nil
}

// Marshal returns the statement of the result about subjects.
func (t *TestResult) Marshal(subjects ...Resource) ([]byte, error) {
	if err := t.check(); err != nil {
		return nil, fault.Usagef("test result", "%w", err)
	}
	return Marshal(PredicateTestResult, t, subjects...)
}

// TestResult reads the predicate as a test result.
func (s *Statement) TestResult() (*TestResult, error) {
	if err := s.of(PredicateTestResult); err != nil {
		return nil, err
	}
	var r reader
	o := r.object(s.predicate, "predicate", "result", "configuration", "url", "passedTests", "warnedTests", "failedTests")
	t := &TestResult{Result: r.must(o.Get("result"), "result"), Configuration: r.resources(o.Get("configuration"), "configuration"),
		URL: r.text(o.Get("url"), "url"), Passed: r.texts(o.Get("passedTests"), "passedTests"),
		Warned: r.texts(o.Get("warnedTests"), "warnedTests"), Failed: r.texts(o.Get("failedTests"), "failedTests")}
	if r.err != nil {
		return nil, r.err
	}
	return t, t.check()
}

// NPMPublish is what the npm registry signs when a package is published.
type NPMPublish struct {
	Name     string `json:"name"`
	Version  string `json:"version"`
	Registry string `json:"registry"`
}

// NPMPublish reads the predicate as an npm publish attestation.
func (s *Statement) NPMPublish() (*NPMPublish, error) {
	if err := s.of(PredicateNPMPublish); err != nil {
		return nil, err
	}
	var r reader
	o := r.object(s.predicate, "predicate", "name", "version", "registry")
	p := &NPMPublish{Name: r.must(o.Get("name"), "name"), Version: r.must(o.Get("version"), "version"), Registry: r.must(o.Get("registry"), "registry")}
	if r.err != nil {
		return nil, r.err
	}
	return p, nil
}

// Withdrawal takes back an earlier statement of the same signer about the same artefact.
type Withdrawal struct {
	Statement  string    `json:"statementSha256"`              // digest of the payload that is withdrawn
	Superseded string    `json:"supersededBySha256,omitempty"` // digest of the payload that takes its place
	Reason     string    `json:"reason"`
	Time       time.Time `json:"-"`
}

func (w *Withdrawal) check() error {
	for name, sum := range map[string]string{"statementSha256": w.Statement, "supersededBySha256": w.Superseded} {
		if sum == "" && name != "statementSha256" {
			continue
		}
		if err := checkDigest("sha256", sum); err != nil {
			return in(name, err)
		}
	}
	switch {
	case w.Reason == "":
		return errors.New("reason is missing")
	case w.Time.IsZero():
		return errors.New("timeWithdrawn is missing")
	case w.Statement == w.Superseded:
		return errors.New("a statement cannot take its own place")
	}
	return nil
}

// Marshal returns the statement of the withdrawal about the subject of what is withdrawn.
func (w *Withdrawal) Marshal(subject Resource) ([]byte, error) {
	if err := w.check(); err != nil {
		return nil, fault.Usagef("withdrawal", "%w", err)
	}
	type plain Withdrawal
	return Marshal(PredicateWithdrawal, struct {
		plain
		Time string `json:"timeWithdrawn"`
	}{plain(*w), Timestamp(w.Time)}, subject)
}

// Withdrawal reads the predicate as a withdrawal.
func (s *Statement) Withdrawal() (*Withdrawal, error) {
	if err := s.of(PredicateWithdrawal); err != nil {
		return nil, err
	}
	var r reader
	o := r.object(s.predicate, "predicate", "statementSha256", "supersededBySha256", "reason", "timeWithdrawn")
	w := &Withdrawal{Statement: r.must(o.Get("statementSha256"), "statementSha256"), Superseded: r.text(o.Get("supersededBySha256"), "supersededBySha256"),
		Reason: r.text(o.Get("reason"), "reason"), Time: r.time(o.Get("timeWithdrawn"), "timeWithdrawn")}
	if r.err != nil {
		return nil, r.err
	}
	return w, w.check()
}

// PayloadSHA256 returns the digest of the statement as it was signed, by which a Withdrawal names it.
func (s *Statement) PayloadSHA256() string { return s.sum }
