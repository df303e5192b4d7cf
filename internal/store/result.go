package store

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// maxResult bounds one result entry.
const maxResult = 64 << 20

const keySize = 32

// Result returns the value that was kept as kind and key. The second value is false when there is none, or when what is
// there was not written by this user's store (see the package comment): it is then removed.
func (s *Store) Result(kind, key string) ([]byte, bool) {
	mac, err := s.authKey()
	if err != nil {
		return nil, false
	}
	path := s.resultPath(kind, key)
	st, err := os.Lstat(path)
	if err != nil || !st.Mode().IsRegular() || st.Size() > maxResult || st.Size() < sha256.Size {
		return nil, false
	}
	data, err := os.ReadFile(path)
	if err != nil || len(data) < sha256.Size {
		return nil, false
	}
	sum, value := data[:sha256.Size], data[sha256.Size:]
	if !hmac.Equal(sum, authenticate(mac, kind, key, value)) {
		os.Remove(path)
		return nil, false
	}
	return value, true
}

// PutResult keeps value as kind and key.
func (s *Store) PutResult(kind, key string, value []byte) error {
	if len(value) > maxResult-sha256.Size {
		return fault.Inconclusivef("result "+kind, "exceeds %d bytes", maxResult)
	}
	mac, err := s.authKey()
	if err != nil {
		return err
	}
	path := s.resultPath(kind, key)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return writeFault(path, err)
	}
	return writeAtomic(path, filepath.Join(s.dir, "tmp"), append(authenticate(mac, kind, key, value), value...))
}

func (s *Store) resultPath(kind, key string) string {
	sum := sha256.Sum256([]byte(key))
	return filepath.Join(s.dir, "results", kind, hex.EncodeToString(sum[:]))
}

// authenticate binds the value to its place: an entry moved to another key does not authenticate.
func authenticate(mac []byte, kind, key string, value []byte) []byte {
	h := hmac.New(sha256.New, mac)
	for _, part := range [][]byte{[]byte(kind), []byte(key), value} {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		h.Write(n[:])
		h.Write(part)
	}
	return h.Sum(nil)
}

// authKey returns the per-user key and makes it at first use.
func (s *Store) authKey() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.key != nil {
		return s.key, nil
	}
	path := filepath.Join(s.dir, "key")
	for range 2 {
		key, err := os.ReadFile(path)
		if err == nil && len(key) == keySize {
			s.key = key
			return key, nil
		}
		if err == nil {
			return nil, fault.Inconclusivef(path, "has %d bytes, want %d", len(key), keySize).WithHint("remove the file; cached results are then made anew")
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, fault.Inconclusivef(path, "%w", err)
		}
		fresh := make([]byte, keySize)
		rand.Read(fresh)
		if err := createOnce(path, filepath.Join(s.dir, "tmp"), fresh); err != nil {
			return nil, err
		}
	}
	return nil, fault.Inconclusivef(path, "could not be created")
}

// createOnce writes path unless it exists: of two processes one wins and both read the same key.
func createOnce(path, tmp string, data []byte) error {
	f, err := writeTemp(tmp, data)
	if err != nil {
		return err
	}
	defer os.Remove(f)
	if err := os.Link(f, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return writeFault(path, err)
	}
	return nil
}

func writeAtomic(path, tmp string, data []byte) error {
	f, err := writeTemp(tmp, data)
	if err != nil {
		return err
	}
	if err := os.Rename(f, path); err != nil {
		os.Remove(f)
		return writeFault(path, err)
	}
	return nil
}

func writeTemp(tmp string, data []byte) (string, error) {
	f, err := os.CreateTemp(tmp, "entry-")
	if err != nil {
		return "", writeFault(tmp, err)
	}
	_, err = f.Write(data)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		os.Remove(f.Name())
		return "", writeFault(tmp, err)
	}
	return f.Name(), nil
}
