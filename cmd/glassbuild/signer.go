package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/glassbuild/glassbuild/attest"
	"github.com/glassbuild/glassbuild/internal/fault"
)

// signerFlags are the flags of everything that signs.
type signerFlags struct {
	req attest.SignerRequest
}

// register adds the flags. In a command that judges evidence by a trusted root, the one for new bundles has another name.
func (s *signerFlags) register(c *cobra.Command) {
	f := c.Flags()
	root := "trusted-root"
	if f.Lookup(root) != nil {
		root = "signing-trusted-root"
	}
	f.StringVar(&s.req.TrustedRoot, root, "", "verify every bundle that is signed against this trusted root before it is handed out")
	f.StringVar(&s.req.KeyFile, "key", "", "sign with this private key: PEM, or as cosign encrypts it (password from COSIGN_PASSWORD or the terminal)")
	f.StringVar(&s.req.KMS, "kms", "", "sign with a key in a KMS: awskms://, gcpkms://, azurekms://, hashivault://, or any scheme of a program sigstore-kms-SCHEME")
	f.BoolVar(&s.req.Keyless, "keyless", false, "sign with a certificate for the identity of this pipeline, or of who signs in")
	f.StringVar(&s.req.Flow, "sign-in", "", "with --keyless: sign in with a browser, or with a code on another device (browser, device)")
	f.StringVar(&s.req.Config, "signing-config", "", "file with the addresses of certificate authority, logs and timestamp authorities (default: with --keyless what glassbuild trust update stored; a key then signs unwitnessed)")
}

// given tells whether any of the flags was given.
func (s *signerFlags) given() bool {
	r := s.req
	return r.KeyFile != "" || r.KMS != "" || r.Keyless || r.Flow != "" || r.Config != "" || r.TrustedRoot != ""
}

func (s *signerFlags) open(ctx context.Context, a *app) (attest.Signer, error) {
	req := s.req
	if f := req.Flow; f != "" && f != "browser" && f != "device" {
		return nil, fault.Usagef("--sign-in", "%q is not one of browser, device", f)
	}
	if req.Flow != "" && !req.Keyless {
		return nil, fault.Usagef("--sign-in", "is for --keyless")
	}
	req.Password, req.Say = password(a), func(text string) { a.say.say(sayDone, "%s", text) }
	return attest.OpenSigner(ctx, req)
}

// password takes the password of an encrypted key from where cosign takes it, or from the terminal.
func password(a *app) func() ([]byte, error) {
	return func() ([]byte, error) {
		if p, ok := os.LookupEnv("COSIGN_PASSWORD"); ok {
			return []byte(p), nil
		}
		fd := int(os.Stdin.Fd())
		if !term.IsTerminal(fd) {
			return nil, fault.Usagef("--key", "the key is encrypted").WithHint("set COSIGN_PASSWORD")
		}
		fmt.Fprint(a.err, "password of the key: ")
		p, err := term.ReadPassword(fd)
		fmt.Fprintln(a.err)
		return p, err
	}
}
