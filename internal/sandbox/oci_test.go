//go:build linux

package sandbox

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// fake writes a program that says that it is an OCI runtime.
func fake(t *testing.T, version, body string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "runtime")
	text := "#!/bin/bash\nif [ \"$1\" = --version ]; then " + version + "; exit; fi\n" + body + "\n"
	if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return name
}

const honest = `printf 'runc version 1.2.3\nspec: 1.0.2\n'`

// TestNoRuntime names programs that are no OCI runtimes.
func TestNoRuntime(t *testing.T) {
	t.Parallel()
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, []byte("text"), 0o644); err != nil {
		t.Fatal(err)
	}
	for program, want := range map[string]string{
		"/no/such/runc": "is no program that can be run: no such file or directory",
		"no-such-runc":  "is no program that can be run",
		"":              "is no program that can be run",
		t.TempDir():     "is no program that can be run",
		plain:           "is no program that can be run: permission denied",
		"/bin/true":     "is no OCI runtime",
		fake(t, "printf 'runc version 0.1\\nspec: 0.5\\n'", ""):   `follows version 0.5 of the OCI runtime specification, not 1`,
		fake(t, "printf 'runc version 2.0\\nspec: 2.0.0\\n'", ""): `follows version 2.0.0 of the OCI runtime specification, not 1`,
		fake(t, "exit 3", ""):                                    "is no OCI runtime: --version: exit status 3",
		fake(t, "yes runc version 1", ""):                        "is no OCI runtime: --version: it does not end",
		fake(t, "sleep 100", ""):                                 "is no OCI runtime: --version: it does not end",
		fake(t, `printf 'a\033[31m version 1\nspec: 1.0\n'`, ""): "is no OCI runtime: --version says",
		fake(t, `printf '%080d version 1\nspec: 1.0\n' 7`, ""):   "is no OCI runtime: --version says",
		fake(t, `echo "git version 2.39.5"`, ""):                 `is no OCI runtime: --version says git version 2.39.5`,
	} {
		patience := time.Second
		if strings.Contains(want, "does not end") {
			patience = 200 * time.Millisecond
		}
		_, err := findOCI(t.Context(), program, patience)
		if err == nil || !strings.Contains(err.Error(), want) || fault.ClassOf(err) != fault.Usage {
			t.Errorf("%q: %v, want %s", program, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "\033") {
			t.Errorf("%q speaks to the terminal", err)
		}
	}
}

// TestLyingRuntimes has runtimes break, hang and cheat. There is never a sandbox, and nothing is left of any.
func TestLyingRuntimes(t *testing.T) {
	t.Parallel()
	c, err := findCarrier()
	if err != nil || !c.fits {
		t.Skipf("no static program: go generate ./internal/sandbox: %v", err)
	}
	const parse = `all=("$@"); while [ "$1" != --bundle ]; do shift; done; bundle=$2; init="$bundle/rootfs/[glassbuild: first process of a sandbox]"; name="/${init##*/}"` + "\n"
	change := func(expression string) string {
		return parse + "sed -z -i '" + expression + "' \"$bundle/config.json\"; exec /usr/sbin/runc \"${all[@]}\""
	}
	for name, c := range map[string]struct {
		body, want, hint string
		runc             bool
	}{
		"ends":              {"echo 'level=error msg=\"no space left\"' >&2; exit 1", `cannot isolate: runtime: the sandbox's first process ended: level=error msg="no space left"`, "--sandbox embedded", false},
		"ends well":         {"exit 0", "the sandbox's first process ended: exit status 0", "--sandbox embedded", false},
		"is killed":         {"kill -9 $$", "the sandbox's first process ended: signal: killed", "--sandbox embedded", false},
		"hangs":             {"sleep 1000", "no first process within 1s", "--sandbox embedded", false},
		"hangs deep":        {"(trap '' TERM INT HUP; sleep 1000) & (sleep 1000 &) ; wait", "no first process within 1s", "--sandbox embedded", false},
		"floods":            {"yes >&2", "no first process within 1s", "", false},
		"plain program":     {parse + `exec "$init"`, "the sandbox's first process ended: exit status 125", "", false},
		"no sandbox":        {parse + `exec -a "$name" "$init"`, "runtime no-new-privileges 0, runtime seccomp mode 0, ", "use another runtime", false},
		"no sandbox either": {parse + `exec -a "$name" "$init"`, "namespace cgroup shared with the host, namespace ipc shared with the host, namespace mnt shared with the host, namespace net shared with the host, namespace pid shared with the host, namespace user shared with the host, namespace uts shared with the host", "", false},
		"no network":        {change(`s/{[^{}]*"network"[^{}]*},//`), "it did not do what its configuration says: namespace net shared with the host", "", true},
		"no pid":            {change(`s/{[^{}]*"pid"[^{}]*},//`), "cannot isolate", "", true},
		"no seccomp":        {change(`s/"seccomp": {/"x": {/`), "it did not do what its configuration says: runtime seccomp mode 0", "", true},
		"new privileges":    {change(`s/"noNewPrivileges": true/"noNewPrivileges": false/`), "it did not do what its configuration says: runtime no-new-privileges 0", "", true},
		"more powers":       {change(`s/"CAP_KILL"/"CAP_KILL","CAP_SYS_RAWIO"/g`), "it did not do what its configuration says: runtime capabilities", "", true},
		"less powers":       {change(`s/"CAP_SYS_ADMIN",//g`), "cannot isolate", "", true},
		"another root":      {change(`s|/sources/0"|/elsewhere"|`), "its source was replaced while the sandbox started", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := os.Stat("/usr/sbin/runc"); err != nil && c.runc {
				t.Skip("NO RUNC HERE")
			}
			if _, err := exec.LookPath("bash"); err != nil {
				t.Skip("NO BASH HERE")
			}
			folder := t.TempDir()
			r, err := findOCI(t.Context(), fake(t, honest, c.body), 10*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			r.folder = func() (string, error) { return os.MkdirTemp(folder, "b") }
			if strings.Contains(c.want, "1s") {
				r.patience = time.Second
			}
			s, err := r.Start(t.Context(), Spec{Mounts: []Mount{{Kind: ReadOnly, Source: "/usr", Target: "/usr"}}})
			if err == nil {
				s.Close()
				t.Fatal("there is a sandbox")
			}
			if !strings.Contains(err.Error(), c.want) || fault.ClassOf(err) != fault.Inconclusive || !strings.Contains(fault.HintOf(err), c.hint) {
				t.Errorf("%v\nhint %s\nwant %s", err, fault.HintOf(err), c.want)
			}
			if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
				t.Errorf("left: %v, %v", left, err)
			}
		})
	}
}
