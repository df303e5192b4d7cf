package report

import (
	"bytes"
	"encoding/xml"
	"strings"

	"github.com/glassbuild/glassbuild/internal/verdict"
)

// The parts of JUnit's XML that test dashboards read. There is no standard; a failed check is a failure, one that could not
// be decided an error, one that was not reached is skipped. Checks that the policy does not demand succeed.
type (
	junitSuite struct {
		XMLName  xml.Name    `xml:"testsuite"`
		Read     []junitRead `xml:"properties>property,omitempty"`
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitRead struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		Class   string      `xml:"classname,attr"`
		Name    string      `xml:"name,attr"`
		Failure *junitTrial `xml:"failure"`
		Error   *junitTrial `xml:"error"`
		Skipped *junitTrial `xml:"skipped"`
		Out     string      `xml:"system-out,omitempty"`
	}
	junitTrial struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// JUnit renders the verdict as one test suite, a case a check, and one more for the verdict itself, so that no dashboard shows
// a suite of green cases for a verdict that did not pass.
func JUnit(v verdict.Verdict) ([]byte, error) {
	s := junitSuite{Name: "glassbuild " + printable(v.Subject.Name)}
	for _, r := range rebuilds(v) {
		if r.Account != nil {
			s.Read = append(s.Read, junitRead{"read", readLine(r.Account)})
		}
	}
	for _, c := range v.Checks {
		s.add(c.ID, c.Status, c.Text, c.Hint)
	}
	s.add("verdict", resultStatus(v.Result), strings.ToUpper(string(v.Result))+" ("+string(v.Match)+"): "+v.Summary, "")
	var b bytes.Buffer
	b.WriteString(xml.Header)
	enc := xml.NewEncoder(&b)
	enc.Indent("", "  ")
	if err := enc.Encode(s); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

func (s *junitSuite) add(id string, status verdict.Status, text, hint string) {
	group, _, _ := strings.Cut(id, ".")
	c := junitCase{Class: "glassbuild." + group, Name: id}
	t := &junitTrial{Message: printable(text), Text: printable(hint)}
	s.Tests++
	switch status {
	case verdict.StatusPassed, verdict.StatusReported:
		c.Out = printable(text)
	case verdict.StatusNotReached:
		c.Skipped = t
		s.Skipped++
	case verdict.StatusInconclusive:
		c.Error = t
		s.Errors++
	default:
		c.Failure = t
		s.Failures++
	}
	s.Cases = append(s.Cases, c)
}
