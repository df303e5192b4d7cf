package graft

import (
	"crypto"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/glassbuild/glassbuild/internal/allow"
	"github.com/glassbuild/glassbuild/internal/signature"
)

const nugetMember = ".signature.p7s"

// nugetOnto puts the signature's member into our build ("Package signatures technical specification" of NuGet). What is
// signed is the digest of the package as it was before: our build.
func nugetOnto(r *request) (*Grafted, error) {
	const name = allow.NuGetSignature
	shipped, rebuilt, err := bothZips(r)
	if err != nil || shipped == nil {
		return nil, err
	}
	var cms []byte
	for i, m := range shipped.Members {
		if !strings.EqualFold(m.Name, nugetMember) {
			continue
		}
		if m.Name != nugetMember || m.Method != 0 || i != len(shipped.Members)-1 {
			return nil, refuse(name, "the signature is not the last member, stored")
		}
		if err := shipped.plain(m); err != nil {
			return nil, err
		}
		if cms, err = shipped.content(m, maxTable); err != nil {
			return nil, err
		}
	}
	if cms == nil {
		return nil, nil
	}
	a, taken := addTo(shipped, rebuilt, func(n string) bool { return n == nugetMember }, Range{})
	if a == nil {
		return nil, refuse(name, "the members, or their order, are not those of the build")
	}
	content, result := signature.VerifyEmbedded(nil, cms, signature.Embedded{Attached: true}, r.opt)
	if err := checked(name, result); err != nil {
		return nil, err
	}
	for oid, h := range map[string]crypto.Hash{"2.16.840.1.101.3.4.2.1": crypto.SHA256, "2.16.840.1.101.3.4.2.2": crypto.SHA384, "2.16.840.1.101.3.4.2.3": crypto.SHA512} {
		w := h.New()
		if err := copyHash(w, r.rebuilt, 0); err != nil {
			return nil, err
		}
		sum := base64.StdEncoding.EncodeToString(w.Sum(nil))
		for _, end := range []string{"\n", "\r\n"} {
			if string(content) == fmt.Sprintf("Version:1%s%s%s-Hash:%s%s%s", end, end, oid, sum, end, end) {
				return &Grafted{Content: a, Ranges: taken, Signers: []signature.Result{result}}, nil
			}
		}
	}
	return nil, refuse(name, "the signed digest is not that of the build")
}
