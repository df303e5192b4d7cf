package code

import (
	"fmt"
	"strings"

	"github.com/glassbuild/glassbuild/internal/compare/tree"
	"github.com/glassbuild/glassbuild/internal/compare/value"
)

// dataCauses names strings and other data that only one side has. Strings that differ in nothing but a time, a path
// or an id get the cause of that.
func (r *Result) dataCauses() []tree.Cause {
	if c, ok := r.oneKind(); ok {
		return c
	}
	var causes []tree.Cause
	for _, s := range []struct {
		what    string
		strings []string
		objects int
		where   []string
	}{{"shipped", r.ShippedStrings, r.ShippedObjects, r.ShippedWhere}, {"rebuilt", r.RebuiltStrings, r.RebuiltObjects, r.RebuiltWhere}} {
		if len(s.strings) > 0 && !r.told(s.strings) {
			c := tree.Cause{ID: tree.CauseData, Text: fmt.Sprintf("%s only in the %s file: %+.80q", count(len(s.strings), "string"), s.what, s.strings[0])}
			for _, v := range s.strings[:min(len(s.strings), maxDetails+1)] {
				c.Details = append(c.Details, fmt.Sprintf("%+.80q", v))
			}
			c.Details = boundedOf(c.Details, len(s.strings))
			causes = append(causes, c)
		}
		if s.objects > 0 {
			c := tree.Cause{ID: tree.CauseData, Text: fmt.Sprintf("%s only in the %s file", count(s.objects, "piece of data"), s.what), Details: boundedOf(s.where, s.objects)}
			if s.objects == 1 && len(s.where) == 1 {
				c.Text += ": " + s.where[0]
			}
			causes = append(causes, c)
		}
	}
	if r.Tables > 0 {
		causes = append(causes, tree.Cause{ID: tree.CauseData, Text: fmt.Sprintf("the code is the same, and the tables that Go's runtime keeps about it are not: %d bytes differ", r.Tables)})
	}
	if r.Types > 0 {
		causes = append(causes, tree.Cause{ID: tree.CauseData, Text: fmt.Sprintf("type information differs in %d places, as it does when other functions are linked", r.Types), Details: r.typeNames})
	}
	return causes
}

// told tells whether the one string was named with the function that uses it.
func (r *Result) told(list []string) bool {
	if len(list) != 1 || len(r.Data) == 0 {
		return false
	}
	want := fmt.Sprintf("%+.60q", list[0])
	for _, f := range r.Data[:min(len(r.Data), maxDetails)] {
		if strings.Contains(f.Data, want) {
			return true
		}
	}
	return false
}

// oneKind explains strings of which every one has a partner that differs in nothing but one kind of value.
func (r *Result) oneKind() ([]tree.Cause, bool) {
	n := len(r.ShippedStrings)
	if n == 0 || n != len(r.RebuiltStrings) || n > maxDetails || r.ShippedObjects+r.RebuiltObjects > 0 {
		return nil, false
	}
	id := ""
	var lines []string
	for i, x := range r.ShippedStrings {
		got, ok := value.Classify(x, r.RebuiltStrings[i])
		if !ok || id != "" && got != id {
			return nil, false
		}
		id = got
		lines = append(lines, fmt.Sprintf("%+.80q shipped, %+.80q rebuilt", x, r.RebuiltStrings[i]))
	}
	c := tree.Cause{ID: id, Text: fmt.Sprintf("%s in nothing but %s: %s", stringsDiffer(n), value.What(id), lines[0]), Details: boundedOf(lines, n), Remedy: value.Remedy(id)}
	return []tree.Cause{c}, true
}

func stringsDiffer(n int) string {
	if n == 1 {
		return "1 string differs"
	}
	return fmt.Sprintf("%d strings differ", n)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if what == "piece of data" {
		return fmt.Sprintf("%d pieces of data", n)
	}
	return fmt.Sprintf("%d %ss", n, what)
}
