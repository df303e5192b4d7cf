package graft

import (
	"bytes"
	"strings"

	"github.com/glassbuild/glassbuild/internal/allow"
	"github.com/glassbuild/glassbuild/internal/pattern"
	"github.com/glassbuild/glassbuild/internal/signature"
)

// debMember is the ar header of a signature: the name, a time, and else what every member of a package has.
var debMember = pattern.New("^(_gpgorigin|_gpgmaint|_gpgarchive|_gpgbuilder) +(0|[1-9][0-9]{8,9}) +0     0     (?:100644  |644     )([1-9][0-9]{0,6}) +`\n$")

// debOnto puts the members that hold signatures behind our build (debsigs: each is a detached OpenPGP signature over the
// content of the other three members, one after the other).
func debOnto(r *request) (*Grafted, error) {
	const name = allow.DebSignature
	size, at := r.shipped.Size(), r.rebuilt.Size()
	at += at & 1
	if at+arHeader > size || size-at > maxTable {
		return nil, nil
	}
	tail, err := read(r.shipped, at, size-at)
	if err != nil || !strings.HasPrefix(string(tail), "_gpg") {
		return nil, err
	}
	magic, err := read(r.shipped, 0, 8+16)
	if err != nil || !strings.HasPrefix(string(magic), "!<arch>\ndebian-binary") {
		return nil, err
	}
	payload, err := debPayload(name, r.shipped, at)
	if err != nil {
		return nil, err
	}
	g := &Grafted{Ranges: []Range{{at, size - at}}}
	seen := map[string]bool{}
	for len(tail) > 0 {
		if len(tail) < arHeader {
			return nil, refuse(name, "bytes behind the last signature")
		}
		m := debMember.Regexp().FindSubmatch(tail[:arHeader])
		if m == nil {
			return nil, refuse(name, "a member that is no signature behind the last member")
		}
		n := int(number(m[3]))
		if seen[string(m[1])] || len(seen) == maxGPG || n > len(tail)-arHeader {
			return nil, refuse(name, "malformed signature member")
		}
		seen[string(m[1])] = true
		sig := tail[arHeader : arHeader+n]
		tail = tail[arHeader+n:]
		if n%2 != 0 {
			if len(tail) == 0 || tail[0] != '\n' {
				return nil, refuse(name, "malformed padding")
			}
			tail = tail[1:]
		}
		result := verifyPGP(payload, sig, r.opt)
		if err := checked(name, result); err != nil {
			return nil, err
		}
		g.Signers = append(g.Signers, result)
	}
	parts := []part{{r.rebuilt, 0, r.rebuilt.Size()}}
	if r.rebuilt.Size()%2 != 0 {
		parts = append(parts, part{bytes.NewReader([]byte{'\n'}), 0, 1})
	}
	g.Content = assemble(append(parts, part{r.shipped, at, size - at})...)
	return g, nil
}

// verifyPGP takes a signature with armour or without.
func verifyPGP(payload, sig []byte, opt signature.Options) signature.Result {
	if bytes.HasPrefix(sig, []byte("-----BEGIN PGP SIGNATURE-----")) {
		return signature.Verify(payload, sig, opt)
	}
	return signature.VerifyPackets(payload, sig, opt)
}

const arHeader = 60

func number(b []byte) int64 {
	n := int64(0)
	for _, c := range bytes.TrimRight(b, " ") {
		if c < '0' || c > '9' || n > 1<<40 {
			return -1
		}
		n = n*10 + int64(c-'0')
	}
	return n
}

// debPayload returns the content of the three members before end.
func debPayload(name string, c Content, end int64) ([]byte, error) {
	all, err := whole(c, end)
	if err != nil {
		return nil, err
	}
	var payload []byte
	members := 0
	for at := int64(8); at < end; members++ {
		if end-at < arHeader {
			return nil, refuse(name, "malformed package")
		}
		n := number(all[at+48 : at+58])
		if n < 0 || n > end-at-arHeader {
			return nil, refuse(name, "malformed package")
		}
		payload = append(payload, all[at+arHeader:at+arHeader+n]...)
		at += arHeader + n + n&1
	}
	if members != 3 {
		return nil, refuse(name, "a package of %d members: only three are signed", members)
	}
	return payload, nil
}
