package gomod

import (
	"bufio"
	"bytes"
	"strings"

	"golang.org/x/mod/module"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// VendoredModule is one module of vendor/modules.txt.
type VendoredModule struct {
	Module   module.Version
	Replaced module.Version // what stands in its place; Version is "" for a directory of the tree
	Packages []string       // that were copied
}

// local tells whether the module is a directory of the tree itself.
func (m *VendoredModule) local() bool { return m.Replaced.Path != "" && m.Replaced.Version == "" }

// source is the module whose zip the files come from.
func (m *VendoredModule) source() module.Version {
	if m.Replaced.Path != "" {
		return m.Replaced
	}
	return m.Module
}

// ParseModulesText reads vendor/modules.txt as `go mod vendor` writes it (cmd/go/internal/modcmd/vendor.go): a line "# path version"
// or "# path version => path [version]" for each module, "## …" for what go.mod says of it, then its packages. Lines
// "# path => path [version]" repeat replacements of go.mod.
func ParseModulesText(data []byte) ([]VendoredModule, error) {
	if len(data) > maxModulesText {
		return nil, fault.Failf("vendor/modules.txt", "exceeds %d bytes", maxModulesText)
	}
	var list []VendoredModule
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, maxModulesText)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		bad := fault.Failf("vendor/modules.txt", "line %d: malformed: %q", n, line)
		switch {
		case strings.HasPrefix(line, "## "), line == "":
		case strings.HasPrefix(line, "# "):
			m, only, ok := parseModuleLine(strings.Fields(line)[1:])
			if !ok {
				return nil, bad
			}
			if !only {
				list = append(list, m)
			}
		default:
			if len(list) == 0 || module.CheckImportPath(line) != nil {
				return nil, bad
			}
			m := &list[len(list)-1]
			if line != m.Module.Path && !strings.HasPrefix(line, m.Module.Path+"/") {
				return nil, bad
			}
			m.Packages = append(m.Packages, line)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fault.Failf("vendor/modules.txt", "%w", err)
	}
	return list, nil
}

// parseModuleLine reads "path [version] [=> path [version]]"; only means that the line has no version and so only
// repeats a replacement.
func parseModuleLine(f []string) (m VendoredModule, only, ok bool) {
	left, right := f, []string(nil)
	for i, w := range f {
		if w == "=>" {
			left, right = f[:i], f[i+1:]
			if len(right) == 0 {
				return m, false, false
			}
		}
	}
	if len(left) == 0 || len(left) > 2 || len(right) > 2 || module.CheckImportPath(left[0]) != nil {
		return m, false, false
	}
	m.Module.Path = left[0]
	if len(left) == 2 {
		m.Module.Version = left[1]
		if module.CanonicalVersion(left[1]) != left[1] {
			return m, false, false
		}
	}
	if len(right) > 0 {
		m.Replaced.Path = right[0]
	}
	if len(right) == 2 {
		if m.Replaced.Version = right[1]; module.Check(m.Replaced.Path, m.Replaced.Version) != nil {
			return m, false, false
		}
	}
	only = m.Module.Version == ""
	return m, only, !only || len(right) > 0
}
