//go:build linux

package sandbox_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/sandbox"
)

func TestSteps(t *testing.T) {
	t.Parallel()
	b := start(t, spec())
	b.run(7, "tool-exit", "7")
	b.run(0, "tool-print", "hello")
	if got := b.take(); got != "hello" {
		t.Errorf("log %q", got)
	}
	r := b.run(128+9, "tool-signal", "9")
	if r.Signal != "SIGKILL" {
		t.Errorf("%+v", r)
	}
	b.run(0, "tool-write", "/out/file", "kept")
	b.run(0, "tool-read", "/out/file")
	if got := b.take(); got != "kept" {
		t.Errorf("the second step read %q", got)
	}
	r, err := b.Run(t.Context(), sandbox.Step{Argv: []string{attacker, "tool-env"}, Env: []string{"A=1", "B=x=y", "PATH=/attacker"}})
	if got := b.take(); err != nil || got != "A=1\nB=x=y\nPATH=/attacker" {
		t.Errorf("environment %q, %+v, %v", got, r, err)
	}
	r, err = b.Run(t.Context(), sandbox.Step{Argv: []string{"attacker", "tool-exit", "3"}, Env: []string{"PATH=/nowhere:/attacker"}})
	if err != nil || r.ExitCode != 3 {
		t.Errorf("by PATH: %+v, %v", r, err)
	}
}

func TestStepsThatCannotBe(t *testing.T) {
	t.Parallel()
	b := start(t, spec())
	for _, c := range []struct {
		name  string
		step  sandbox.Step
		class fault.Class
		is    error
	}{
		{"missing", sandbox.Step{Argv: []string{"/no/such"}}, fault.Inconclusive, fs.ErrNotExist},
		{"missing in PATH", sandbox.Step{Argv: []string{"gcc"}, Env: []string{"PATH=/attacker"}}, fault.Inconclusive, fs.ErrNotExist},
		{"no PATH", sandbox.Step{Argv: []string{"attacker"}}, fault.Inconclusive, fs.ErrNotExist},
		{"a folder", sandbox.Step{Argv: []string{"/attacker"}}, fault.Inconclusive, nil},
		{"no such working folder", sandbox.Step{Argv: []string{attacker}, Dir: "/no/such"}, fault.Inconclusive, fs.ErrNotExist},
		{"nothing", sandbox.Step{}, fault.Usage, nil},
		{"NUL", sandbox.Step{Argv: []string{"a\x00b"}}, fault.Usage, nil},
		{"no assignment", sandbox.Step{Argv: []string{attacker}, Env: []string{"X"}}, fault.Usage, nil},
		{"relative folder", sandbox.Step{Argv: []string{attacker}, Dir: "x"}, fault.Usage, nil},
	} {
		_, err := b.Run(t.Context(), c.step)
		if err == nil || fault.ClassOf(err) != c.class || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	b.run(0, "tool-exit", "0") // none of them broke the session
}

func TestSpecsThatCannotBe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, change := range map[string]func(*sandbox.Spec){
		"relative target":   func(s *sandbox.Spec) { s.Mounts[0].Target = "x" },
		"unclean target":    func(s *sandbox.Spec) { s.Mounts[0].Target = "/a/../b" },
		"target in /proc":   func(s *sandbox.Spec) { s.Mounts[0].Target = "/proc/self" },
		"no such source":    func(s *sandbox.Spec) { s.Mounts[0].Source = dir + "/none" },
		"relative source":   func(s *sandbox.Spec) { s.Mounts[0].Source = "." },
		"no kind":           func(s *sandbox.Spec) { s.Mounts[0].Kind = "" },
		"target twice":      func(s *sandbox.Spec) { s.Mounts = append(s.Mounts, s.Mounts[0]) },
		"file outside":      func(s *sandbox.Spec) { s.Files = []sandbox.File{{Path: "/../x"}} },
		"device file":       func(s *sandbox.Spec) { s.Files = []sandbox.File{{Path: "/x", Mode: fs.ModeDevice}} },
		"listen outside":    func(s *sandbox.Spec) { s.Listen = []string{"0.0.0.0:80"} },
		"listen by name":    func(s *sandbox.Spec) { s.Listen = []string{"localhost:80"} },
		"host name":         func(s *sandbox.Spec) { s.Identity.Hostname = "a b" },
		"user name":         func(s *sandbox.Spec) { s.Identity.User = "a:b\n" },
		"user number":       func(s *sandbox.Spec) { s.Identity.UID = -1 },
		"negative limit":    func(s *sandbox.Spec) { s.Limits.Memory = -1 },
		"too little memory": func(s *sandbox.Spec) { s.Limits.Memory = 1 },
		"folder":            func(s *sandbox.Spec) { s.Dirs = []string{"out"} },
		"scratch with source": func(s *sandbox.Spec) {
			s.Mounts = append(s.Mounts, sandbox.Mount{Kind: sandbox.Scratch, Source: dir, Target: "/s"})
		},
	} {
		s := spec()
		change(&s)
		session, err := chosen.Start(t.Context(), s)
		if err == nil {
			session.Close()
			t.Errorf("%s: accepted", name)
			continue
		}
		if fault.ClassOf(err) != fault.Usage {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	s := spec()
	s.Identity = sandbox.Identity{
		Hostname: "elsewhere", Domain: "example.net", User: "alice", Group: "staff", Home: "/home/of/alice",
		UID: 4242, GID: 777, Umask: 0o027, CPUs: 1, BootOffset: 1000 * time.Hour, MonotonicOffset: 2000 * time.Hour, FixedAddresses: true,
	}
	session, err := chosen.Start(t.Context(), s)
	if err != nil {
		skipWhereForbidden(t, err)
		t.Logf("without shifted clocks: %v", err)
		s.Identity.BootOffset, s.Identity.MonotonicOffset = 0, 0
	} else {
		session.Close()
	}
	b := start(t, s)
	r, err := b.Run(t.Context(), sandbox.Step{Argv: []string{attacker, "identity"}, Dir: "/home/of/alice"})
	if err != nil || r.ExitCode == 0 {
		t.Fatalf("no such attack, and yet %+v, %v", r, err)
	}
	b.take()
	r, err = b.Run(t.Context(), sandbox.Step{Argv: []string{attacker, "tool-identity"}, Dir: "/home/of/alice"})
	if err != nil || r.ExitCode != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	log := b.take()
	for _, want := range []string{
		"host elsewhere\n", "domain example.net\n", "uid 4242\n", "gid 777\n", "umask 027\n", "cpus 1\n", "dir /home/of/alice\n",
		"passwd alice:x:4242:777::/home/of/alice:/bin/sh\n",
	} {
		if !strings.Contains(log, want) {
			t.Errorf("%q is missing in\n%s", want, log)
		}
	}
	if s.Identity.BootOffset != 0 && !slices.Contains(b.Isolation().Namespaces, "time") {
		t.Error("shifted clocks without a time namespace")
	}
}

// TestMountKinds shows the same tree in every way.
func TestMountKinds(t *testing.T) {
	t.Parallel()
	src := t.TempDir()
	when := time.Unix(1600000000, 0)
	for _, name := range []string{"b", "a", "c"} {
		if err := os.WriteFile(filepath.Join(src, name), []byte(name), 0o640); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(filepath.Join(src, name), when, when); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(src, "link")); err != nil {
		t.Fatal(err)
	}
	b := start(t, spec(
		sandbox.Mount{Kind: sandbox.ReadOnly, Source: src, Target: "/ro"},
		sandbox.Mount{Kind: sandbox.ReadOnly, Source: filepath.Join(src, "a"), Target: "/one/file"},
		sandbox.Mount{Kind: sandbox.Overlay, Source: src, Target: "/over"},
		sandbox.Mount{Kind: sandbox.Copy, Source: src, Target: "/copy"},
		sandbox.Mount{Kind: sandbox.Copy, Source: src, Target: "/yppc", Reverse: true},
		sandbox.Mount{Kind: sandbox.Scratch, Target: "/over/nested", Size: 1 << 20},
	))
	orders := map[string][]string{}
	for _, dir := range []string{"/ro", "/copy", "/yppc"} {
		b.run(0, "tool-list", dir)
		lines := strings.Split(strings.TrimSuffix(b.take(), "\n"), "\n")
		for _, line := range lines {
			name, rest, _ := strings.Cut(line, " ")
			orders[dir] = append(orders[dir], name)
			if name != "link" && rest != "-rw-r----- 1600000000 " {
				t.Errorf("%s: %s", dir, line)
			}
			if name == "link" && !strings.HasSuffix(rest, " /etc/passwd") {
				t.Errorf("%s: %s", dir, line)
			}
		}
	}
	reversed := slices.Clone(orders["/copy"])
	slices.Reverse(reversed)
	if len(reversed) != 4 || !slices.Equal(reversed, orders["/yppc"]) {
		t.Errorf("order %v, and the other way round %v", orders["/copy"], orders["/yppc"])
	}
	b.run(1, "tool-write", "/ro/a", "x")
	b.run(1, "tool-write", "/one/file", "x")
	for _, name := range []string{"/over/a", "/over/new", "/over/nested/x", "/copy/a", "/yppc/new", "/out/x", "/tmp/x", "/home/builder/x"} {
		b.run(0, "tool-write", name, "changed")
	}
	for _, name := range []string{"/x", "/etc/passwd", "/attacker/x", "/dev/x"} {
		b.run(1, "tool-write", name, "changed")
	}
	if text, err := os.ReadFile(filepath.Join(src, "a")); err != nil || string(text) != "a" {
		t.Errorf("the source is %q, %v", text, err)
	}
	if _, err := os.Stat(filepath.Join(src, "new")); err == nil {
		t.Error("the source has a new file")
	}
}

// TestHostileImage has links where the sandbox wants to mount and write.
func TestHostileImage(t *testing.T) {
	t.Parallel()
	victim := t.TempDir()
	for _, link := range []string{"etc", "tmp", "proc", "dev", "out", "attacker", "home"} {
		image := t.TempDir()
		if err := os.Symlink(victim, filepath.Join(image, link)); err != nil {
			t.Fatal(err)
		}
		s := spec()
		s.Mounts = append(s.Mounts, sandbox.Mount{Kind: sandbox.Overlay, Source: image, Target: "/"})
		session, err := chosen.Start(t.Context(), s)
		if err == nil {
			session.Close()
			t.Errorf("%s: accepted", link)
			continue
		}
		skipWhereForbidden(t, err)
		if !strings.Contains(err.Error(), "link") && !strings.Contains(err.Error(), "no directory") {
			t.Errorf("%s: %v", link, err)
		}
	}
	if left, err := os.ReadDir(victim); err != nil || len(left) != 0 {
		t.Errorf("written outside: %v, %v", left, err)
	}
}

// TestImageRoot uses a folder as the whole root, with accounts of its own.
func TestImageRoot(t *testing.T) {
	t.Parallel()
	image := t.TempDir()
	if err := os.Mkdir(filepath.Join(image, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(image, "etc/passwd"), []byte("root:x:0:0::/root:/bin/sh\nother:x:1000:1:::\ndaemon:x:2:2:::\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := spec(sandbox.Mount{Kind: sandbox.Overlay, Source: image, Target: "/"})
	s.Files = []sandbox.File{{Path: "/.glassbuild/vcs.json", Mode: 0o444, Data: []byte("facts")}, {Path: "/bin/link", Mode: fs.ModeSymlink, Data: []byte("../x")}}
	b := start(t, s)
	b.run(0, "tool-read", "/etc/passwd")
	if got := b.take(); got != "builder:x:1000:1000::/home/builder:/bin/sh\nroot:x:0:0::/root:/bin/sh\ndaemon:x:2:2:::\n" {
		t.Errorf("passwd %q", got)
	}
	b.run(0, "tool-write", "/anywhere", "x")
	b.run(1, "tool-write", "/.glassbuild/vcs.json", "x")
	b.run(1, "tool-write", "/.glassbuild/new", "x")
	if data, err := b.Read(t.Context(), "/.glassbuild/vcs.json", 100); err != nil || string(data) != "facts" {
		t.Errorf("%q, %v", data, err)
	}
	if _, err := os.Stat(filepath.Join(image, "anywhere")); err == nil {
		t.Error("the image was written to")
	}
}

// TestGit runs the stand-in under its name. Without facts it has nothing to say, and says so as git does.
func TestGit(t *testing.T) {
	t.Parallel()
	s := spec()
	s.GitStandIn = "/usr/bin/git"
	session, err := chosen.Start(t.Context(), s)
	if err != nil && strings.Contains(err.Error(), "needs shared libraries") {
		t.Skipf("%v; hint: %s", err, fault.HintOf(err))
	}
	if err == nil {
		session.Close()
	}
	b := start(t, s)
	r, err := b.Run(t.Context(), sandbox.Step{Argv: []string{"git", "status", "--porcelain"}, Env: []string{"PATH=/usr/bin"}})
	if log := b.take(); err != nil || r.ExitCode != 128 || !strings.Contains(log, "fatal: ") {
		t.Errorf("%+v, %v, %q", r, err, log)
	}
	if data, err := b.Read(t.Context(), "/.glassbuild/git.log", 1<<20); err != nil || !bytes.Contains(data, []byte("status")) {
		t.Errorf("log %q, %v", data, err)
	}
	b.run(1, "tool-write", "/usr/bin/git", "x")
}

// TestTerminal talks to a program through a terminal of its own.
func TestTerminal(t *testing.T) {
	t.Parallel()
	b := start(t, spec())
	keys, typist := io.Pipe()
	screen, show := io.Pipe()
	done := make(chan error, 1)
	go func() {
		r, err := b.Run(t.Context(), sandbox.Step{Argv: []string{attacker, "tool-tty"}, Terminal: true, In: keys, Out: show})
		if err == nil && r.ExitCode != 0 {
			err = errors.New("ended with an error")
		}
		show.Close()
		done <- err
	}()
	var seen strings.Builder
	buffer := make([]byte, 1024)
	typed := false
	for {
		n, err := screen.Read(buffer)
		seen.Write(buffer[:n])
		if !typed && strings.Contains(seen.String(), "ready") {
			typed = true
			if _, err := typist.Write([]byte{3}); err != nil { // Ctrl-C
				t.Fatal(err)
			}
		}
		if err != nil {
			break
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	for _, want := range []string{"rows 24 columns 80", "controlling true", "interrupted"} {
		if !strings.Contains(seen.String(), want) {
			t.Errorf("%q is missing in %q", want, seen.String())
		}
	}
	typist.Close()
	b.run(0, "descriptors") // the next step has none
}

// TestListeners serves a program inside from here.
func TestListeners(t *testing.T) {
	t.Parallel()
	s := spec()
	s.Listen = []string{"127.0.0.1:8080", "127.0.0.1:8081"}
	b := start(t, s)
	if len(b.Listeners()) != 2 {
		t.Fatal(b.Listeners())
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "served "+r.URL.Path) })}
	go server.Serve(b.Listeners()[1])
	defer server.Close()
	r := b.run(0, "tool-get", "http://127.0.0.1:8081/x")
	if log := b.take(); log != "served /x" || len(r.Refused) != 0 {
		t.Errorf("%q, %+v", log, r.Refused)
	}
}

// TestRefused lists what a build tried to reach.
func TestRefused(t *testing.T) {
	t.Parallel()
	b := start(t, spec())
	r := b.run(0, "tool-connect", "tcp!192.0.2.1:443", "tcp!192.0.2.1:443", "tcp![2001:db8::1]:80", "udp!203.0.113.9:53", "tcp!127.0.0.1:9")
	log := b.take()
	for _, want := range []string{
		"tcp!192.0.2.1:443 dial tcp 192.0.2.1:443: connect: network is unreachable", "tcp!127.0.0.1:9 dial tcp 127.0.0.1:9: connect: connection refused",
		"sendto network is unreachable",
	} {
		if !strings.Contains(log, want) {
			t.Errorf("%q is missing in\n%s", want, log)
		}
	}
	if b.Isolation().Network != "refused, listed" {
		t.Skipf("not listed here: %s", b.Isolation().Network)
	}
	want := []sandbox.Attempt{
		{Process: "attacker", Call: "connect", Target: "192.0.2.1:443", Count: 2},
		{Process: "attacker", Call: "sendto", Target: "198.51.100.7:53", Count: 1},
		{Process: "attacker", Call: "connect", Target: "203.0.113.9:53", Count: 1},
		{Process: "attacker", Call: "connect", Target: "[2001:db8::1]:80", Count: 1},
	}
	if !slices.Equal(r.Refused, want) {
		t.Errorf("%+v\nwant %+v", r.Refused, want)
	}
}
