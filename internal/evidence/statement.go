package evidence

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/evidence/strictjson"
)

// Statement types that are read; the first is also written.
const (
	StatementV1  = "https://in-toto.io/Statement/v1"
	StatementV01 = "https://in-toto.io/Statement/v0.1"
)

// Statement is an in-toto statement (in-toto/attestation, spec/v1/statement.md). Only a Verified value hands one out.
type Statement struct {
	Type          string     `json:"_type"`
	Subject       []Resource `json:"subject"`
	PredicateType string     `json:"predicateType"`
	Predicate     []byte     `json:"-"` // JSON, as it was signed

	predicate strictjson.Value
	sum       string // digest of the payload
}

// Resource is a ResourceDescriptor: a subject, a dependency or a byproduct.
type Resource struct {
	Name             string            `json:"name,omitempty"`
	URI              string            `json:"uri,omitempty"`
	Digest           map[string]string `json:"digest,omitempty"`
	MediaType        string            `json:"mediaType,omitempty"`
	DownloadLocation string            `json:"downloadLocation,omitempty"`
	Annotations      map[string]any    `json:"annotations,omitempty"`
}

// parseStatement reads a payload whose signature holds. Members that the specification does not name are let be, as it
// demands; the same members in another letter case are refused.
func parseStatement(payload []byte) (*Statement, error) {
	v, err := strictjson.Parse(payload, statementLimits)
	if err != nil {
		return nil, in("malformed statement", err)
	}
	o, err := v.Open("_type", "subject", "predicateType", "predicate")
	if err != nil {
		return nil, in("malformed statement", err)
	}
	s := &Statement{predicate: o.Get("predicate"), sum: hexSum(payload)}
	if s.Type, err = o.Get("_type").Text(); err != nil {
		return nil, in("unexpected type", err)
	}
	if s.Type != StatementV1 && s.Type != StatementV01 {
		return nil, fmt.Errorf("unexpected type %q", cut(s.Type))
	}
	if s.PredicateType, err = o.Get("predicateType").Text(); err != nil || s.PredicateType == "" || len(s.PredicateType) > MaxName {
		return nil, errors.New("malformed statement: predicateType")
	}
	if !s.predicate.Absent() && s.predicate.Kind() != "object" {
		return nil, errors.New("malformed statement: predicate is no object")
	}
	s.Predicate = s.predicate.Raw()
	s.Subject, err = readSubjects(o.Get("subject"))
	return s, err
}

func readSubjects(v strictjson.Value) ([]Resource, error) {
	if n := v.Count(); v.Kind() != "array" || n == 0 {
		return nil, errors.New("bad subjects: there are none")
	} else if n > MaxSubjects {
		return nil, fmt.Errorf("bad subjects: %d of them, at most %d", n, MaxSubjects)
	}
	list, err := v.Elements()
	if err != nil {
		return nil, in("bad subjects", err)
	}
	out := make([]Resource, 0, len(list))
	for _, e := range list {
		r, err := readResource(e)
		if err != nil {
			return nil, in("bad subjects", err)
		}
		if len(r.Digest) == 0 {
			return nil, errors.New("bad subjects: one has no digest")
		}
		out = append(out, r)
	}
	return out, nil
}

// readResource reads a resource descriptor; annotations and inline content are left out.
func readResource(v strictjson.Value) (r Resource, err error) {
	o, err := v.Open("name", "uri", "digest", "mediaType", "downloadLocation", "content", "annotations")
	if err != nil {
		return r, err
	}
	for name, field := range map[string]*string{"name": &r.Name, "uri": &r.URI, "mediaType": &r.MediaType, "downloadLocation": &r.DownloadLocation} {
		if *field, err = optionalText(o.Get(name)); err != nil {
			return r, in(name, err)
		}
	}
	if d := o.Get("digest"); !d.Absent() {
		r.Digest, err = readDigests(d)
	}
	return r, err
}

func readDigests(v strictjson.Value) (map[string]string, error) {
	members, err := v.Members()
	if err != nil {
		return nil, in("digest", err)
	}
	if len(members) > MaxDigests {
		return nil, fmt.Errorf("%d digests, at most %d", len(members), MaxDigests)
	}
	out := make(map[string]string, len(members))
	for _, m := range members {
		text, err := m.Value.Text()
		if err != nil {
			return nil, in("digest", err)
		}
		if err := checkDigest(m.Name, text); err != nil {
			return nil, err
		}
		out[m.Name] = text
	}
	return out, nil
}

// hexDigits are the digest algorithms of in-toto's digest_set.md that are written in hex, with their number of digits.
var hexDigits = map[string][]int{
	"sha256": {64}, "sha384": {96}, "sha512": {128}, "sha224": {56}, "sha1": {40}, "md5": {32},
	"sha3_224": {56}, "sha3_256": {64}, "sha3_384": {96}, "sha3_512": {128}, "sha512_224": {56}, "sha512_256": {64},
	"blake2b": {128}, "blake2s": {64}, "ripemd160": {40}, "sm3": {64},
	"gitCommit": {40, 64}, "gitTree": {40, 64}, "gitBlob": {40, 64}, "gitTag": {40, 64}, "dirHash": {64},
}

// checkDigest refuses a digest that two readers could take differently. Algorithms that are not known bind nothing.
func checkDigest(algorithm, text string) error {
	lengths, known := hexDigits[algorithm]
	if !known {
		if folded, ok := hexDigits[strings.ToLower(algorithm)]; ok && folded != nil {
			return fmt.Errorf("malformed digest algorithm %q", cut(algorithm))
		}
		if len(text) > MaxName {
			return errors.New("malformed digest")
		}
		return nil
	}
	if !slices.Contains(lengths, len(text)) {
		return fmt.Errorf("malformed digest: %s of %d characters", algorithm, len(text))
	}
	if strings.Trim(text, "0123456789abcdef") != "" {
		return fmt.Errorf("malformed digest: %s is not in lower-case hex", algorithm)
	}
	return nil
}

func optionalText(v strictjson.Value) (string, error) {
	if v.Absent() {
		return "", nil
	}
	if len(v.Raw()) > MaxName {
		return "", fmt.Errorf("exceeds %d bytes", MaxName)
	}
	return v.Text()
}

func hexBytes(text string) []byte {
	b, _ := hex.DecodeString(text)
	return b
}
