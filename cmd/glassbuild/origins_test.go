package main

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/glassbuild/glassbuild/internal/verdict"
)

// originOf is "origin FILE OUTPUT BY SOURCE…": in the verdict in FILE the output says, by exactly that, that exactly these files of the
// source are in it, and no name of it leads nowhere or to a file that was not read.
func originOf(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: origin FILE OUTPUT BY SOURCE…")
	}
	var v verdict.Verdict
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &v))
	if problem := originProblem(v, args[1], args[2], args[3:]); problem != "" {
		ts.Fatalf("%s", problem)
	}
}

// originProblem says in which way a rebuilt file does not say of its source what it should.
func originProblem(v verdict.Verdict, output, by string, source []string) string {
	if v.Rebuild == nil {
		return "nothing was rebuilt"
	}
	i := slices.IndexFunc(v.Rebuild.Origins, func(o verdict.Origin) bool { return slices.Contains(o.Names, output) })
	if i < 0 {
		return output + " is not among the origins"
	}
	o := v.Rebuild.Origins[i]
	var names []string
	for _, f := range o.Source {
		names = append(names, f.Name)
		if len(f.SHA256) != 64 {
			return f.Name + " has no digest"
		}
	}
	switch {
	case strings.Join(o.By, ",") != by:
		return output + " says so by " + strings.Join(o.By, ",")
	case !slices.Equal(names, source):
		return output + " names " + strings.Join(names, " ")
	case len(o.Unread)+len(o.Unknown) > 0:
		return output + " names what is not there: " + strings.Join(slices.Concat(o.Unread, o.Unknown), " ")
	}
	return ""
}
