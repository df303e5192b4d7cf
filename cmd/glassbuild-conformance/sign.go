package main

import (
	"context"
	"errors"
	"flag"
	"os"
	"time"

	"github.com/glassbuild/glassbuild/internal/evidence/sign"
	"github.com/glassbuild/glassbuild/internal/remote"
)

func signBundle(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("sign-bundle", flag.ContinueOnError)
	token := flags.String("identity-token", "", "")
	bundle := flags.String("bundle", "", "")
	statement := flags.Bool("in-toto", false, "")
	root := flags.String("trusted-root", os.Getenv("GLASSBUILD_TRUSTED_ROOT"), "")
	config := flags.String("signing-config", os.Getenv("GLASSBUILD_SIGNING_CONFIG"), "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 || *bundle == "" || *token == "" {
		return errUsage
	}
	if *config == "" {
		return errors.New("no signing config: name one with --signing-config or GLASSBUILD_SIGNING_CONFIG")
	}
	opt := sign.Options{Token: func(context.Context) (string, error) { return *token, nil }}
	var err error
	if opt.Config, err = sign.LoadConfig(*config, time.Now()); err != nil {
		return err
	}
	if *root != "" {
		if opt.TrustedRoot, err = os.ReadFile(*root); err != nil {
			return err
		}
	}
	if opt.Remote, err = remote.New(remote.Options{}); err != nil {
		return err
	}
	signer, err := sign.New(opt)
	if err != nil {
		return err
	}
	content, err := os.ReadFile(flags.Arg(0))
	if err != nil {
		return err
	}
	make := signer.Message
	if *statement {
		make = signer.Statement
	}
	made, err := make(ctx, content)
	if err != nil {
		return err
	}
	return os.WriteFile(*bundle, made, 0o644)
}
