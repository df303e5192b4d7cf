package store

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
)

// first is how much is read at first, chunk how much is read, hashed and written at a time after that.
const (
	first = 32 << 10
	chunk = 256 << 10
)

// copyHashing copies r and returns the digest of what was copied. A piece is hashed on another processor while it is written.
func copyHashing(w io.Writer, r io.Reader) (sum string, n int64, err error) {
	h := sha256.New()
	var pieces, hashed chan []byte
	buf := make([]byte, first)
	for {
		m, rerr := io.ReadFull(r, buf)
		n += int64(m)
		if m == first && pieces == nil { // more than one piece: it is worth it
			pieces, hashed = make(chan []byte), make(chan []byte, 1)
			hashed <- make([]byte, chunk)
			go func() {
				defer close(hashed)
				for p := range pieces {
					h.Write(p)
					hashed <- p
				}
			}()
		}
		if pieces != nil {
			pieces <- buf[:m]
		} else {
			h.Write(buf[:m])
		}
		_, err = w.Write(buf[:m])
		if err == nil && rerr != nil && rerr != io.EOF && rerr != io.ErrUnexpectedEOF {
			err = rerr
		}
		if err != nil || rerr != nil {
			break
		}
		if pieces != nil {
			if buf = <-hashed; len(buf) < chunk { // the first one
				buf = make([]byte, chunk)
			}
		}
	}
	if pieces != nil {
		close(pieces)
		for range hashed {
		}
	}
	if err != nil {
		return "", n, err
	}
	return hex.EncodeToString(h.Sum(nil)), n, nil
}
