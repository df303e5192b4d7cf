//go:build linux

package sandbox_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/sandbox"
)

// BenchmarkTrace builds a program and the standard library below it with this machine's Go toolchain: without a trace, with
// one, and shown only what the trace named. All processor time counts, that of laying the root as well.
func BenchmarkTrace(b *testing.B) {
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		b.Skip("no Go toolchain: ", err)
	}
	source := b.TempDir()
	for name, text := range map[string]string{"go.mod": "module example.test/hello\n", "main.go": "package main\n\nimport \"net/http\"\n\nfunc main() { http.ListenAndServe(\"\", nil) }\n"} {
		if err := os.WriteFile(filepath.Join(source, name), []byte(text), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	var named []string
	for _, mode := range []string{"plain", "traced", "masked"} {
		b.Run(mode, func(b *testing.B) {
			cpu := time.Duration(0)
			for range b.N {
				before := childTime(b)
				s := sandbox.Spec{Dirs: []string{"/out"}, Mounts: []sandbox.Mount{
					{Kind: sandbox.ReadOnly, Source: strings.TrimSpace(string(out)), Target: "/usr/local/go", Trace: mode == "traced", Masked: mode == "masked", Named: named},
					{Kind: sandbox.Overlay, Source: source, Target: "/src", Trace: mode == "traced", Masked: mode == "masked", Named: named},
				}}
				var log bytes.Buffer
				s.Log = &log
				session, err := chosen.Start(b.Context(), s)
				if err != nil {
					b.Skip("THIS MACHINE FORBIDS SANDBOXES: ", err)
				}
				r, err := session.Run(b.Context(), sandbox.Step{Argv: []string{"/usr/local/go/bin/go", "build", "-o", "/out/hello", "."}, Dir: "/src",
					Env: []string{"HOME=/home/builder", "CGO_ENABLED=0", "GOTOOLCHAIN=local", "GOPROXY=off", "GOTELEMETRY=off"}})
				if err != nil || r.ExitCode != 0 {
					b.Fatal(r, err, log.String())
				}
				if mode == "traced" {
					if named = r.Opened; r.Trace != sandbox.TraceComplete {
						b.Fatal(r.Trace)
					}
					b.ReportMetric(float64(len(named)), "files")
				}
				session.Close()
				cpu += childTime(b) - before
			}
			b.ReportMetric(cpu.Seconds()/float64(b.N), "cpu-s/op")
		})
	}
}

func childTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
