package code

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/glassbuild/glassbuild/internal/compare/tree"
	"github.com/glassbuild/glassbuild/internal/compare/value"
	"github.com/glassbuild/glassbuild/internal/pattern"
)

// look disassembles the first functions that were changed, those of the program's own module before others.
func (r *Result) look(own string) {
	sortFunctions(r.Changed, own)
	for i := range r.Changed[:min(len(r.Changed), maxViews)] {
		f := &r.Changed[i]
		f.View = r.c.view(f.index[0], f.index[1])
		if x, y, ok := oneNumber(f.View); ok {
			f.Note = fmt.Sprintf("one constant differs: %s shipped, %s rebuilt", x, y)
			if id, ok := value.Classify(x, y); ok && id == tree.CauseTimestamp {
				f.cause = id
				f.Note += ", which look like years"
				if len(x) > 4 {
					f.Note = f.Note[:len(f.Note)-len("years")] + "times"
				}
			}
		}
	}
}

// onlyTimes tells whether every changed function differs in nothing but a number that looks like a time.
func onlyTimes(list []Function) (string, bool) {
	for _, f := range list {
		if f.cause == "" {
			return "", false
		}
	}
	return tree.CauseTimestamp, len(list) > 0
}

var number = pattern.New(`#?(?:0x[0-9a-f]+|\b[0-9]+)\]?$`)

// oneNumber tells whether exactly one instruction differs, in nothing but the number that it ends with.
func oneNumber(view []tree.Line) (x, y string, ok bool) {
	for _, l := range view {
		if l.Same {
			continue
		}
		if ok || l.Shipped == "" || l.Rebuilt == "" {
			return "", "", false
		}
		a, b := number.Regexp().FindString(l.Shipped), number.Regexp().FindString(l.Rebuilt)
		if a == "" || b == "" || l.Shipped[:len(l.Shipped)-len(a)] != l.Rebuilt[:len(l.Rebuilt)-len(b)] {
			return "", "", false
		}
		x, y, ok = decimal(a), decimal(b), true
	}
	return x, y, ok && x != y
}

func decimal(s string) string {
	s = strings.Trim(s, "#]")
	n, err := strconv.ParseUint(s, 0, 64)
	if err != nil {
		return s
	}
	return strconv.FormatUint(n, 10)
}
