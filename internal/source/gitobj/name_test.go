package gitobj

import "testing"

func TestRepositoryFolder(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		".git": true, ".Git": true, ".git ": true, ".git.": true, ".git . .": true, "git~1": true, "GIT~1 .": true,
		".git:stream": true, ".git::$INDEX_ALLOCATION": true, "git~1:x": true, ".gi\u200ct": true, "\u200e.git\ufeff": true, ".\u206agIt": true,
		"git": false, ".gitx": false, ".github": false, ".gitmodules": false, "git~2": false, "git~10": false, "x.git": false, " .git": false,
		".g\u00eft": false, "..git": false, "": false,
	} {
		if got := RepositoryFolder(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	empty := map[Format]string{SHA1: "4b825dc642cb6eb9a060e54bf8d69288fbee4904", SHA256: "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321"}
	for f, want := range empty {
		id, collision := HashObject(f, Tree, nil)
		if id.String() != want || collision || id.Format() != f {
			t.Errorf("%v: %v", f, id)
		}
		if parsed, ok := ParseID(want); !ok || parsed != id {
			t.Errorf("%v does not come back", want)
		}
	}
	for _, bad := range []string{"", "4b82", "4B825DC642CB6EB9A060E54BF8D69288FBEE4904", empty[SHA1] + "0", empty[SHA1][1:] + "g"} {
		if _, ok := ParseID(bad); ok {
			t.Errorf("%q is an id", bad)
		}
	}
	if (ID{}).Format() != 0 || !(ID{}).IsZero() {
		t.Error("the zero id names something")
	}
}
