package main

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// speaker writes to stderr whatever is no result: lines for people, or with --json one object a line for tools that wrap
// the program. docs/events.md lists the events.
type speaker struct {
	w     io.Writer
	json  bool
	start time.Time
	mu    sync.Mutex
}

// event is one line of --json. Fields that an event does not have are left out.
type event struct {
	Event   string  `json:"event"`
	Seconds float64 `json:"seconds"` // since the program began
	Text    string  `json:"text,omitempty"`
	Class   string  `json:"class,omitempty"` // of an error: failed, inconclusive, usage, interrupted
	Done    int64   `json:"done,omitempty"`  // bytes
	Total   int64   `json:"total,omitempty"` // bytes
	Exit    *int    `json:"exit,omitempty"`
}

// Kinds of lines, and what stands before them for people.
const (
	sayHint = "hint"
	sayNote = "note"
	sayLog  = "log"
	sayDone = "done"
	sayPart = "partial" // the report of a run that was interrupted
)

var before = map[string]string{sayHint: "hint: ", sayNote: "note: ", sayLog: "  | "}

// say writes one text, which may have several lines.
func (s *speaker) say(kind, format string, args ...any) {
	text := format
	if len(args) > 0 {
		text = fmt.Sprintf(format, args...)
	}
	if s.json {
		s.emit(event{Event: kind, Text: text})
		return
	}
	s.write([]byte(before[kind] + printable(text) + "\n"))
}

// fail says why a command ended.
func (s *speaker) fail(err error, class string) {
	if s.json {
		s.emit(event{Event: "error", Text: err.Error(), Class: class})
	} else {
		s.write([]byte("glassbuild: " + oneLine(err.Error()) + "\n"))
	}
	if hint := fault.HintOf(err); hint != "" {
		s.say(sayHint, "%s", hint)
	}
}

// end says with which code the program ends; people see that elsewhere.
func (s *speaker) end(code int) {
	if s.json {
		s.emit(event{Event: "end", Exit: &code})
	}
}

func (s *speaker) emit(e event) {
	e.Seconds = float64(time.Since(s.start).Milliseconds()) / 1000
	line, err := json.Marshal(e) // invalid UTF-8 becomes U+FFFD, control characters are escaped
	if err != nil {
		return // no field of an event can fail
	}
	s.write(append(line, '\n'))
}

func (s *speaker) write(p []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.w.Write(p)
}
