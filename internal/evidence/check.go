package evidence

import (
	"runtime"
	"sync"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Outcome is what became of several pieces of evidence. The zero value, in which nothing was verified, holds nothing.
type Outcome struct {
	Verified []*Verified // in the order of the bundles
	Refused  []error     // one for each bundle that does not hold
}

// Holds tells whether at least one piece of evidence holds. It is not yet a verdict: what the policy demands of the
// statements is still to be asked.
func (o *Outcome) Holds() bool { return o != nil && len(o.Verified) > 0 }

// Err returns nil when Holds, else why not: the first refusal, or that there was no evidence at all.
func (o *Outcome) Err() error {
	switch {
	case o.Holds():
		return nil
	case o != nil && len(o.Refused) > 0:
		return o.Refused[0]
	}
	return fault.Failf("evidence", "there is none: nothing was verified")
}

// Check verifies bundles side by side, each on its own: a bad one takes nothing from a good one and adds nothing to it.
// A usage error of the options is returned as such.
func Check(bundles []*Bundle, opt Options) (*Outcome, error) {
	if err := opt.check(); err != nil {
		return nil, err
	}
	verified, refused := make([]*Verified, len(bundles)), make([]error, len(bundles))
	each(len(bundles), func(i int) { verified[i], refused[i] = Verify(bundles[i], opt) })
	out := &Outcome{}
	for i := range bundles {
		if refused[i] != nil || verified[i] == nil {
			out.Refused = append(out.Refused, refused[i])
			continue
		}
		out.Verified = append(out.Verified, verified[i])
	}
	return out, nil
}

// each calls do for 0 to n-1 from as many goroutines as there are processors.
func each(n int, do func(int)) {
	workers := min(n, runtime.GOMAXPROCS(0))
	if workers <= 1 {
		for i := range n {
			do(i)
		}
		return
	}
	var wg sync.WaitGroup
	next := make(chan int)
	for range workers {
		wg.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}
