package source

import (
	"path/filepath"
	"strings"

	"github.com/glassbuild/glassbuild/internal/remote"
)

// DisplayName is the repository as verdicts and statements name it: a URL without credentials, a local folder by its last element,
// so that the same inputs give the same verdict wherever they lie.
func DisplayName(where string) string {
	if strings.Contains(where, "://") {
		return remote.Redact(where)
	}
	if abs, err := filepath.Abs(where); err == nil {
		return filepath.Base(abs)
	}
	return filepath.Base(where)
}
