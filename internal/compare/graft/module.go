package graft

import (
	"bytes"
	"encoding/binary"

	"github.com/glassbuild/glassbuild/internal/allow"
	"github.com/glassbuild/glassbuild/internal/signature"
)

// moduleMagic ends a signed kernel module (kernel documentation, "Kernel module signing facility").
const moduleMagic = "~Module signature appended~\n"

const moduleInfo = 12 // struct module_signature

// moduleOnto puts signature, its description and the magic behind our build.
func moduleOnto(r *request) (*Grafted, error) {
	const name = allow.ModuleSignature
	size := r.shipped.Size()
	tail := int64(len(moduleMagic) + moduleInfo)
	if size < tail {
		return nil, nil
	}
	end, err := read(r.shipped, size-tail, tail)
	if err != nil || string(end[moduleInfo:]) != moduleMagic {
		return nil, err
	}
	n := int64(binary.BigEndian.Uint32(end[8:]))
	switch {
	case !bytes.Equal(end[:8], []byte{0, 0, 2, 0, 0, 0, 0, 0}):
		return nil, refuse(name, "not a PKCS#7 signature, or its description holds something more")
	case n > maxTable || n > size-tail || r.rebuilt.Size() != size-tail-n:
		return nil, refuse(name, "the signature does not begin where the build ends")
	case r.rebuilt.Size() > maxSigned:
		return nil, refuse(name, "exceeds limit: a module of more than %d bytes", maxSigned)
	}
	at := size - tail - n
	cms, err := read(r.shipped, at, n)
	if err != nil {
		return nil, err
	}
	payload, err := whole(r.shipped, at)
	if err != nil {
		return nil, err
	}
	_, result := signature.VerifyEmbedded(payload, cms, signature.Embedded{Bare: true}, r.opt)
	if err := checked(name, result); err != nil {
		return nil, err
	}
	return &Grafted{
		Content: assemble(part{r.rebuilt, 0, at}, part{r.shipped, at, n + tail}), Ranges: []Range{{at, n + tail}}, Signers: []signature.Result{result},
	}, nil
}

// whole reads what a signature is over, from the start.
func whole(c Content, size int64) ([]byte, error) {
	if size > maxSigned {
		return nil, refuse("signature", "exceeds limit: over more than %d bytes", maxSigned)
	}
	b := make([]byte, size)
	for off := int64(0); off < size; off += chunk {
		n := min(chunk, size-off)
		if _, err := c.ReadAt(b[off:off+n], off); err != nil && off+n < size {
			return nil, err
		}
	}
	return b, nil
}
