package report

import (
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// Formats are the names that Render knows, the one for people at a terminal first.
var Formats = []string{"text", "json", "html", "markdown", "sarif", "junit"}

// CheckFormat refuses a name that Render does not know, before anything is done.
func CheckFormat(name string) error {
	if !slices.Contains(Formats, name) {
		return fault.Usagef("--format", "%q is not one of %s", name, strings.Join(Formats, ", "))
	}
	return nil
}

// Render renders the verdict in one of Formats. The style counts for text alone.
func Render(v verdict.Verdict, format string, s Style) ([]byte, error) {
	switch format {
	case "text":
		return Text(v, s), nil
	case "json":
		return JSON(v)
	case "html":
		return HTML(v)
	case "markdown":
		return Markdown(v), nil
	case "sarif":
		return SARIF(v)
	case "junit":
		return JUnit(v)
	}
	return nil, CheckFormat(format)
}
