package pass

import (
	"bytes"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/allow"
	"github.com/glassbuild/glassbuild/internal/pattern"
)

// buildKeys say with what, when and by whom a jar was built; the virtual machine acts upon none of them.
var buildKeys = []string{"Bnd-LastModified", "Build-Date", "Build-Jdk", "Build-Jdk-Spec", "Build-Time", "Build-Timestamp",
	"Built-By", "Built-Date", "Created-By", "Tool"}

var buildValue = pattern.New(`^[A-Za-z0-9 ._:+()/,@-]*$`)

// manifestShape cuts the main section of a manifest (JAR File Specification). A key that is continued on another line,
// or given twice in any letter case, is no field.
func manifestShape(c Content) (shape, error) {
	if c.Size() > maxManifest {
		return nil, nil
	}
	data, err := read(c, 0, c.Size())
	if err != nil {
		return nil, err
	}
	seen := make(map[string]int)
	var special []piece
	for at := 0; at < len(data); {
		n := bytes.IndexByte(data[at:], '\n') + 1
		if n == 0 {
			n = len(data) - at
		}
		line := strings.TrimRight(string(data[at:at+n]), "\r\n")
		if line == "" {
			break // of the main section
		}
		key, value, _ := strings.Cut(line, ": ")
		seen[strings.ToLower(key)]++
		continued := at+n < len(data) && data[at+n] == ' '
		if slices.Contains(buildKeys, key) {
			ok := n <= maxBuildLine+1 && !continued && buildValue.MatchString(value) && strings.HasSuffix(string(data[at:at+n]), "\n")
			special = append(special, piece{what: key, at: int64(at), size: int64(n), rule: field, pass: allow.JarBuildKeys, valid: ok, optional: true})
		}
		at += n
	}
	for i, p := range special {
		special[i].valid = p.valid && seen[strings.ToLower(p.what)] == 1
	}
	return around(kindManifest, c.Size(), special), nil
}
