package evidence

import (
	"crypto"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Subject is the artefact that evidence must speak about. It may be shared by several calls of Verify.
type Subject struct {
	// Names are the names under which a statement may call the artefact, each exact; none demands no name.
	Names []string
	// Digests are the artefact's digests in lower-case hex by their in-toto names; sha256 is required.
	Digests map[string]string
	// Content opens the artefact. It is read only when evidence binds by another digest than those given, and must then
	// have the sha256 that was given. Nil where only a digest is at hand: then other algorithms cannot be held against it.
	Content func() (io.ReadCloser, error)

	once   sync.Once
	hashed map[string]string
	err    error
}

var errNoContent = errors.New("only a digest of the artefact is at hand")

// digest returns the artefact's digest by one of the algorithms of hashes.
func (s *Subject) digest(algorithm string) (string, error) {
	if d, ok := s.Digests[algorithm]; ok {
		return d, nil
	}
	if s.Content == nil {
		return "", errNoContent
	}
	s.once.Do(func() { s.hashed, s.err = s.read() })
	if s.err != nil {
		return "", s.err
	}
	return s.hashed[algorithm], nil
}

// Sum returns the artefact's digest by sha256, sha384 or sha512 in lower-case hex, "" where only other digests are at hand.
func (s *Subject) Sum(algorithm string) (string, error) {
	sum, err := s.digest(algorithm)
	if errors.Is(err, errNoContent) {
		return "", nil
	}
	return sum, err
}

// read hashes the artefact by every algorithm that binds.
func (s *Subject) read() (map[string]string, error) {
	r, err := s.Content()
	if err != nil {
		return nil, fault.Inconclusivef("artefact", "cannot be read: %w", err)
	}
	defer r.Close()
	sums := map[string]hash.Hash{}
	var writers []io.Writer
	for name, h := range hashes {
		sums[name] = h.New()
		writers = append(writers, sums[name])
	}
	if _, err := io.Copy(io.MultiWriter(writers...), r); err != nil {
		return nil, fault.Inconclusivef("artefact", "cannot be read: %w", err)
	}
	out := map[string]string{}
	for name, h := range sums {
		out[name] = hex.EncodeToString(h.Sum(nil))
	}
	if out["sha256"] != s.Digests["sha256"] {
		return nil, fault.Failf("artefact", "changed while it was read")
	}
	return out, nil
}

// whole returns the artefact itself, for signatures of pure Ed25519, which no digest is enough for.
func (s *Subject) whole() ([]byte, error) {
	if s.Content == nil {
		return nil, errNoContent
	}
	r, err := s.Content()
	if err != nil {
		return nil, fault.Inconclusivef("artefact", "cannot be read: %w", err)
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, MaxContent+1))
	switch {
	case err != nil:
		return nil, fault.Inconclusivef("artefact", "cannot be read: %w", err)
	case len(data) > MaxContent:
		return nil, fault.Failf("artefact", "exceeds %d bytes, too large for a signature of pure Ed25519", MaxContent)
	case hex.EncodeToString(sumOf(crypto.SHA256, data)) != s.Digests["sha256"]:
		return nil, fault.Failf("artefact", "changed while it was read")
	}
	return data, nil
}

// match finds the artefact among the subjects of a statement: by every digest algorithm that binds and that can be
// held against it, and by name where one is demanded.
func (s *Subject) match(subjects []Resource) (*Resource, error) {
	var found []*Resource
	binding := false
	for i := range subjects {
		equal, differs, err := s.compare(&subjects[i])
		if err != nil {
			return nil, err
		}
		binding = binding || len(equal)+len(differs) > 0
		if len(equal) > 0 && len(differs) > 0 {
			return nil, fmt.Errorf("digest algorithms disagree: %s of subject %q is the artefact's, %s is not",
				strings.Join(equal, ", "), cut(subjects[i].Name), strings.Join(differs, ", "))
		}
		if len(equal) > 0 {
			found = append(found, &subjects[i])
		}
	}
	switch {
	case !binding:
		return nil, errors.New("digest algorithms disagree: no subject has a digest by sha256, sha384 or sha512")
	case len(found) == 0:
		return nil, fmt.Errorf("bound to another artefact: none of %d subjects has the digest sha256:%s", len(subjects), s.Digests["sha256"])
	case len(s.Names) == 0:
		return found[0], nil
	}
	for _, f := range found {
		if slices.Contains(s.Names, f.Name) {
			return f, nil
		}
	}
	return nil, fmt.Errorf("subject name differs: %s, want %s", fault.Quote(cut(found[0].Name)), fault.Quote(s.Names[0]))
}

// compare sorts a subject's binding digests into those that are the artefact's and those that are not.
func (s *Subject) compare(r *Resource) (equal, differs []string, err error) {
	for _, algorithm := range []string{"sha256", "sha384", "sha512"} {
		claimed, ok := r.Digest[algorithm]
		if !ok {
			continue
		}
		own, err := s.digest(algorithm)
		if errors.Is(err, errNoContent) {
			if len(equal) == 0 && algorithm != "sha256" && len(r.Digest) == 1 {
				differs = append(differs, algorithm) // binds, but by nothing that is known of the artefact
			}
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		if own == claimed {
			equal = append(equal, algorithm)
		} else {
			differs = append(differs, algorithm)
		}
	}
	return equal, differs, nil
}
