package verdict

// Tally counts the results of several verdicts. The zero Tally, over nothing, is a failure.
type Tally struct {
	Passed, Failed, Inconclusive int
}

// Add counts a verdict by its exit code: a result that a verdict does not stand for is a failure.
func (t *Tally) Add(v Verdict) {
	switch v.ExitCode() {
	case ExitPassed:
		t.Passed++
	case ExitInconclusive:
		t.Inconclusive++
	default:
		t.Failed++
	}
}

// ExitCode is 0 only where there were verdicts and every one of them passed.
func (t Tally) ExitCode() int {
	switch {
	case t.Failed > 0:
		return ExitFailed
	case t.Inconclusive > 0:
		return ExitInconclusive
	case t.Passed > 0:
		return ExitPassed
	}
	return ExitFailed
}
