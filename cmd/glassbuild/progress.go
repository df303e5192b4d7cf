package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/progress"
)

// steps shows which step is under way, for how long, and how much of it is done: one line that is rewritten on a terminal,
// a plain line a step elsewhere, events with --json.
type steps struct {
	to    *speaker
	live  bool
	color bool
	width int
	start time.Time
	meter progress.Meter

	mu     sync.Mutex
	text   string
	since  time.Time // when the step began
	told   int64     // what the last event said was done
	stop   chan struct{}
	done   chan struct{}
	closed bool
	brief  bool // where there is no terminal nothing is said: the command is over soon
}

// progress begins to show what is done below the context that it returns.
func (a *app) progress(ctx context.Context) (context.Context, *steps) {
	look := style(a.err)
	p := &steps{to: a.say, live: look.Width > 0 && !a.say.json, color: look.Color, width: look.Width, start: time.Now(),
		stop: make(chan struct{}), done: make(chan struct{})}
	switch {
	case p.live:
		go p.tick(200*time.Millisecond, p.draw)
	case a.say.json:
		go p.tick(time.Second, p.tell)
	default:
		close(p.done)
	}
	return progress.With(ctx, &p.meter), p
}

// Step says what is being done now.
func (p *steps) Step(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	p.mu.Lock()
	defer p.mu.Unlock()
	if text == p.text {
		return
	}
	p.text, p.since, p.told = text, time.Now(), 0
	p.meter.Reset()
	switch {
	case p.live:
		p.draw()
	case p.to.json:
		p.to.emit(event{Event: "step", Text: text})
	case !p.brief:
		p.to.write(fmt.Appendf(nil, "%6.1fs  %s\n", time.Since(p.start).Seconds(), fault.Quote(text)))
	}
}

// Close takes the progress line away. It may be called more than once.
func (p *steps) Close() {
	p.mu.Lock()
	closed := p.closed
	p.closed = true
	p.mu.Unlock()
	if closed {
		return
	}
	close(p.stop)
	<-p.done
	if p.live {
		p.to.write([]byte("\r\x1b[K"))
	}
}

func (p *steps) tick(every time.Duration, show func()) {
	defer close(p.done)
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-t.C:
			p.mu.Lock()
			show()
			p.mu.Unlock()
		}
	}
}

// tell is the event of a step that goes on.
func (p *steps) tell() {
	if done, total := p.meter.Read(); done != p.told {
		p.told = done
		p.to.emit(event{Event: "progress", Text: p.text, Done: done, Total: total})
	}
}

func (p *steps) draw() {
	if p.text == "" {
		return
	}
	done, total := p.meter.Read()
	p.to.write([]byte("\r\x1b[K" + p.line(time.Now(), done, total)))
}

// line is elapsed time, step, and where its size is known a bar with rate and remaining time.
func (p *steps) line(now time.Time, done, total int64) string {
	text := fmt.Sprintf("%5.1fs  %s", now.Sub(p.start).Seconds(), p.text)
	if !fault.Plain(text) {
		text = fault.Quote(text)
	}
	amount := ""
	if spent := now.Sub(p.since); total >= shownFrom && spent >= 300*time.Millisecond {
		amount = "  " + bar(done, total) + "  " + pace(done, total, spent)
	}
	room := p.width - 1 - len([]rune(amount))
	if room < 24 { // too narrow for both
		amount, room = "", p.width-1
	}
	if r := []rune(text); len(r) > room {
		text = string(r[:room-1]) + "…"
	}
	return text + amount
}

// shownFrom is the size of a step, in bytes, below which a bar would only flicker.
const shownFrom = 8 << 20

const barCells = 12

// bar needs no colour to be read.
func bar(done, total int64) string {
	full := int(barCells * min(done, total) / total)
	return "[" + strings.Repeat("#", full) + strings.Repeat("-", barCells-full) + "]"
}

// pace is what is done, how fast, and how long the rest takes at that rate.
func pace(done, total int64, spent time.Duration) string {
	rate := float64(done) / spent.Seconds()
	s := fmt.Sprintf("%3d %%  %.1f MB/s", 100*min(done, total)/total, rate/1e6)
	if rate > 0 && done < total {
		left := time.Duration(float64(total-done) / rate * float64(time.Second))
		s += "  " + left.Round(time.Second).String() + " left"
	}
	return s
}
