package rebuild

import (
	"context"
	"slices"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Cause is what an experiment showed about why outputs differ from run to run.
type Cause struct {
	// Alone says that the outputs differ though nothing was varied: the wall clock, or chance.
	Alone bool
	// Still says that they do not while the wall clock stands still, which makes it the cause.
	Still   bool
	Factors []string // that change the outputs, each found by switching
	// Base and Other are runs that differ: in Factors alone, or in nothing.
	Base, Other *Result
	Output      string // the first output that differs
	Failed      error  // the other run did not end well, which is a difference too
	Tried       int    // runs
}

// FindCause switches factors one by one, by halves, until it knows which of them change the outputs. The first comparison
// is between two runs in which nothing differs. A nil Cause says that nothing that can be varied changes anything.
func FindCause(ctx context.Context, req Request) (*Outcome, *Cause, error) {
	o := &Outcome{}
	for _, stage := range []func(context.Context, Request) error{o.export, o.prepare, o.fetch} {
		if err := stage(ctx, req); err != nil {
			return o, nil, err
		}
	}
	x := &experiment{o: o, req: req}
	if err := x.begin(ctx); err != nil {
		return o, nil, err
	}
	c, err := x.find(ctx)
	if c != nil {
		c.Tried = x.tried
	}
	return o, c, err
}

// experiment is a search for the factors that change the outputs of a build.
type experiment struct {
	o     *Outcome
	req   Request
	base  *Result
	tried int
}

// begin runs the build as it is.
func (x *experiment) begin(ctx context.Context) (err error) {
	x.tried++
	x.req.Step("looking for causes, run %d: as it is", x.tried)
	x.base, err = x.o.runOnce(ctx, x.req, 0, view{})
	return err
}

// with runs the build with some factors switched, and tells whether its outputs differ from those of the first run.
func (x *experiment) with(ctx context.Context, factors []string) (*Cause, error) {
	x.tried++
	if len(factors) == 0 {
		x.req.Step("looking for causes, run %d: as it is, once more", x.tried)
	} else {
		x.req.Step("looking for causes, run %d: with another %v", x.tried, factors)
	}
	req := x.req
	req.Vary = factors
	r, err := x.o.runOnce(ctx, req, 1, view{})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	c := &Cause{Factors: slices.Clone(factors), Base: x.base, Other: r, Failed: err}
	if err != nil {
		if len(r.Record.Steps) == 0 { // the sandbox, not the build
			return nil, err
		}
		return c, nil
	}
	d, err := disagreement([]*Result{x.base, r}, x.req.Recipe)
	if err != nil || d == nil {
		return nil, err
	}
	c.Output = d.Output
	return c, nil
}

// still tells whether two runs give the same outputs while the wall clock stands still. A build that does not end well then tells nothing.
func (x *experiment) still(ctx context.Context) bool {
	if s, _ := x.o.shim(); s == nil || !slices.Contains(x.req.Vary, "clock") {
		return false
	}
	req := x.req
	req.still, req.Vary = x.base.Record.Started.Unix()+aheadSeconds, nil
	var runs []*Result
	for range 2 {
		x.tried++
		x.req.Step("looking for causes, run %d: while the wall clock stands still", x.tried)
		r, err := x.o.runOnce(ctx, req, 1, view{})
		if err != nil {
			return false
		}
		runs = append(runs, r)
	}
	d, err := disagreement(runs, x.req.Recipe)
	return err == nil && d == nil
}

func (x *experiment) find(ctx context.Context) (*Cause, error) {
	c, err := x.with(ctx, nil)
	if err != nil || c != nil {
		if c == nil {
			return nil, err
		}
		if c.Still = c.Failed == nil && x.still(ctx); c.Still {
			c.Factors = []string{"clock"}
		}
		c.Alone = !c.Still
		return c, ctx.Err()
	}
	var found []string
	var last *Cause
	left := slices.Clone(x.req.Vary)
	for len(left) > 0 {
		c, err := x.with(ctx, left)
		if err != nil {
			return nil, err
		}
		if c == nil {
			break
		}
		cause, err := x.narrow(ctx, c)
		if err != nil {
			return nil, err
		}
		found, last = append(found, cause.Factors...), cause
		left = slices.DeleteFunc(left, func(f string) bool { return slices.Contains(cause.Factors, f) })
	}
	if last == nil || len(last.Factors) == len(found) {
		return last, nil
	}
	return x.with(ctx, found)
}

// narrow halves a set of factors that changes the outputs for as long as one half alone does. Factors that only do so
// together stay together.
func (x *experiment) narrow(ctx context.Context, c *Cause) (*Cause, error) {
	for len(c.Factors) > 1 {
		half := len(c.Factors) / 2
		smaller, err := x.with(ctx, c.Factors[:half])
		if err == nil && smaller == nil {
			smaller, err = x.with(ctx, c.Factors[half:])
		}
		if err != nil {
			return nil, err
		}
		if smaller == nil {
			return c, nil
		}
		c = smaller
	}
	return c, nil
}

// Err is what a failed run of an experiment ended with, for people.
func (c *Cause) Err() string {
	if c.Failed == nil {
		return ""
	}
	return fault.Quote(firstLine(c.Failed))
}
