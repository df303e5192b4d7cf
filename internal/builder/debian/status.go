package debian

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// WriteStatus appends the paragraph of an installed package to dpkg's list (dpkg-query(1), the status file). Fields of the
// archive alone are left out, as dpkg does.
func (p *Paragraph) WriteStatus(b *bytes.Buffer, conffiles []byte) {
	fmt.Fprintf(b, "Package: %s\nStatus: install ok installed\n", p.Get("Package"))
	p.write(b, func(field string) bool {
		return slices.ContainsFunc([]string{"Package", "Status", "Conffiles"}, func(s string) bool { return strings.EqualFold(s, field) })
	})
	if files := strings.Fields(string(conffiles)); len(files) > 0 {
		b.WriteString("Conffiles:\n")
		for _, f := range files {
			if strings.HasPrefix(f, "/") {
				fmt.Fprintf(b, " %s newconffile\n", f) // as dpkg marks one whose sum it does not know yet
			}
		}
	}
	b.WriteByte('\n')
}
