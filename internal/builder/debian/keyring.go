package debian

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/ProtonMail/go-crypto/openpgp"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Keyring holds the keys of which one must have signed a Release file.
type Keyring struct{ keys openpgp.EntityList }

// Add reads certificates, binary or armoured, that the user knows as name.
func (k *Keyring) Add(name string, data []byte) error {
	if len(data) > maxKeyring {
		return fault.Usagef(fault.Quote(name), "exceeds limit: %d bytes of keys", len(data))
	}
	read := openpgp.ReadKeyRing
	if bytes.Contains(data, []byte("-----BEGIN PGP")) {
		read = openpgp.ReadArmoredKeyRing
	}
	list, err := read(bytes.NewReader(data))
	if err != nil {
		return fault.Usagef(fault.Quote(name), "no OpenPGP keys: %w", err)
	}
	if k.keys = append(k.keys, list...); len(k.keys) > maxKeys {
		return fault.Usagef(fault.Quote(name), "exceeds limit: more than %d keys", maxKeys)
	}
	return nil
}

// addFile reads a file of the system. One that is not there, or cannot be read by this user, brings no keys, as for apt.
func (k *Keyring) addFile(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil
	}
	if err != nil {
		return fault.Inconclusivef(fault.Quote(path), "%w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxKeyring+1))
	if err != nil {
		return fault.Inconclusivef(fault.Quote(path), "%w", err)
	}
	if len(data) == 0 { // apt leaves an empty trusted.gpg behind
		return nil
	}
	return k.Add(path, data)
}

// Len returns the number of certificates.
func (k *Keyring) Len() int { return len(k.keys) }
