package gobinary

import (
	"bytes"
	"io"
	"strings"
)

// Paths says how the line table, which the runtime needs and no stripping removes, names the files of the standard library. The zero
// value is: that cannot be said.
type Paths string

// What -trimpath leaves of a file name of the standard library is its import path (`go help build`).
const (
	Trimmed Paths = "trimmed" // "runtime/proc.go"
	Rooted  Paths = "rooted"  // "/usr/local/go/src/runtime/proc.go"
)

// runtimeFile is a file that every Go program contains.
const runtimeFile = "runtime/proc.go"

// lookPaths searches a line table, or the data that contains one, for the name of runtimeFile. Two names of both kinds say
// nothing.
func lookPaths(r io.ReaderAt, size int64) (Paths, error) {
	const chunk = 1 << 20
	needle := []byte(runtimeFile + "\x00")
	overlap := int64(maxFileName + len(needle))
	found := Paths("")
	if size <= 0 {
		return found, nil
	}
	buf := make([]byte, min(size, chunk+overlap))
	for off := int64(0); off < size; off += chunk {
		n, err := r.ReadAt(buf[:min(size-off, int64(len(buf)))], off)
		if err != nil && err != io.EOF {
			return "", err
		}
		if n == 0 {
			break // the file ends before the size that it states
		}
		window := buf[:n]
		for {
			i := bytes.Index(window, needle)
			if i < 0 {
				break
			}
			start := bytes.LastIndexByte(window[:i], 0) + 1
			p := classify(string(window[start : i+len(runtimeFile)]))
			if start == 0 && off > 0 {
				p = "" // its beginning lies before the window: the one before has seen it whole
			}
			if p != "" && found != "" && p != found {
				return "", nil
			}
			if p != "" {
				found = p
			}
			window = window[i+len(needle)-1:]
		}
	}
	return found, nil
}

// classify judges one name of runtimeFile. One below neither a root nor nothing ("go/src/runtime/proc.go") comes from the variable
// GOROOT_FINAL of earlier toolchains, or from elsewhere: it says nothing.
func classify(name string) Paths {
	if name == runtimeFile {
		return Trimmed
	}
	root, ok := strings.CutSuffix(strings.ReplaceAll(name, `\`, "/"), "/src/"+runtimeFile)
	drive := len(root) >= 2 && root[1] == ':' && (root[0]|0x20) >= 'a' && (root[0]|0x20) <= 'z'
	if ok && (root == "" || root[0] == '/' || drive) {
		return Rooted
	}
	return ""
}
