package verify

import (
	"slices"
	"testing"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/recipe"
)

// TestClaims holds down which output is compared with what: an output that is compared with the wrong thing fails an honest
// release, and one that is compared with nothing hides a dishonest one.
func TestClaims(t *testing.T) {
	t.Parallel()
	tool := &artifact.Member{Path: "bin/tool", Type: artifact.File}
	archive := func(name string) *artifact.Artifact {
		return &artifact.Artifact{Name: name, Root: &artifact.Member{Type: artifact.File, Members: []*artifact.Member{tool}}}
	}
	plain := &artifact.Artifact{Name: "tool", Root: &artifact.Member{Type: artifact.File}}
	out := func(output, member string) recipe.Artifact { return recipe.Artifact{Output: output, Member: member} }
	for name, tc := range map[string]struct {
		list    []recipe.Artifact
		shipped *artifact.Artifact
		member  bool
		want    []string // output=member
		usage   bool
	}{
		"the only output":                     {list: []recipe.Artifact{out("x", "")}, shipped: plain, want: []string{"x="}},
		"one of several, by name":             {list: []recipe.Artifact{out("other", ""), out("d/tool", "")}, shipped: plain, want: []string{"d/tool="}},
		"one of several, none of that name":   {list: []recipe.Artifact{out("a", ""), out("b", "")}, shipped: plain, usage: true},
		"a member":                            {list: []recipe.Artifact{out("tool", "bin/tool")}, shipped: archive("r.tgz"), want: []string{"tool=bin/tool"}},
		"a member and the container":          {list: []recipe.Artifact{out("tool", "bin/tool"), out("r.tgz", "")}, shipped: archive("r.tgz"), want: []string{"tool=bin/tool", "r.tgz="}},
		"a member, not a plain file":          {list: []recipe.Artifact{out("tool", "bin/tool"), out("tool", "")}, shipped: archive("r.tgz"), want: []string{"tool=bin/tool"}},
		"a member that is not there":          {list: []recipe.Artifact{out("tool", "bin/none")}, shipped: archive("r.tgz")},
		"one member judged, by its place":     {list: []recipe.Artifact{out("a", "bin/other"), out("b", "bin/tool")}, shipped: archive("r.tgz"), member: true, want: []string{"b=bin/tool"}},
		"one member judged, by its name":      {list: []recipe.Artifact{out("a", ""), out("tool", "")}, shipped: archive("r.tgz"), member: true, want: []string{"tool=bin/tool"}},
		"one member judged, by being alone":   {list: []recipe.Artifact{out("a", "")}, shipped: archive("r.tgz"), member: true, want: []string{"a=bin/tool"}},
		"one member judged, no output for it": {list: []recipe.Artifact{out("a", "bin/other")}, shipped: archive("r.tgz"), member: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			subject := tc.shipped.Root
			if tc.member {
				subject = tool
			}
			got, err := claims(tc.list, tc.shipped, subject)
			if tc.usage {
				if fault.ClassOf(err) != fault.Usage || err == nil {
					t.Fatal(got, err)
				}
				return
			}
			var have []string
			for _, c := range got {
				have = append(have, c.artifact.Output+"="+c.member)
			}
			if err != nil || !slices.Equal(have, tc.want) {
				t.Fatalf("%q, want %q; %v", have, tc.want, err)
			}
		})
	}
}
