package vendors

import (
	"fmt"
	"os"
	"slices"

	"github.com/glassbuild/glassbuild/internal/verdict"
)

// release is one row of expected.json and how its artefact is made.
type release struct {
	name, row, about string
	demo             bool
	repo             string // where --repo points
	commit           string // name of the commit for --commit; "" leaves it to the artefact
	member           string // for --member
	args             []string
	file             string      // base name of the artefact
	mode             os.FileMode // 0 means 0755
	env              func(*maker) map[string]string
	make             func(*maker) ([]byte, error)
	files            func(*maker) ([]member, error) // of a whole release, in place of make; file is then what of it is named

	want   want
	says   string // what the verdict must name
	saysIn string // the check that names it, where it is not that of want
}

// want is the answer: what a verification must say.
type want struct {
	result verdict.Result
	match  verdict.Match
	check  string // the check that is the reason; "" when passed
}

var (
	identical    = want{verdict.Passed, verdict.MatchIdentical, ""}
	different    = want{verdict.Failed, verdict.MatchDifferent, verdict.CheckMatch}
	partial      = want{verdict.Inconclusive, verdict.MatchPartial, verdict.CheckMatch}
	contradicted = want{verdict.Failed, "", verdict.CheckContradicts}
	copied       = want{verdict.Failed, verdict.MatchIdentical, verdict.CheckCopied}
	refused      = want{verdict.Failed, verdict.MatchNotRebuilt, verdict.CheckArtefact}
	stepsEnd     = want{verdict.Inconclusive, verdict.MatchNotRebuilt, verdict.CheckSteps}
)

// releases is every release, in the order of expected.json.
var releases = slices.Concat(honest, altered, packaged, sources, builds, wholes)

// release makes one and adds its row.
func (m *maker) release(r release) error {
	if r.files != nil {
		r.repo, r.commit = "repo-release", "v1.3.1"
	}
	repo, err := m.repo(r.repo)
	if err != nil {
		return err
	}
	path, err := m.shipped(r)
	if err != nil {
		return err
	}
	row := Release{
		Name: r.name, About: r.about, Row: r.row, Demo: r.demo, Artefact: path, Args: []string{path, "--repo", r.repo},
		Result: string(r.want.result), Match: string(r.want.match), Exit: exit(r.want.result), Check: r.want.check,
		Says: r.says, SaysIn: r.saysIn, Whole: r.files != nil,
	}
	if r.saysIn == "" && r.says != "" {
		row.SaysIn = r.want.check
	}
	if r.commit != "" {
		id, ok := repo.file.Commits[r.commit]
		if !ok {
			return fmt.Errorf("%s: no commit %q", r.repo, r.commit)
		}
		row.Args = append(row.Args, "--commit", id)
	}
	if r.member != "" {
		row.Args = append(row.Args, "--member", r.member)
	}
	row.Args = append(row.Args, r.args...)
	if r.env != nil {
		row.Env = r.env(m)
	}
	m.expected.Releases = append(m.expected.Releases, row)
	return nil
}

// shipped makes what a verification of a release names.
func (m *maker) shipped(r release) (string, error) {
	if r.files != nil {
		return m.wholeRelease(r)
	}
	data, err := r.make(m)
	if err != nil {
		return "", err
	}
	mode := r.mode
	if mode == 0 {
		mode = 0o755
	}
	return m.ship(r.name, r.file, data, mode)
}

func exit(r verdict.Result) int {
	switch r {
	case verdict.Passed:
		return verdict.ExitPassed
	case verdict.Inconclusive:
		return verdict.ExitInconclusive
	}
	return verdict.ExitFailed
}
