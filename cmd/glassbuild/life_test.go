//go:build linux

package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// place is a folder with a repository whose build takes its time, and everything that a run may touch.
type place struct {
	t                 *testing.T
	dir, commit, mark string
	env               []string
}

// newPlace makes one. mark is a number of seconds that no other process of this machine sleeps.
func newPlace(t *testing.T, step string) *place {
	t.Helper()
	if !sandboxed(t) {
		t.Skip("this machine cannot rebuild")
	}
	p := &place{t: t, dir: t.TempDir(), mark: fmt.Sprintf("3%09d.5", time.Now().UnixNano()%1_000_000_000)}
	for _, sub := range []string{"repo", "tmp", "cache", "home"} {
		if err := os.Mkdir(filepath.Join(p.dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	p.env = append(os.Environ(), "HOME="+p.dir+"/home", "XDG_CACHE_HOME="+p.dir+"/cache", "XDG_CONFIG_HOME="+p.dir+"/home", "TMPDIR="+p.dir+"/tmp",
		"GOENV=off", "GOTELEMETRY=off", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.org", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.org")
	p.write("repo/in.txt", "hello\n")
	p.write("tool", "hello\n")
	p.write("home/go/telemetry/mode", "off")
	p.write("repo/glassbuild.toml", "format = 1\n[builder]\nhost = true\n[[step]]\nscript = '''"+strings.ReplaceAll(step, "MARK", p.mark)+"'''\n[[artifact]]\noutput = \"tool\"\n")
	p.git("init", "-q", "repo")
	p.git("-C", "repo", "add", ".")
	p.git("-C", "repo", "commit", "-q", "-m", "all of it")
	p.commit = strings.TrimSpace(p.git("-C", "repo", "rev-parse", "HEAD"))
	return p
}

func (p *place) write(name, text string) {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p *place) git(args ...string) string {
	p.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env = p.dir, p.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// program is this test binary as the program, see TestMain.
func (p *place) program(args ...string) *exec.Cmd {
	p.t.Helper()
	self, err := os.Executable()
	if err != nil {
		p.t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Args[0], cmd.Dir, cmd.Env = "glassbuild", p.dir, p.env
	return cmd
}

// asleep starts a verification and waits until its step sleeps.
func (p *place) asleep(what ...string) (*exec.Cmd, *bytes.Buffer) {
	p.t.Helper()
	if len(what) == 0 {
		what = []string{"tool"}
	}
	cmd := p.program(append(append([]string{"verify"}, what...), "--repo", "repo", "--commit", p.commit, "--no-cache", "--output", "report.txt")...)
	var diagnosis bytes.Buffer
	cmd.Stderr = &diagnosis
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { cmd.Process.Kill() })
	for range 600 {
		if len(p.sleepers()) >= 1 {
			return cmd, &diagnosis
		}
		time.Sleep(100 * time.Millisecond)
	}
	cmd.Process.Kill()
	cmd.Wait()
	p.t.Fatalf("the step never began:\n%s", diagnosis.String())
	return nil, nil
}

// sleepers are the processes of the step, wherever they run.
func (p *place) sleepers() []string {
	var list []string
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range all {
		data, err := os.ReadFile(name)
		if err == nil && bytes.HasPrefix(data, []byte("sleep\x00"+p.mark)) {
			list = append(list, name)
		}
	}
	return list
}

// left lists what must be as before: files in home, cache and temporary folder, mounts, control groups of that process.
func (p *place) left(pid int) string {
	var b strings.Builder
	for _, dir := range []string{"home", "tmp", "cache/glassbuild/runs", "cache/glassbuild/tmp"} {
		filepath.WalkDir(filepath.Join(p.dir, dir), func(path string, _ fs.DirEntry, err error) error {
			if err == nil {
				b.WriteString(strings.TrimPrefix(path, p.dir) + "\n")
			}
			return nil
		})
	}
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, p.dir) {
			b.WriteString(line)
		}
	}
	filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.HasPrefix(d.Name(), fmt.Sprintf("glassbuild-%d-", pid)) {
			b.WriteString(path + "\n")
		}
		return nil
	})
	for _, s := range p.sleepers() {
		b.WriteString(s + "\n")
	}
	return b.String()
}

const slow = "cp in.txt /out/tool; sleep MARK"

func TestInterrupted(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		sig  syscall.Signal
		what []string
	}{{syscall.SIGINT, nil}, {syscall.SIGTERM, nil}, {syscall.SIGHUP, nil}, {syscall.SIGINT, []string{"tool", "repo/in.txt"}}} {
		sig := row.sig
		t.Run(sig.String()+strings.Join(row.what, " and "), func(t *testing.T) {
			t.Parallel()
			p := newPlace(t, "trap '' INT TERM HUP; "+slow)
			p.program("verify", "tool", "--repo", "repo", "--commit", p.commit, "--plan").Run()
			before := p.left(0)
			cmd, diagnosis := p.asleep(row.what...)
			cmd.Process.Signal(sig)
			done := make(chan error, 1)
			go func() { done <- cmd.Wait() }()
			select {
			case <-done:
			case <-time.After(time.Minute): // far beyond the ten seconds that are promised: the machine may be busy
				cmd.Process.Kill()
				t.Fatalf("still there a minute later\n%s", diagnosis.String())
			}
			if code := cmd.ProcessState.ExitCode(); code != 130 {
				t.Errorf("exit code %d, want 130\n%s", code, diagnosis.String())
			}
			if !strings.Contains(diagnosis.String(), "glassbuild: interrupted\n") {
				t.Errorf("it does not say why it ended:\n%s", diagnosis.String())
			}
			// what was learned until then is said, and is no verdict that anybody could take for a good one
			for _, want := range []string{"\n✓ source.objects ", "\nINCONCLUSIVE (not-rebuilt): ", "interrupted: "} {
				if !strings.Contains(diagnosis.String(), want) {
					t.Errorf("the partial report lacks %q:\n%s", want, diagnosis.String())
				}
			}
			if strings.Contains(diagnosis.String(), "PASSED") {
				t.Errorf("an interrupted run passed:\n%s", diagnosis.String())
			}
			if after := p.left(cmd.Process.Pid); after != before {
				t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
			}
			if _, err := os.Stat(filepath.Join(p.dir, "report.txt")); err == nil {
				t.Error("there is a report of a run that was interrupted")
			}
		})
	}
}

func TestInterruptedTwice(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "trap '' INT TERM HUP; "+slow)
	cmd, diagnosis := p.asleep()
	cmd.Process.Signal(os.Interrupt)
	time.Sleep(50 * time.Millisecond)
	cmd.Process.Signal(os.Interrupt)
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("exit code %d, want 130\n%s", code, diagnosis.String())
	}
}

// TestKilled ends a run in a way that it cannot see: its processes die with it, and the next run clears up.
func TestKilled(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "if test -e fast; then cp in.txt /out/tool; else "+slow+"; fi")
	p.program("verify", "tool", "--repo", "repo", "--commit", p.commit, "--plan").Run()
	before := p.left(0)
	cmd, _ := p.asleep()
	cmd.Process.Kill()
	cmd.Wait()
	for range 600 {
		if len(p.sleepers()) == 0 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if s := p.sleepers(); len(s) > 0 {
		t.Fatalf("alive without their owner: %v", s)
	}
	if _, err := os.Stat(filepath.Join(p.dir, "report.txt")); err == nil {
		t.Error("there is a report of a run that was killed")
	}
	time.Sleep(3 * time.Second) // control groups of the last two seconds are not swept: their maker may not hold them yet
	p.write("repo/fast", "")
	p.git("-C", "repo", "add", ".")
	p.git("-C", "repo", "commit", "-q", "-m", "fast")
	p.commit = strings.TrimSpace(p.git("-C", "repo", "rev-parse", "HEAD"))
	next := p.program("verify", "tool", "--repo", "repo", "--commit", p.commit)
	out, _ := next.CombinedOutput()
	if code := next.ProcessState.ExitCode(); code != 3 || !bytes.Contains(out, []byte("INCONCLUSIVE (identical)")) {
		t.Errorf("the next run: exit code %d\n%s", code, out)
	}
	if after := p.left(cmd.Process.Pid); after != before {
		t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
	}
}

// TestAtOnce runs the same verification three times side by side on an empty cache.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "cp in.txt /out/tool")
	reports := make([]string, 3)
	var wg sync.WaitGroup
	for i := range reports {
		wg.Go(func() {
			cmd := p.program("verify", "tool", "--repo", "repo", "--commit", p.commit, "--no-cache", "--format", "json")
			out, _ := cmd.Output()
			if code := cmd.ProcessState.ExitCode(); code != 3 {
				t.Errorf("exit code %d", code)
			}
			reports[i] = string(out)
		})
	}
	wg.Wait()
	if reports[0] != reports[1] || reports[1] != reports[2] || !strings.Contains(reports[0], `"match": "identical"`) {
		t.Errorf("the reports differ:\n%s\n%s\n%s", reports[0], reports[1], reports[2])
	}
	if left := p.left(0); strings.Contains(left, "run-") {
		t.Errorf("left behind:\n%s", left)
	}
}

// ordinary are the scripts that are run once more as a user without rights, where the tests run as root.
var ordinary = []string{"result", "environment", "hostile-names", "hostile-builds"}

const nobody = 65534

func TestAsOrdinaryUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("the scripts run as an ordinary user already")
	}
	dir, err := os.MkdirTemp("", "glassbuild-nobody-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, argv := range [][]string{{"cp", self, dir + "/script.test"}, {"mkdir", "-p", dir + "/testdata/script", dir + "/home", dir + "/tmp"}} {
		if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", argv, err, out)
		}
	}
	for _, name := range ordinary {
		data, err := os.ReadFile("testdata/script/" + name + ".txtar")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dir+"/testdata/script/"+name+".txtar", data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("sh", "-c", fmt.Sprintf("chmod -R a+rX %s && chown -R %d:%d %s/home %s/tmp", dir, nobody, nobody, dir, dir)).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(dir+"/script.test", "-test.v", "-test.run=^TestScripts$")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir+"/home", "TMPDIR="+dir+"/tmp", "GOCACHE="+dir+"/home/gocache")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if skipped := bytes.Count(out, []byte("--- SKIP")); skipped > 0 {
		t.Skipf("%d of %d scripts need more than an ordinary user has here", skipped, len(ordinary))
	}
}

// TestGoesOn interrupts the second run: the next verification takes the first one as it was, and says so.
func TestGoesOn(t *testing.T) {
	t.Parallel()
	for name, what := range map[string][]string{"file": {"tool"}, "release": {"tool", "repo/in.txt"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			goesOn(t, what)
		})
	}
}

func goesOn(t *testing.T, what []string) {
	p := newPlace(t, "cp in.txt /out/tool; if test $HOME != /home/builder && ! test -e fast; then sleep MARK; fi")
	args := append(append([]string{"verify"}, what...), "--repo", "repo", "--commit", p.commit)
	cmd := p.program(args...)
	var first bytes.Buffer
	cmd.Stderr = &first
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	for n := 0; len(p.sleepers()) == 0 && n < 600; n++ {
		time.Sleep(100 * time.Millisecond)
	}
	cmd.Process.Signal(os.Interrupt)
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Fatalf("exit code %d, want 130\n%s", code, first.String())
	}
	again := p.program(args...)
	var second bytes.Buffer
	again.Stderr = &second
	if err := again.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { again.Process.Kill() })
	for n := 0; len(p.sleepers()) == 0 && n < 600; n++ {
		time.Sleep(100 * time.Millisecond)
	}
	again.Process.Signal(os.Interrupt)
	again.Wait()
	if text := second.String(); strings.Contains(text, "run 1 of 2") || !strings.Contains(text, "going on from the first run") || !strings.Contains(text, "run 2 of 2") {
		t.Errorf("it did not go on:\n%s", text)
	}
}
