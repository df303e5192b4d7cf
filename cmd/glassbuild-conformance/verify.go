package main

import (
	"context"
	"errors"
	"flag"
	"os"

	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/verify"
)

func verifyBundle(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("verify-bundle", flag.ContinueOnError)
	bundle := flags.String("bundle", "", "")
	identity := flags.String("certificate-identity", "", "")
	issuer := flags.String("certificate-oidc-issuer", "", "")
	key := flags.String("key", "", "")
	root := flags.String("trusted-root", os.Getenv("GLASSBUILD_TRUSTED_ROOT"), "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 || *bundle == "" {
		return errUsage
	}
	if *root == "" {
		return errors.New("no trusted root: name one with --trusted-root or GLASSBUILD_TRUSTED_ROOT")
	}
	types, err := claimedTypes(*bundle)
	if err != nil {
		return err
	}
	var verdict verify.Verdict
	tally, err := verify.Check(ctx, verify.CheckRequest{Subjects: []string{flags.Arg(0)}, Evidence: []string{*bundle}, TrustedRoot: *root,
		Gate: &verify.Gate{Key: *key, Identity: *identity, Issuer: *issuer, Types: types}}, func(v verify.Verdict) error {
		verdict = v
		return nil
	})
	if err != nil {
		return err
	}
	if tally.ExitCode() != 0 {
		return errors.New(verdict.Summary)
	}
	return nil
}

// claimedTypes names what the bundle says it is: the suite names no predicate type, so whichever the statement claims is
// the expected one.
func claimedTypes(bundle string) ([]string, error) {
	data, err := evidence.ReadFile(bundle)
	if err != nil {
		return nil, err
	}
	b, err := evidence.Parse(bundle, data)
	if err != nil {
		return nil, err
	}
	if claimed := b.Hint().Predicate; claimed != "" {
		return []string{claimed}, nil
	}
	return []string{"message"}, nil
}
