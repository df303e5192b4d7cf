package main

import (
	"io"
	"os"
	"strings"

	"golang.org/x/term"

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

func splitLines(s string) []string { return strings.Split(s, "\n") }
