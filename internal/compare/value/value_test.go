package value_test

import (
	"testing"

	"github.com/glassbuild/glassbuild/internal/compare/tree"
	"github.com/glassbuild/glassbuild/internal/compare/value"
)

func TestClassify(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ a, b, want string }{
		{"built 2026-01-02T03:04:05Z by make", "built 2026-01-03T03:04:06Z by make", tree.CauseTimestamp},
		{"Jan  2 2026", "Nov 22 2026", tree.CauseTimestamp},
		{"Fri Jan  2 03:04:05 UTC 2026", "Sat Jan  3 03:04:05 UTC 2026", tree.CauseTimestamp},
		{"#define STAMP 1700000000", "#define STAMP 1700000001", tree.CauseTimestamp},
		{"Copyright (C) 2022", "Copyright (C) 2026", tree.CauseTimestamp},
		{"/home/ada/src/x.c", "/build/src/x.c", tree.CausePath},
		{`C:\Users\ada\x.c`, `D:\a\_work\x.c`, tree.CausePath},
		{"Linux 6.1 (ada@laptop) gcc", "Linux 6.1 (root@builder7) gcc", tree.CauseUserHost},
		{"Built-By: ada", "Built-By: root", tree.CauseUserHost},
		{"id={6F9619FF-8B86-D011-B42D-00CF4FC964FF}", "id={00000000-8B86-D011-B42D-00CF4FC964FF}", tree.CauseGeneratedID},
		{"size 1,5 MB", "size 1.5 MB", tree.CauseLocale},
		{"f.constprop.deadbeef01", "f.constprop.0123456789", tree.CauseRandomSeed},
		{"virus-one", "virus-two", ""},
		{"limit 7", "limit 9", ""},
		{"2026-01-02 rm -rf", "2026-01-02 ls", ""},
		{"size 1.5", "size 2.5", ""},
		{"same", "same", ""},
	} {
		got, ok := value.Classify(c.a, c.b)
		if got != c.want || ok != (c.want != "") {
			t.Errorf("%q and %q: %q", c.a, c.b, got)
		}
		if back, _ := value.Classify(c.b, c.a); back != got {
			t.Errorf("%q and %q: not symmetric", c.a, c.b)
		}
	}
}
