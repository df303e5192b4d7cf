package gomod

import (
	"bufio"
	"go/build/constraint"
	"io"
	"path"
	"strings"
)

// copiedByVendor tells whether `go mod vendor` copies a file of a package's directory: everything but tests, go.mod and go.sum, and
// Go files that no build can include (cmd/go/internal/modcmd/vendor.go, matchPotentialSourceFile).
func copiedByVendor(name string, open func() (io.ReadCloser, error)) (bool, error) {
	base := path.Base(name)
	switch {
	case strings.HasSuffix(base, "_test.go"), base == "go.mod", base == "go.sum":
		return false, nil
	case !strings.HasSuffix(base, ".go"):
		return true, nil
	}
	f, err := open()
	if err != nil {
		return false, err
	}
	defer f.Close()
	return buildable(io.LimitReader(f, maxGoHeader))
}

// buildable evaluates the build constraint of a Go file with every tag both set and unset, except "ignore", which is
// never set.
func buildable(r io.Reader) (bool, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxGoHeader+1)
	comment := false // within /* */
	ok := true
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		switch {
		case comment:
			_, after, found := strings.Cut(line, "*/")
			comment = !found || strings.Contains(after, "/*")
		case constraint.IsGoBuild(line):
			if x, err := constraint.Parse(line); err == nil {
				return possible(x, true), nil
			}
			return true, nil // the go command reports it
		case constraint.IsPlusBuild(line):
			if x, err := constraint.Parse(line); err == nil {
				ok = ok && possible(x, true)
			}
		case line == "" || strings.HasPrefix(line, "//"):
		case strings.HasPrefix(line, "/*"):
			comment = !strings.Contains(line, "*/")
		default:
			return ok, nil // the package clause: constraints stand above it
		}
	}
	return ok, lines.Err()
}

// possible tells whether x can be made equal to want by setting tags.
func possible(x constraint.Expr, want bool) bool {
	switch x := x.(type) {
	case *constraint.NotExpr:
		return !possible(x.X, !want)
	case *constraint.AndExpr:
		return possible(x.X, want) && possible(x.Y, want)
	case *constraint.OrExpr:
		return possible(x.X, want) || possible(x.Y, want)
	case *constraint.TagExpr:
		return x.Tag != "ignore" && want
	}
	return true
}
