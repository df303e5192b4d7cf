package code

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/compare/tree"
)

var update = flag.Bool("update", false, "write the golden reports anew")

// TestReportsOfCauses holds what is said of each difference between executables against the reports that stand for every
// cause, see the test of the same name in package compare.
func TestReportsOfCauses(t *testing.T) {
	t.Parallel()
	without := func(prefix string) string {
		var kept []string
		for line := range strings.Lines(baseInfo) {
			if !strings.HasPrefix(line, prefix) {
				kept = append(kept, line)
			}
		}
		return strings.Join(kept, "")
	}
	info := func(rebuilt string) []tree.Cause { return compareInfo(parse(t, baseInfo), parse(t, rebuilt)) }
	x := func(f facts) *facts { return &f }
	for id, causes := range map[string][]tree.Cause{
		tree.CauseImports:     x(facts{needed: []string{"libc.so.6", "libcurl.so.4"}}).contract(x(facts{needed: []string{"libc.so.6"}})),
		tree.CauseExports:     x(facts{exports: []string{"scan", "scan_all"}}).contract(x(facts{exports: []string{"scan"}})),
		tree.CauseEntitlement: x(facts{entitlements: "<key>com.apple.security.cs.disable-library-validation</key>\n<true/>"}).contract(x(facts{entitlements: "<true/>"})),
		tree.CauseResources:   x(facts{resources: map[string]string{"version/ProductVersion": "1.2.0"}}).contract(x(facts{resources: map[string]string{"version/ProductVersion": "1.2.1"}})),
		tree.CauseModule:      info(strings.Replace(baseInfo, "cmd/tool", "cmd/other", 1)),
		tree.CauseToolchain:   info(strings.Replace(baseInfo, "1.26.4", "1.26.5", 1)),
		tree.CauseVCS:         info(without("build	vcs")),
		tree.CauseFlags:       x(facts{producers: []string{"GNU C17 12.2.0 -g -O2"}}).makers(x(facts{producers: []string{"GNU C17 12.2.0 -g -O0"}})),
		tree.CauseCPU:         x(facts{producers: []string{"GNU C17 12.2.0 -march=skylake -O2"}}).makers(x(facts{producers: []string{"GNU C17 12.2.0 -march=x86-64 -O2"}})),
		tree.CauseStripped:    x(facts{debug: "symbols and debug data"}).marks(x(facts{debug: "neither symbols nor debug data"})),
		tree.CauseSignature:   x(facts{signature: "9216 bytes, SHA-256 0011223344556677"}).marks(x(facts{})),
		tree.CauseLayout:      x(facts{secNames: map[string]uint64{".text": 1, ".go.buildinfo": 944}}).marks(x(facts{secNames: map[string]uint64{".text": 1}})),
		tree.CauseBuildID:     x(facts{buildID: []byte{1}}).marks(x(facts{buildID: []byte{2}})),
		tree.CauseLinkOrder:   (&Result{Functions: 9, Same: 9, Order: 2}).linkOrder(nil),
	} {
		n := &tree.Node{Kind: tree.File, Status: tree.Different, Causes: causes}
		if _, top, _ := n.Top(); top.ID != id {
			t.Errorf("%s: the first cause is %s", id, top.ID)
		}
		file := filepath.Join("..", "testdata", "causes", id+".golden")
		if *update {
			if err := os.WriteFile(file, []byte(n.Text(0)), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(file); err != nil || n.Text(0) != string(want) {
			t.Errorf("%s: %v\n%s\nwant:\n%s", id, err, n.Text(0), want)
		}
	}
}
