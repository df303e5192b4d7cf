package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/report"
)

// style tells how w can be written to: colours only on a terminal, and never with NO_COLOR (https://no-color.org).
func style(w io.Writer) report.Style {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return report.Style{}
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width < 40 {
		width = 80
	}
	return report.Style{Width: width, Color: os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

// progress shows which step is under way and for how long: one line that is rewritten on a terminal, a plain line a step
// elsewhere.
type progress struct {
	w     io.Writer
	live  bool
	width int
	start time.Time

	mu   sync.Mutex
	text string
	stop chan struct{}
	done chan struct{}
}

func newProgress(w io.Writer) *progress {
	s := style(w)
	p := &progress{w: w, live: s.Width > 0, width: s.Width, start: time.Now()}
	if p.live {
		p.stop, p.done = make(chan struct{}), make(chan struct{})
		go p.tick()
	}
	return p
}

// Step says what is being done now.
func (p *progress) Step(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	p.mu.Lock()
	defer p.mu.Unlock()
	if text == p.text {
		return
	}
	p.text = text
	if p.live {
		p.draw()
		return
	}
	fmt.Fprintf(p.w, "%6.1fs  %s\n", time.Since(p.start).Seconds(), fault.Quote(text))
}

// Close takes the progress line away.
func (p *progress) Close() {
	if p.live {
		close(p.stop)
		<-p.done
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

func (p *progress) tick() {
	defer close(p.done)
	t := time.NewTicker(200 * time.Millisecond)
	defer t.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-t.C:
			p.mu.Lock()
			p.draw()
			p.mu.Unlock()
		}
	}
}

func (p *progress) draw() {
	if p.text == "" {
		return
	}
	line := fmt.Sprintf("%5.1fs  %s", time.Since(p.start).Seconds(), p.text)
	if !fault.Plain(line) {
		line = fault.Quote(line)
	}
	if r := []rune(line); len(r) >= p.width {
		line = string(r[:p.width-2]) + "…"
	}
	fmt.Fprint(p.w, "\r\x1b[K"+line)
}

func splitLines(s string) []string { return strings.Split(s, "\n") }
