package fetchproxy

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/npm"
)

// Integrity is what a package lock says of one fetched tarball. The zero value is not good.
type Integrity struct {
	Path   string          `json:"path"`
	Status IntegrityStatus `json:"status"`
	Detail string          `json:"detail,omitempty"`
}

// IntegrityStatus is one of the four constants.
type IntegrityStatus string

const (
	Locked   IntegrityStatus = "locked"   // the lock has its SHA-256, SHA-384 or SHA-512, and it is right
	Named    IntegrityStatus = "named"    // the lock has its exact version, and no digest of it or only a SHA-1: the registry's word counts
	Unlocked IntegrityStatus = "unlocked" // the lock does not name it
	Mismatch IntegrityStatus = "mismatch" // the lock has another digest
)

// CheckPackageLock compares every tarball of a closure with a package-lock.json or npm-shrinkwrap.json (lockfileVersion 1 to 3). A
// fetch step may have told npm not to look.
func CheckPackageLock(lock []byte, c *Closure, blobs Blobs) ([]Integrity, error) {
	want, err := lockedTarballs(lock)
	if err != nil {
		return nil, err
	}
	out := []Integrity{}
	for _, e := range c.Entries {
		if c.Ecosystem != "npm" || !strings.Contains(e.Path, "/-/") {
			continue
		}
		f, err := blobs.OpenBlob(e.SHA256)
		if err != nil {
			return nil, err
		}
		got, err := checkIntegrity(want[e.Path], f)
		f.Close()
		if err != nil {
			return nil, fault.Inconclusivef(fault.Quote(e.Path), "%w", err)
		}
		got.Path = e.Path
		out = append(out, got)
	}
	return out, nil
}

// lockedTarballs returns the integrity strings of each tarball that a lock names.
func lockedTarballs(data []byte) (map[string][]string, error) {
	if len(data) > maxPackageLock {
		return nil, fault.Failf("package lock", "exceeds %d bytes", maxPackageLock)
	}
	var doc map[string]json.RawMessage // exact keys: struct fields would also match other letter case
	if err := json.Unmarshal(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), &doc); err != nil {
		return nil, fault.Failf("package lock", "malformed: %w", err)
	}
	l := tarballLock{}
	if err := l.packages(doc["packages"]); err != nil {
		return nil, fault.Failf("package lock", "malformed: %w", err)
	}
	if doc["packages"] == nil { // otherwise only there for older versions of npm
		if err := l.dependencies(doc["dependencies"], 0); err != nil {
			return nil, fault.Failf("package lock", "malformed: %w", err)
		}
	}
	return l, nil
}

type tarballLock map[string][]string

// lockEntry has the fields that both forms of the lock share.
type lockEntry map[string]json.RawMessage

func (e lockEntry) text(key string) string {
	var s string
	if json.Unmarshal(e[key], &s) != nil {
		return ""
	}
	return s
}

func (l tarballLock) add(name string, e lockEntry) {
	if version := e.text("version"); version != "" && npm.ValidName(name) {
		p := npm.TarballPath(name, version)
		if sum := e.text("integrity"); !slices.Contains(l[p], sum) {
			l[p] = append(l[p], sum)
		}
	}
}

func (l tarballLock) packages(raw json.RawMessage) error {
	if raw == nil {
		return nil
	}
	var list map[string]lockEntry
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	for key, e := range list {
		name := e.text("name") // of an alias
		if i := strings.LastIndex(key, "node_modules/"); name == "" && i >= 0 {
			name = key[i+len("node_modules/"):]
		}
		l.add(name, e)
	}
	return nil
}

const maxLockDepth = 100

func (l tarballLock) dependencies(raw json.RawMessage, depth int) error {
	if raw == nil {
		return nil
	}
	if depth > maxLockDepth {
		return fault.Failf("dependencies", "nested more than %d deep", maxLockDepth)
	}
	var list map[string]lockEntry
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	for name, e := range list {
		l.add(name, e)
		if err := l.dependencies(e["dependencies"], depth+1); err != nil {
			return err
		}
	}
	return nil
}

// checkIntegrity holds a tarball against every integrity string that the lock has for it: all must agree.
func checkIntegrity(want []string, f *os.File) (Integrity, error) {
	if len(want) == 0 {
		return Integrity{Status: Unlocked, Detail: "not in the lock"}, nil
	}
	out := Integrity{Status: Locked}
	for _, text := range want {
		status, err := checkOne(text, f)
		if err != nil {
			return Integrity{Status: status}, err
		}
		if status == Mismatch || status == Named && out.Status == Locked {
			out = Integrity{Status: status, Detail: "the lock says " + fault.Quote(text)}
		}
		if status == Mismatch {
			break
		}
	}
	return out, nil
}

// checkOne holds a tarball against the strongest digest of an integrity string; SHA-1 proves nothing.
func checkOne(text string, f *os.File) (IntegrityStatus, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return Unlocked, err
	}
	good, strong, err := npm.Holds(text, f)
	switch {
	case err != nil || !strong:
		return Named, err
	case good:
		return Locked, nil
	}
	return Mismatch, nil
}
