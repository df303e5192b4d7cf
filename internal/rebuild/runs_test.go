package rebuild

import (
	"errors"
	"testing"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// TestFirstOf: which of two failing runs is named does not depend on which of them failed first.
func TestFirstOf(t *testing.T) {
	t.Parallel()
	one := fault.Inconclusivef("step 1", "exit code 1").WithHint("look")
	two := fault.Inconclusivef("step 2", "exit code 2").WithHint("look")
	for _, c := range []struct {
		name       string
		errs       []error
		want, hint string
	}{
		{"none", []error{nil, nil}, "", ""},
		{"both", []error{one, two}, "step 1: exit code 1", "look"},
		{"second only", []error{nil, two}, "step 2: exit code 2", "run 2 failed and run 1 did not: the build depends on something that is varied between runs; --keep DIR leaves both logs"},
	} {
		err := firstOf(c.errs)
		var f *fault.Error
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if !errors.As(err, &f) || f.Error() != c.want || f.Hint != c.hint {
			t.Errorf("%s: %v, hint %q", c.name, err, f.Hint)
		}
	}
}
