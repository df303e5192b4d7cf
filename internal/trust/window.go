package trust

import (
	"strings"
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Window is a span of time: From is in it, To is not. A zero bound is open.
type Window struct {
	From time.Time `json:"from,omitzero"`
	To   time.Time `json:"to,omitzero"`
}

// ParseWindow reads "2025-01-01..2027-12-31": whole days in UTC, the last day included. Either end may be left out,
// not both.
func ParseWindow(text string) (Window, error) {
	from, to, ok := strings.Cut(text, "..")
	if !ok || from == "" && to == "" {
		return Window{}, fault.Usagef("valid", "want \"YYYY-MM-DD..YYYY-MM-DD\", got %q", text)
	}
	var w Window
	var err error
	if from != "" {
		if w.From, err = time.ParseInLocation(time.DateOnly, from, time.UTC); err != nil {
			return Window{}, fault.Usagef("valid", "%q is not a date", from)
		}
	}
	if to != "" {
		if w.To, err = time.ParseInLocation(time.DateOnly, to, time.UTC); err != nil {
			return Window{}, fault.Usagef("valid", "%q is not a date", to)
		}
		w.To = w.To.AddDate(0, 0, 1)
	}
	if w.empty() {
		return Window{}, fault.Usagef("valid", "%q ends before it begins", text)
	}
	return w, nil
}

// Contains tells whether t lies in the window.
func (w Window) Contains(t time.Time) bool {
	return (w.From.IsZero() || !t.Before(w.From)) && (w.To.IsZero() || t.Before(w.To))
}

// String returns the window as two instants in UTC, "always" when it is open at both ends.
func (w Window) String() string {
	if w.From.IsZero() && w.To.IsZero() {
		return "always"
	}
	var b strings.Builder
	if !w.From.IsZero() {
		b.WriteString(w.From.UTC().Format(time.RFC3339))
	}
	b.WriteString("..")
	if !w.To.IsZero() {
		b.WriteString(w.To.UTC().Format(time.RFC3339))
	}
	return b.String()
}

func (w Window) empty() bool {
	return !w.From.IsZero() && !w.To.IsZero() && !w.From.Before(w.To)
}
