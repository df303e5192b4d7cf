// Command glassbuild-conformance speaks the protocol of the Sigstore conformance suite, so that the suite can be held
// against this program. It is a test client: its exit code is 0 when a bundle holds, or was made, and 1 otherwise.
//
//	glassbuild-conformance verify-bundle --bundle F (--certificate-identity I --certificate-oidc-issuer U | --key K) [--trusted-root F] FILE_OR_sha256:DIGEST
//	glassbuild-conformance sign-bundle --identity-token T --bundle F [--in-toto] [--trusted-root F] [--signing-config F] FILE
//
// The suite may leave out the trusted root and the signing config; GLASSBUILD_TRUSTED_ROOT and GLASSBUILD_SIGNING_CONFIG
// then name them. Neither is ever fetched.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "glassbuild-conformance:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("usage: verify-bundle --bundle F (--certificate-identity I --certificate-oidc-issuer U | --key K) [--trusted-root F] FILE_OR_sha256:DIGEST\n" +
	"       sign-bundle --identity-token T --bundle F [--in-toto] [--trusted-root F] [--signing-config F] FILE")

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errUsage
	}
	switch args[0] {
	case "verify-bundle":
		return verifyBundle(ctx, args[1:])
	case "sign-bundle":
		return signBundle(ctx, args[1:])
	}
	return errUsage
}
