package gitobj

import (
	"crypto/sha256"
	"hash"
	"strconv"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/pjbgf/sha1cd"
)

// hasher names objects. It is kept by one goroutine and reused.
type hasher struct {
	format Format
	h      hash.Hash
	header [maxLooseHeader]byte
	sum    [32]byte
}

// collisionResistant is what sha1cd's hash offers beyond hash.Hash.
type collisionResistant interface {
	CollisionResistantSum([]byte) ([]byte, bool)
}

func newHasher(f Format) *hasher {
	h := &hasher{format: f}
	if f == SHA256 {
		h.h = sha256.New()
	} else {
		h.h = sha1cd.New()
	}
	return h
}

// objectName returns how an object is called in errors.
func objectName(id ID) string { return "object " + id.String() }

// check refuses data that is not the object of that id and type.
func (h *hasher) check(id ID, t Type, data []byte) error {
	got, collision := h.id(t, data)
	if collision {
		return fault.Failf(objectName(id), "collision attack detected").WithCheck(CheckObjects)
	}
	if got != id {
		return fault.Failf(objectName(id), "content hash differs").WithCheck(CheckObjects)
	}
	return nil
}

// id computes the id of an object. With collision detection, a SHA-1 sum over an attack block is reported: the safe
// hash that sha1cd then returns is of no use, since no other program knows the object by it.
func (h *hasher) id(t Type, data []byte) (id ID, collision bool) {
	head := append(h.header[:0], t.String()...)
	head = append(head, ' ')
	head = strconv.AppendInt(head, int64(len(data)), 10)
	head = append(head, 0)
	h.h.Reset()
	h.h.Write(head)
	h.h.Write(data)
	var sum []byte
	if h.format == SHA256 {
		sum = h.h.Sum(h.sum[:0])
	} else {
		sum, collision = h.h.(collisionResistant).CollisionResistantSum(h.sum[:0])
	}
	return idFrom(h.format, sum), collision
}

// HashObject returns the id that an object has in the given format, and whether its bytes carry a collision attack.
func HashObject(f Format, t Type, data []byte) (id ID, collision bool) {
	return newHasher(f).id(t, data)
}
