package policy

import (
	"strings"
	"testing"
	"time"
)

func TestSandboxDemands(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`sandbox = ["embedded", "runc"]`:                 "",
		`isolation = ["memory-group", "time-namespace"]`: "",
		`sandbox = []`:                                     "takes no runtime at all",
		`sandbox = [""]`:                                   "is not the name of a runtime",
		`sandbox = ["/usr/sbin/runc"]`:                     "is not the name of a runtime",
		`sandbox = ["runc", "runc"]`:                       "stands twice",
		`sandbox = "runc"`:                                 "want array",
		`isolation = ["memory"]`:                           `"memory" is not one of memory-group, process-group`,
		`isolation = ["Memory-Group"]`:                     "is not one of",
		`isolation = ["time-namespace", "time-namespace"]`: "stands twice",
	} {
		p, err := parse("p", []byte("format = 1\n[rebuild]\n"+text+"\n"), time.Time{})
		switch {
		case want == "" && (err != nil || !p.Rebuild.DemandsSandbox()):
			t.Errorf("%s: %v", text, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	if Default().Rebuild.DemandsSandbox() {
		t.Error("the built-in policy demands a sandbox")
	}
}
