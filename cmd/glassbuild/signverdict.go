package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/verdict"
	"github.com/glassbuild/glassbuild/verify"
)

// signVerdict are the flags of verify that sign its verdict.
type signVerdict struct {
	signer   signerFlags
	on       bool
	bundles  string
	verifier string
	expires  string
}

func (s *signVerdict) register(c *cobra.Command) {
	f := c.Flags()
	f.BoolVar(&s.on, "sign", false, "sign the verdict, passed or failed, and the provenance of the rebuild; rebuilds anew")
	f.StringVar(&s.bundles, "bundle", "", "with --sign: folder for the bundles, or a file NAME.jsonl (default: the current folder)")
	f.StringVar(&s.verifier, "verifier-id", "", "with --sign: who verifies, as a URI (default: glassbuild itself)")
	f.StringVar(&s.expires, "expires", "", "with --sign: day, YYYY-MM-DD, at whose end you stop standing behind the verdict")
	s.signer.register(c)
}

// open makes the signer before anything else is done: a wrong password must not come after an hour of building.
func (s *signVerdict) open(ctx context.Context, a *app) (verify.Sign, error) {
	out := verify.Sign{Bundles: s.bundles, Verifier: s.verifier}
	if !s.on {
		if s.signer.given() || s.bundles != "" || s.verifier != "" || s.expires != "" {
			return out, fault.Usagef("verify", "a signer is named and nothing is to be signed").WithHint("--sign signs the verdict")
		}
		return out, nil
	}
	if s.expires != "" {
		day, err := time.Parse(time.DateOnly, s.expires)
		if err != nil {
			return out, fault.Usagef("--expires", "%q is not a day YYYY-MM-DD", s.expires)
		}
		out.Expires = day.AddDate(0, 0, 1)
	}
	var err error
	out.Signer, err = s.signer.open(ctx, a)
	return out, err
}

// signedVerdict says on stderr what was signed; the report stands alone on stdout.
func (a *app) signedVerdict(res *verify.Result) error {
	if s := res.Signed; s != nil {
		for _, b := range s.Bundles {
			a.say.say(sayDone, "signed %s: %s", b.Predicate, fault.Quote(b.File))
		}
		for _, name := range s.Unsigned {
			a.say.say(sayDone, "not signed yet: %s", fault.Quote(name))
		}
	}
	if res.SignErr != nil && a.code == verdict.ExitFailed { // failed outranks what could not be signed
		a.say.fail(res.SignErr, fault.ClassOf(res.SignErr).String())
		return nil
	}
	return res.SignErr
}
