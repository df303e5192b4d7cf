package verify

import (
	"fmt"
	"strings"

	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/redact"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// readDocument reads the verdict that the caller was handed, whole or redacted. What it says counts for nothing until somebody whom
// the policy knows is found to have signed its root.
func (c *checker) readDocument() error {
	if c.req.Verdict == "" {
		return nil
	}
	v, err := ReadVerdict(c.req.Verdict)
	if err != nil {
		return err
	}
	if !redact.Sealed(*v) {
		return fault.Usagef(fault.Quote(c.req.Verdict), "was never sealed: no signature is about it").WithHint("glassbuild verify --sign --format json --output FILE seals and saves the verdict that it signs")
	}
	c.document = v
	if len(c.req.Subjects) == 0 {
		c.req.Subjects = []string{"sha256:" + v.Subject.SHA256}
	}
	return nil
}

// bind finds the signed summary whose root is the document's.
func (c *checker) bind(s *subject, standing []*evidence.Verified, f *verdict.Facts) {
	if c.document == nil {
		return
	}
	if f.Document == nil {
		hidden, all := redact.Count(*c.document)
		f.Document = &verdict.Document{Root: c.document.Commitments.Root, Result: c.document.Result, Match: c.document.Match, Redacted: hidden, Entries: all}
		if c.document.Subject.SHA256 != s.sum {
			f.Document.Refused = "it is about another artefact: sha256:" + c.document.Subject.SHA256
		}
	}
	for _, v := range standing {
		if v.Statement() == nil || v.Statement().PredicateType != evidence.PredicateSummary {
			continue
		}
		sum, err := v.Statement().Summary()
		if err != nil || sum.Verdict == nil || sum.Verdict.Root != f.Document.Root {
			continue
		}
		if why := c.unlike(sum); why != "" {
			f.Document.Refused = why
			continue
		}
		f.Document.By = v.Principals()
	}
}

// unlike tells how a signed summary and the document that it binds disagree.
func (c *checker) unlike(sum *evidence.Summary) string {
	d := c.document
	switch {
	case !strings.EqualFold(sum.Result, string(d.Result)):
		return fmt.Sprintf("its signer says %s, it says %s", sum.Result, d.Result)
	case sum.Policy.Digest["sha256"] != d.Policy.SHA256:
		return "its signer names another policy"
	case sum.Rebuild != nil && sum.Rebuild.Match != string(d.Match):
		return fmt.Sprintf("its signer says %s, it says %s", sum.Rebuild.Match, d.Match)
	case sum.Rebuild != nil && !sum.Rebuild.Expires.IsZero() && !sum.Rebuild.Expires.After(c.now):
		return "its signer stopped standing behind it on " + sum.Rebuild.Expires.UTC().Format("2006-01-02")
	}
	return ""
}
