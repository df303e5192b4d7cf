package rebuild

import (
	"bufio"
	"io"
	"os"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/recipe"
)

// Disagreement is the first difference between two runs.
type Disagreement struct {
	Output string
	Offset int64 // of the first differing byte; the shorter length where one is a prefix of the other
	Count  int64 // differing bytes, the surplus of the longer one included
	Runs   [2]int
}

// disagreement holds every run against the first, output by output in the recipe's order.
func disagreement(runs []*Result, r *recipe.Recipe) (*Disagreement, error) {
	if len(runs) < 2 {
		return nil, fault.Inconclusivef("rebuild", "%d runs show nothing about reproducibility", len(runs)).WithCheck(checkSteps)
	}
	for n, other := range runs[1:] {
		for i, a := range r.Artifacts {
			x, y := runs[0].Outputs[i], other.Outputs[i]
			if x.SHA256 == y.SHA256 && x.Size == y.Size {
				continue
			}
			first, count, err := differ(runs[0].Path(a.Output), other.Path(a.Output))
			if err != nil {
				return nil, fault.Inconclusivef(fault.Quote(a.Output), "%w", err)
			}
			return &Disagreement{Output: a.Output, Offset: first, Count: count, Runs: [2]int{1, n + 2}}, nil
		}
	}
	return nil, nil
}

// differ returns the offset of the first differing byte and how many differ.
func differ(a, b string) (first, count int64, err error) {
	fa, err := os.Open(a)
	if err != nil {
		return 0, 0, err
	}
	defer fa.Close()
	fb, err := os.Open(b)
	if err != nil {
		return 0, 0, err
	}
	defer fb.Close()
	ra, rb := bufio.NewReaderSize(fa, 1<<16), bufio.NewReaderSize(fb, 1<<16)
	first = -1
	for off := int64(0); ; off++ {
		x, ex := ra.ReadByte()
		y, ey := rb.ReadByte()
		switch {
		case ex == io.EOF && ey == io.EOF:
			return first, count, nil
		case ex != nil && ex != io.EOF:
			return 0, 0, ex
		case ey != nil && ey != io.EOF:
			return 0, 0, ey
		case ex != nil || ey != nil || x != y:
			if first < 0 {
				first = off
			}
			count++
		}
	}
}
