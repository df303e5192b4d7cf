package vcs

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// Question is one line of the log.
type Question struct {
	Argv    []string `json:"argv"`
	Dir     string   `json:"dir,omitempty"` // below the work tree's root
	Code    int      `json:"code"`
	Refused bool     `json:"refused,omitempty"`
	Tags    []string `json:"tags,omitempty"` // handed out
	Stdout  int      `json:"stdout"`         // bytes
	Cut     bool     `json:"cut,omitempty"`  // Argv or Tags are not complete here
}

func newQuestion(argv []string, dir string, r Reply) Question {
	q := Question{Dir: dir, Code: r.Code, Refused: r.Refused, Tags: r.Tags, Stdout: len(r.Stdout)}
	for i, a := range argv {
		if i == maxArguments {
			q.Cut = true
			break
		}
		if len(a) > maxArgument {
			a, q.Cut = a[:maxArgument], true
		}
		q.Argv = append(q.Argv, a)
	}
	return q
}

// appendLog writes one line with one write, so that lines of simultaneous processes do not mix.
func appendLog(name string, q Question) error {
	line, err := json.Marshal(q)
	for err == nil && len(line) >= maxLogLine && len(q.Tags) > 0 {
		q.Tags, q.Cut = q.Tags[:len(q.Tags)/2], true
		line, err = json.Marshal(q)
	}
	if err == nil && len(line) >= maxLogLine {
		q.Argv, q.Dir, q.Cut = nil, "", true
		line, err = json.Marshal(q)
	}
	if err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size()+int64(len(line)) >= maxLog {
		return fmt.Errorf("not a regular file, or full at %d bytes", maxLog)
	}
	if _, err := f.Write(append(line, '\n')); err != nil {
		return err
	}
	return f.Close()
}

// Log is what the sandbox says was asked. It was written where the build could write too: a line that is missing
// proves nothing.
type Log struct {
	Questions []Question
	Malformed int // lines that the stand-in cannot have written
}

// MaxLog is the largest log that ParseLog accepts and the stand-in writes.
const MaxLog = maxLog

// ParseLog reads a log. Malformed lines are counted, never trusted; only an unreadable or oversized log is an error.
func ParseLog(r io.Reader) (Log, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxLog+1))
	if err != nil {
		return Log{}, err
	}
	if len(data) > maxLog {
		return Log{}, fmt.Errorf("git log: exceeds %d bytes", maxLog)
	}
	var log Log
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, maxLogLine+1)
	for lines.Scan() {
		dec := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		dec.DisallowUnknownFields()
		var q Question
		if dec.Decode(&q) != nil || dec.More() {
			log.Malformed++
			continue
		}
		log.Questions = append(log.Questions, q)
	}
	if lines.Err() != nil { // a line longer than any that the stand-in writes
		log.Malformed++
	}
	return log, nil
}
