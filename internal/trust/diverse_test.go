package trust

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestSatisfiedDiverse(t *testing.T) {
	t.Parallel()
	people := []Principal{}
	for i, a := range []struct{ org, kernel string }{{"A", "linux"}, {"B", "linux"}, {"C", "bsd"}, {"a", "bsd"}, {"E", ""}} {
		attributes := map[string]string{"organisation": a.org}
		if a.kernel != "" {
			attributes["kernel"] = a.kernel
		}
		people = append(people, Principal{Name: fmt.Sprint("p", i), Identity: fmt.Sprintf("p%d@example.org", i), Issuer: "https://i.example", Attributes: attributes})
	}
	tr, err := New(people, []Group{{Name: "inner", Members: []string{"p0", "p1"}, Threshold: Any()}, {Name: "all", Members: []string{"inner", "p2", "p3", "p4"}, Threshold: AtLeast(2)}})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		who, attributes string
		want            bool
	}{
		{"p0 p2", "", true}, {"p0", "", false}, {"p0 p1", "", false}, // both sit in one seat
		{"p0 p2", "kernel", true}, {"p1 p2", "organisation kernel", true}, {"p2 p3", "kernel", false}, {"p2 p3", "organisation", true},
		{"p0 p3", "organisation", false}, // a and A are one house
		{"p0 p3 p2", "organisation kernel", true}, {"p0 p4", "kernel", false}, {"p0 p4", "organisation", true}, {"p0 p0 p0", "kernel", false}, {"p0 stranger", "kernel", false},
	} {
		if ok, why := tr.SatisfiedDiverse("all", strings.Fields(tc.who), strings.Fields(tc.attributes)); ok != tc.want {
			t.Errorf("%s, differing in %q: %t (%s)", tc.who, tc.attributes, ok, why)
		}
	}
	if got := tr.Members("all"); !slices.Equal(got, []string{"p0", "p1", "p2", "p3", "p4"}) {
		t.Errorf("members %v", got)
	}
	if len(tr.Members("nobody")) != 0 || len((*Trust)(nil).Members("all")) != 0 || !slices.Equal(tr.Members("p1"), []string{"p1"}) {
		t.Error("members of nobody")
	}
}
