//go:build linux

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal opens a pseudo-terminal of 100 columns: what is written to tty can be read from the other end.
func terminal(t *testing.T) (master, tty *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo terminals here:", err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Skip("no pseudo terminals here:", err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Skip("no pseudo terminals here:", err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 100}); err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo terminals here:", err)
	}
	return master, tty
}

// TestTerminal looks at what a person sees: colours only there, and not with NO_COLOR; progress in one line that is gone
// at the end; lines no longer than the terminal is wide.
func TestTerminal(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, variable string
		colours        bool
	}{{"colours", "TERM=xterm", true}, {"NO_COLOR", "NO_COLOR=1", false}, {"dumb", "TERM=dumb", false}} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t, "cp in.txt /out/tool")
			master, tty := terminal(t)
			cmd := p.program("verify", "tool", "--repo", "repo", "--commit", p.commit)
			cmd.Env = append(cmd.Env, "NO_COLOR=", row.variable)
			cmd.Stdout, cmd.Stderr = tty, tty
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			tty.Close()
			var seen bytes.Buffer
			io.Copy(&seen, master) // ends with an error of the terminal when the last writer is gone
			cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != 3 {
				t.Errorf("exit code %d\n%s", code, seen.String())
			}
			if got := strings.Contains(seen.String(), "\x1b[32m"); got != row.colours {
				t.Errorf("colours: %v, want %v\n%q", got, row.colours, seen.String())
			}
			text := seen.String()
			if i := strings.LastIndex(text, "\r\x1b[K"); i < 0 || strings.Contains(text[i:], "s  comparing") {
				t.Errorf("the progress line was not taken away:\n%q", text)
			} else {
				text = text[i+len("\r\x1b[K"):]
			}
			if !strings.HasPrefix(text, "artefact ") || !strings.Contains(text, "INCONCLUSIVE") {
				t.Errorf("the report does not begin where the progress line was:\n%q", text)
			}
		})
	}
}
