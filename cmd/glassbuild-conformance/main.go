// Command glassbuild-conformance speaks the protocol of the Sigstore conformance suite, so that the suite can be held
// against this verifier. It is a test client: its exit code is 0 when the bundle holds and 1 when it does not.
//
//	glassbuild-conformance verify-bundle --bundle F (--certificate-identity I --certificate-oidc-issuer U | --key K) [--trusted-root F] FILE_OR_sha256:DIGEST
package main

import (
	"fmt"
	"io"
	"os"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "glassbuild-conformance:", err)
		os.Exit(1)
	}
}

func run(args []string, _ io.Writer) error {
	if len(args) == 0 {
		return errUsage
	}
	switch args[0] {
	case "verify-bundle":
		return verifyBundle(args[1:])
	}
	return errUsage
}
