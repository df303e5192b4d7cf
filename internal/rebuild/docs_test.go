package rebuild

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestLimitsAreDocumented holds the table of docs/sandbox.md against the constants.
func TestLimitsAreDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/sandbox.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []string{
		fmt.Sprintf("| memory | %d GiB |", memoryBytes>>30),
		fmt.Sprintf("| processes | %d |", processes),
		fmt.Sprintf("| processor time | %v |", cpuTime),
		fmt.Sprintf("| wall time | %v |", wallTime),
		fmt.Sprintf("| everything that steps write | %d GiB |", scratchBytes>>30),
		fmt.Sprintf("| declared outputs | %d GiB, %d files |", outputBytes>>30, outputFiles),
		fmt.Sprintf("| log | %d MiB, then it is cut with a mark |", logBytes>>20),
	} {
		if !strings.Contains(string(text), row+"\n") {
			t.Errorf("docs/sandbox.md does not say %q", row)
		}
	}
}
