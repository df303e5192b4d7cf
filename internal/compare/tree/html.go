package tree

import (
	"bytes"
	_ "embed"
	"html/template"

	"github.com/glassbuild/glassbuild/internal/fault"
)

//go:embed report.html
var page string

var reportPage = template.Must(template.New("report").Funcs(template.FuncMap{"quote": quoted, "open": isOpen}).Parse(page))

type htmlReport struct {
	Top  *top
	Root *Node
}

// HTML writes one page that needs nothing else: no script, no style sheet, no image from anywhere. Beyond limit bytes,
// 0 for no bound, nodes are left out as in JSON.
func (n *Node) HTML(limit int) ([]byte, error) {
	r := htmlReport{Root: n}
	if at, c, ok := n.Top(); ok {
		r.Top = &top{at.Path, c}
	}
	for keep := maxNodes; ; keep /= 2 {
		var b bytes.Buffer
		if err := reportPage.Execute(&b, r); err != nil {
			return nil, err
		}
		if limit <= 0 || b.Len() <= limit || keep == 0 {
			return b.Bytes(), nil
		}
		r.Root = pruned(n, keep/2)
	}
}

func quoted(s string) string { return fault.Quote(s) }

// isOpen tells whether a node is shown unfolded: what has causes.
func isOpen(n *Node) bool { return len(n.Causes) > 0 || len(n.Nodes) > 0 && n.Kind != Section }
