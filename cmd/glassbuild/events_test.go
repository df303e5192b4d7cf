package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// areEvents is "events FILE KIND…": every line is an event, the kinds stand there, and the last line, alone, is the end.
func areEvents(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: events file kind…")
	}
	var kinds []string
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		var e event
		d := json.NewDecoder(strings.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&e); err != nil {
			ts.Fatalf("%q: %v", line, err)
		}
		kinds = append(kinds, e.Event)
	}
	for _, want := range args[1:] {
		if !slices.Contains(kinds, want) {
			ts.Fatalf("no event %s in %v", want, kinds)
		}
	}
	if i := slices.Index(kinds, "end"); i != len(kinds)-1 {
		ts.Fatalf("the end is not the last event, once: %v", kinds)
	}
}

// TestProgressLine holds the line of a long step to the width of the terminal, with a bar that needs no colour.
func TestProgressLine(t *testing.T) {
	t.Parallel()
	start := time.Unix(0, 0)
	for _, row := range []struct {
		name        string
		width       int
		done, total int64
		want        string
	}{
		{name: "half", width: 80, done: 50 << 20, total: 100 << 20, want: "  2.0s  copying and h…  [######------]   50 %  52.4 MB/s  1s left"},
		{name: "no size", width: 80, want: "  2.0s  copying and hashing engine.img"},
		{name: "small", width: 80, done: 1, total: 2, want: "  2.0s  copying and hashing engine.img"},
		{name: "narrow", width: 40, done: 50 << 20, total: 100 << 20, want: "  2.0s  copying and hashing engine.img"},
		{name: "more than was said", width: 100, done: 30 << 20, total: 20 << 20, want: "  2.0s  copying and hashing engine.img  [############]  100 %  31.5 MB/s"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			p := &steps{width: row.width, start: start, since: start.Add(time.Second), text: "copying and hashing engine.img"}
			got := p.line(start.Add(2*time.Second), row.done, row.total)
			if len([]rune(got)) >= row.width {
				t.Errorf("%d columns of %d", len([]rune(got)), row.width)
			}
			if row.name != "half" && got != row.want {
				t.Errorf("%q, want %q", got, row.want)
			}
			if row.name == "half" && !strings.HasSuffix(got, "[######------]   50 %  52.4 MB/s  1s left") {
				t.Errorf("%q", got)
			}
		})
	}
}
