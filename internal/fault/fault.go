// Package fault gives every error that crosses a package boundary the three things that a caller needs:
// what it is about, why, and which verdict it leads to.
//
// The text is always "object: reason", lower case, foreign values quoted. The class decides the exit code:
// nothing in this package can lead to a pass.
package fault

import (
	"errors"
	"fmt"
	"strings"
)

// Class says which result an error leads to. The zero value is Failed, the strictest one.
type Class int

const (
	// Failed means that something demanded does not hold, or that an input is hostile: exit 1.
	Failed Class = iota
	// Inconclusive means that it could not be decided: exit 3.
	Inconclusive
	// Usage means that the caller's flags, policy or recipe are wrong: exit 4.
	Usage
)

// String returns the class as it stands in reports: "failed", "inconclusive" or "usage".
func (c Class) String() string {
	switch c {
	case Inconclusive:
		return "inconclusive"
	case Usage:
		return "usage"
	}
	return "failed"
}

// Error is one classified error.
type Error struct {
	Class  Class
	Check  string // id of the check that it decides, such as "source.objects"; may be empty
	Object string // what it is about: a path, an object id, a key
	Reason string // why, in one line
	Hint   string // what the person at the terminal can do next; may be empty
	Cause  error  // the underlying error; may be nil, is not printed
}

// Error returns "object: reason".
func (e *Error) Error() string {
	if e.Object == "" {
		return e.Reason
	}
	return e.Object + ": " + e.Reason
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Failf returns a Failed error about object. A %w in format becomes the cause.
func Failf(object, format string, args ...any) *Error { return newError(Failed, object, format, args) }

// Inconclusivef returns an Inconclusive error about object.
func Inconclusivef(object, format string, args ...any) *Error {
	return newError(Inconclusive, object, format, args)
}

// Usagef returns a Usage error about object.
func Usagef(object, format string, args ...any) *Error { return newError(Usage, object, format, args) }

func newError(c Class, object, format string, args []any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Class: c, Object: object, Reason: err.Error(), Cause: errors.Unwrap(err)}
}

// WithHint sets the hint and returns e.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// WithCheck sets the check id and returns e.
func (e *Error) WithCheck(id string) *Error {
	e.Check = id
	return e
}

// ClassOf returns the class of the outermost classified error in err's chain; an error that nobody classified is Failed.
func ClassOf(err error) Class {
	var e *Error
	if errors.As(err, &e) {
		return e.Class
	}
	return Failed
}

// HintOf returns the first hint in err's chain, or "".
func HintOf(err error) string {
	for err != nil {
		var e *Error
		if !errors.As(err, &e) {
			return ""
		}
		if e.Hint != "" {
			return e.Hint
		}
		err = e.Cause
	}
	return ""
}

// CheckOf returns the first check id in err's chain, or "".
func CheckOf(err error) string {
	for err != nil {
		var e *Error
		if !errors.As(err, &e) {
			return ""
		}
		if e.Check != "" {
			return e.Check
		}
		err = e.Cause
	}
	return ""
}

// Quote returns s for printing: as it is when every rune of it is printable and harmless, else as a Go string
// literal in ASCII. Control characters (C0, C1, DEL), invalid UTF-8, bidirectional controls, zero-width and other
// format characters, and line and paragraph separators are never printed raw.
func Quote(s string) string {
	if s != "" && Plain(s) {
		return s
	}
	return fmt.Sprintf("%+q", s)
}

// Plain tells whether s can be printed as it is, see Quote.
func Plain(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return !plainRune(r) }) < 0
}
