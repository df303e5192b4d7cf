package pattern_test

import (
	"slices"
	"sync"
	"testing"

	"github.com/glassbuild/glassbuild/internal/pattern"
)

func TestPatternIsTheRegularExpression(t *testing.T) {
	t.Parallel()
	p := pattern.New(`^([a-z]+)-([0-9]+)$`)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if !p.MatchString("go-126") || p.MatchString("go-") {
				t.Error("matches something else")
			}
		})
	}
	all.Wait()
	if m := p.FindStringSubmatch("go-126"); !slices.Equal(m, []string{"go-126", "go", "126"}) {
		t.Errorf("found %q", m)
	}
	if first, again := p.Regexp(), p.Regexp(); first != again {
		t.Error("compiled twice")
	}
}

func TestMalformedPatternIsSeen(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("a pattern that does not compile matched nothing, silently")
		}
	}()
	pattern.New(`(`).MatchString("")
}
