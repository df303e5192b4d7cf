package verify

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/signature"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// listNamespace is what an SSH signature over a file names (ssh-keygen -Y sign -n file).
const listNamespace = "file"

// signatureSuffixes are what is added to the name of a list for a signature of it: OpenPGP with or without armour, SSH, CMS,
// and what minisign writes, which no policy can name.
var signatureSuffixes = []string{".asc", ".sig", ".gpg", ".sign", ".sshsig", ".minisig"}

// bundleSuffixes are what is added for a Sigstore bundle.
var bundleSuffixes = []string{".sigstore.json", ".sigstore", ".bundle"}

// detachedOf lists the signatures that lie beside a list.
func (l *digestList) detachedOf(suffixes []string) []string {
	var out []string
	for _, s := range suffixes {
		if st, err := os.Lstat(l.file + s); err == nil && st.Mode().IsRegular() {
			out = append(out, l.file+s)
		}
	}
	return out
}

// judgeLists says who signed each list, over the very bytes that were read as one. A signature that holds under no principal of the
// policy is reported, and is no trust.
func (l *release) judgeLists() error {
	for i, list := range l.lists {
		var found []verdict.ListSignature
		for _, file := range list.detachedOf(signatureSuffixes) {
			data, err := readDetached(file)
			if err != nil {
				return err
			}
			found = append(found, listSignature(file, data, l.detachedSignature(list.data, data)))
		}
		for _, file := range list.detachedOf(bundleSuffixes) {
			more, err := l.bundled(list, file)
			if err != nil {
				return err
			}
			found = append(found, more...)
		}
		l.facts.Release.Lists[i].Signatures = found
		list.data = nil
	}
	return nil
}

func listSignature(file string, data []byte, s verdict.Signature) verdict.ListSignature {
	return verdict.ListSignature{Name: filepath.Base(file), SHA256: digestOf(data), Signature: s}
}

// readDetached reads a file with a signature; one that is too large is read as far as that shows.
func readDetached(file string) ([]byte, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, signature.MaxArmour+1))
}

// detachedSignature holds one signature against the policy's principals.
func (l *release) detachedSignature(payload, sig []byte) verdict.Signature {
	opt := signature.Options{Keys: l.policy.Trust, Namespace: listNamespace, Now: l.now, Authorities: l.authorities}
	if l.roots != nil {
		opt.TrustedTime = l.witnessed
	}
	if onePacket(sig) {
		return embeddedSigner(signature.VerifyPackets(payload, sig, opt))
	}
	return embeddedSigner(signature.Verify(payload, bytes.TrimLeft(sig, "\r\n"), opt))
}

// bundled judges what a file of bundles says about the bytes of a list: signatures over them, and statements about them do not count.
func (l *release) bundled(list *digestList, file string) ([]verdict.ListSignature, error) {
	data, err := evidence.ReadFile(file)
	if err != nil {
		return nil, err
	}
	bundles, err := evidence.ParseAll(filepath.Base(file), data)
	if err != nil {
		return []verdict.ListSignature{listSignature(file, data, verdict.Signature{Status: string(signature.StatusBad), Kind: "sigstore", Detail: err.Error()})}, nil
	}
	opt := evidence.Options{Trust: l.policy.Trust, Roots: l.roots, Now: l.now, Expect: evidence.Expect{Message: true}, Require: evidence.Require{NoLog: l.roots == nil},
		Subject: &evidence.Subject{Digests: map[string]string{"sha256": list.sum}, Content: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(list.data)), nil }}}
	if p := l.policy.Provenance; p != nil {
		opt.Require = requirement(p.Witness)
	}
	var out []verdict.ListSignature
	for _, b := range bundles {
		v, err := evidence.Verify(b, opt)
		if err != nil {
			out = append(out, listSignature(file, data, verdict.Signature{Status: string(signature.StatusBad), Kind: "sigstore", Detail: strings.TrimPrefix(err.Error(), ": ")}))
			continue
		}
		for _, s := range v.Signers() {
			out = append(out, listSignature(file, data, verdict.Signature{Status: string(signature.StatusGood), Kind: "sigstore", Signer: s.Principal, Platform: s.Platform, Key: s.Key}))
		}
	}
	return out, nil
}

// onePacket tells whether data is one OpenPGP signature packet and nothing else (RFC 9580, 4.2).
func onePacket(data []byte) bool {
	if len(data) < 4 {
		return false
	}
	head, length := 0, 0
	switch {
	case data[0] == 0x88: // the form of RFC 1991, with lengths of one, two and four octets
		head, length = 2, int(data[1])
	case data[0] == 0x89:
		head, length = 3, int(data[1])<<8|int(data[2])
	case data[0] == 0xc2 && data[1] < 192:
		head, length = 2, int(data[1])
	case data[0] == 0xc2 && data[1] < 224:
		head, length = 3, (int(data[1])-192)<<8+int(data[2])+192
	default:
		return false
	}
	return head+length == len(data)
}
