package evidence

import (
	"errors"
	"fmt"

	"github.com/glassbuild/glassbuild/internal/evidence/strictjson"
)

// logEntry is an entry of a transparency log as the bundle claims it.
type logEntry struct {
	kind, version string
	index         int64
	logID         []byte
	integrated    int64  // seconds; signed only together with a promise
	promise       []byte // Rekor v1: signed entry timestamp
	body          []byte
	proof         *inclusionProof
}

type inclusionProof struct {
	index, size int64
	root        []byte
	hashes      [][]byte
	checkpoint  string
}

// rekor2 tells whether the entry is one of Rekor v2: it has a proof, and no time of its own.
func (e *logEntry) rekor2() bool { return e.kind == "hashedrekord" && e.version == "0.0.2" }

// entryKinds are the kinds that are understood. An entry of any other proves nothing about this signature.
var entryKinds = map[string]bool{
	"hashedrekord 0.0.1": true, "dsse 0.0.1": true, "intoto 0.0.2": true, // Rekor v1
	"hashedrekord 0.0.2": true, // Rekor v2, for messages and envelopes alike
}

func readLogEntry(v strictjson.Value, format string) (e logEntry, err error) {
	o, err := v.Object("logIndex", "logId", "kindVersion", "integratedTime", "inclusionPromise", "inclusionProof", "canonicalizedBody")
	if err != nil {
		return e, err
	}
	if e.index, err = optionalInt(o.Get("logIndex")); err != nil || e.index < 0 {
		return e, errors.New("logIndex: malformed")
	}
	if e.integrated, err = optionalInt(o.Get("integratedTime")); err != nil || e.integrated < 0 {
		return e, errors.New("integratedTime: malformed")
	}
	id, err := o.Get("logId").Object("keyId")
	if err == nil {
		e.logID, err = sized(id.Get("keyId"), 64)
	}
	if err != nil || len(e.logID) == 0 {
		return e, errors.New("logId: malformed")
	}
	if err := e.readKind(o.Get("kindVersion")); err != nil {
		return e, in("kindVersion", err)
	}
	if e.body, err = sized(o.Get("canonicalizedBody"), MaxBody); err != nil || len(e.body) == 0 {
		return e, errors.New("canonicalizedBody: malformed or missing")
	}
	if p := o.Get("inclusionPromise"); !p.Absent() {
		po, err := p.Object("signedEntryTimestamp")
		if err != nil {
			return e, in("inclusionPromise", err)
		}
		if e.promise, err = sized(po.Get("signedEntryTimestamp"), MaxSignature); err != nil {
			return e, in("signedEntryTimestamp", err)
		}
	}
	if p := o.Get("inclusionProof"); !p.Absent() {
		if e.proof, err = readProof(p); err != nil {
			return e, in("inclusionProof", err)
		}
	}
	return e, e.complete(format)
}

// complete demands what each version of the format demands of an entry.
func (e *logEntry) complete(format string) error {
	switch {
	case e.rekor2() && e.proof == nil:
		return errors.New("inclusion not proven: an entry of Rekor v2 needs an inclusion proof")
	case e.rekor2() && (len(e.promise) > 0 || e.integrated != 0):
		return errors.New("an entry of Rekor v2 has no time of its own")
	case e.rekor2():
		return nil
	case format == FormatBundle01 && len(e.promise) == 0:
		return errors.New("inclusion not proven: a bundle of version 0.1 needs an inclusion promise")
	case format != FormatBundle01 && format != FormatCosign && e.proof == nil:
		return errors.New("inclusion not proven: no inclusion proof")
	}
	return nil
}

func (e *logEntry) readKind(v strictjson.Value) error {
	o, err := v.Object("kind", "version")
	if err != nil {
		return err
	}
	if e.kind, err = o.Get("kind").Text(); err != nil {
		return err
	}
	if e.version, err = o.Get("version").Text(); err != nil {
		return err
	}
	if !entryKinds[e.kind+" "+e.version] {
		return fmt.Errorf("unsupported log entry %q", cut(e.kind+" "+e.version))
	}
	return nil
}

func readProof(v strictjson.Value) (*inclusionProof, error) {
	o, err := v.Object("logIndex", "rootHash", "treeSize", "hashes", "checkpoint")
	if err != nil {
		return nil, err
	}
	p := &inclusionProof{}
	if p.index, err = optionalInt(o.Get("logIndex")); err != nil {
		return nil, in("logIndex", err)
	}
	if p.size, err = optionalInt(o.Get("treeSize")); err != nil {
		return nil, in("treeSize", err)
	}
	if p.index < 0 || p.size <= p.index {
		return nil, errors.New("index lies outside the tree")
	}
	if p.root, err = hash32(o.Get("rootHash")); err != nil {
		return nil, in("rootHash", err)
	}
	if h := o.Get("hashes"); !h.Absent() {
		if n := h.Count(); n > MaxProof {
			return nil, fmt.Errorf("%d hashes, at most %d", n, MaxProof)
		}
		list, err := h.Elements()
		if err != nil {
			return nil, in("hashes", err)
		}
		for _, e := range list {
			hash, err := hash32(e)
			if err != nil {
				return nil, in("hashes", err)
			}
			p.hashes = append(p.hashes, hash)
		}
	}
	c, err := o.Get("checkpoint").Object("envelope")
	if err == nil {
		p.checkpoint, err = c.Get("envelope").Text()
	}
	if err != nil || p.checkpoint == "" || len(p.checkpoint) > MaxCheckpoint {
		return nil, errors.New("checkpoint: malformed or missing")
	}
	return p, nil
}

func hash32(v strictjson.Value) ([]byte, error) {
	h, err := sized(v, 64)
	if err == nil && len(h) != 32 {
		err = errors.New("malformed hash")
	}
	return h, err
}

// optionalInt reads a number; protobuf leaves out zeros.
func optionalInt(v strictjson.Value) (int64, error) {
	if v.Absent() {
		return 0, nil
	}
	return v.Int64()
}
