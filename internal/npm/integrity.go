package npm

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"hash"
	"io"
	"slices"
	"strings"
)

// strength orders the algorithms of https://www.w3.org/TR/SRI/; SHA-1 proves nothing.
var strength = []struct {
	name string
	new  func() hash.Hash
}{{"sha512-", sha512.New}, {"sha384-", sha512.New384}, {"sha256-", sha256.New}}

// Holds reads r and tells whether it has one of the strongest digests of an integrity string. A string that holds none of SHA-256
// or better is not strong, and nothing is read.
func Holds(integrity string, r io.Reader) (good, strong bool, err error) {
	for _, alg := range strength {
		var sums []string
		for word := range strings.FieldsSeq(integrity) {
			if sum, ok := strings.CutPrefix(word, alg.name); ok {
				sum, _, _ = strings.Cut(sum, "?")
				sums = append(sums, sum)
			}
		}
		if len(sums) == 0 {
			continue
		}
		h := alg.new()
		if _, err := io.Copy(h, r); err != nil {
			return false, true, err
		}
		return slices.Contains(sums, base64.StdEncoding.EncodeToString(h.Sum(nil))), true, nil
	}
	return false, false, nil
}

// Integrity returns the SHA-512 of r as npm writes it.
func Integrity(r io.Reader) (string, error) {
	h := sha512.New()
	if _, err := io.Copy(h, r); err != nil {
		return "", err
	}
	return strength[0].name + base64.StdEncoding.EncodeToString(h.Sum(nil)), nil
}

// Strong tells whether an integrity string is exactly one SHA-512, as a lock names it.
func Strong(integrity string) bool {
	sum, ok := strings.CutPrefix(integrity, strength[0].name)
	raw, err := base64.StdEncoding.DecodeString(sum)
	return ok && err == nil && len(raw) == sha512.Size
}
