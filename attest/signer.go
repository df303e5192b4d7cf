package attest

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/glassbuild/glassbuild/internal/evidence/sign"
	"github.com/glassbuild/glassbuild/internal/evidence/trustroot"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/remote"
	"github.com/glassbuild/glassbuild/internal/store"
)

// SignerRequest says who signs and who witnesses it. Exactly one of KeyFile, KMS and Keyless is set.
type SignerRequest struct {
	KeyFile string // PEM: PKCS #8, PKCS #1, SEC 1, or as cosign encrypts it
	KMS     string // gcpkms://, awskms://, azurekms://, hashivault:// or any scheme that sigstore-kms-SCHEME serves
	Keyless bool   // a certificate for the identity of the pipeline, or of a person who signs in

	// Flow is how a person signs in where no pipeline gives a token: sign.Browser or sign.Device; "" is not at all.
	Flow string
	// Config is a signing config: the only place where addresses of services come from. For Keyless, "" is the one that
	// was stored with the trusted root, see verify.UpdateTrust; for a key, "" asks nobody.
	Config string
	// TrustedRoot is what every bundle is verified against before it is handed out. With a stored Config, "" is the root
	// that was stored beside it; else it leaves that to others.
	TrustedRoot string
	// DataDir is where they are stored; "" is the user's data folder.
	DataDir string
	// Password is asked for only when a key is encrypted.
	Password func() ([]byte, error)
	// Say tells a person what to do.
	Say func(string)
	// Remote opens the connections; nil makes one.
	Remote *remote.Client
}

// OpenSigner makes a signer. Keys, passwords and configs are read here; no service is asked yet, but for a KMS.
func OpenSigner(ctx context.Context, req SignerRequest) (Signer, error) {
	if err := req.stored(); err != nil {
		return nil, err
	}
	opt, err := req.options()
	if err != nil {
		return nil, err
	}
	switch {
	case req.KeyFile != "":
		opt.Key, err = sign.LoadKey(req.KeyFile, req.Password)
	case req.KMS != "":
		opt.Key, err = sign.OpenKMS(ctx, req.KMS)
	default:
		opt.Token = req.token(opt)
	}
	if err != nil {
		return nil, err
	}
	return sign.New(opt)
}

// stored takes for a keyless signer what was fetched through TUF, where nothing else is named.
func (req *SignerRequest) stored() error {
	if !req.Keyless || req.Config != "" || req.KeyFile != "" || req.KMS != "" {
		return nil
	}
	dir := req.DataDir
	if dir == "" {
		var err error
		if dir, err = store.DataDir(); err != nil {
			return err
		}
	}
	config := filepath.Join(dir, trustroot.StoredConfig)
	if _, err := os.Stat(config); err != nil {
		return fault.Usagef("signer", "keyless signing needs a signing config").WithHint("name one with --signing-config; glassbuild trust update fetches that of the public instance, once")
	}
	req.Config = config
	if root := filepath.Join(dir, trustroot.StoredRoot); req.TrustedRoot == "" {
		req.TrustedRoot = root
	}
	return nil
}

func (req SignerRequest) options() (sign.Options, error) {
	opt := sign.Options{Remote: req.Remote}
	chosen := 0
	for _, set := range []bool{req.KeyFile != "", req.KMS != "", req.Keyless} {
		if set {
			chosen++
		}
	}
	switch {
	case chosen == 0:
		return opt, fault.Usagef("signer", "nothing to sign with").WithHint("--key FILE, --kms URI or --keyless")
	case chosen > 1:
		return opt, fault.Usagef("signer", "more than one way to sign").WithHint("choose one of --key, --kms and --keyless")
	}
	var err error
	if opt.Remote == nil {
		if opt.Remote, err = remote.New(remote.Options{Netrc: remote.DefaultNetrc()}); err != nil {
			return opt, err
		}
	}
	if req.Config != "" {
		if opt.Config, err = sign.LoadConfig(req.Config, time.Now()); err != nil {
			return opt, err
		}
	}
	if req.TrustedRoot != "" {
		if opt.TrustedRoot, err = os.ReadFile(req.TrustedRoot); err != nil {
			return opt, fault.Usagef(fault.Quote(req.TrustedRoot), "cannot be read: %w", bare(err))
		}
	}
	return opt, nil
}

// token takes the pipeline's identity, anew for every statement, or lets a person sign in once.
func (req SignerRequest) token(opt sign.Options) func(context.Context) (string, error) {
	if req.Flow == "" {
		return func(ctx context.Context) (string, error) {
			token, _, err := sign.System(opt.Remote).Ambient(ctx)
			return token, err
		}
	}
	var got string
	return func(context.Context) (string, error) {
		if got != "" {
			return got, nil
		}
		issuer, err := opt.Config.Issuer()
		if err != nil {
			return "", err
		}
		got, err = sign.Interactive(issuer, sign.Flow(req.Flow), req.Say)
		return got, err
	}
}
