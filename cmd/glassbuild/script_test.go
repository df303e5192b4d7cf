package main

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/glassbuild/glassbuild/internal/builder/debian"
	"github.com/glassbuild/glassbuild/verify"
)

// TestMain lets this test binary be the program: whatever it is started as decides, see testscript.Main.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"glassbuild": main, "sigstore-kms-keyfile": playKeyFile, "sigstore-kms-token": playToken})
}

// TestScripts runs the program as a person would, from testdata/script. What a script can do beside the commands of
// testscript stands in commands_test.go.
func TestScripts(t *testing.T) {
	t.Parallel()
	runScripts(t, testscript.Params{Dir: "testdata/script"}, "embedded")
}

// TestScriptsOverRunc runs the builds that fail, differ, copy, link or never end in sandboxes that runc makes.
func TestScriptsOverRunc(t *testing.T) {
	t.Parallel()
	const runc = "/usr/sbin/runc"
	if _, err := os.Stat(runc); err != nil {
		t.Skipf("NO RUNC HERE: %v", err)
	}
	runScripts(t, testscript.Params{Files: []string{"testdata/script/build-faults.txtar", "testdata/script/hostile-builds.txtar"}}, runc)
}

// TestE2EScripts holds what would disturb everything that runs beside it.
func TestE2EScripts(t *testing.T) {
	if os.Getenv("GLASSBUILD_E2E") == "" {
		t.Skip("slow or rough: make e2e runs it")
	}
	runScripts(t, testscript.Params{Dir: "testdata/e2e"}, "embedded")
}

// runScripts runs scripts with $SANDBOX as what is to make sandboxes.
func runScripts(t *testing.T, p testscript.Params, sandbox string) {
	t.Helper()
	p.RequireExplicitExec, p.RequireUniqueNames, p.Cmds = true, true, commands
	p.Setup = func(env *testscript.Env) error {
		env.Setenv("SANDBOX", sandbox)
		return setup(env)
	}
	p.Condition = func(name string) (bool, error) {
		switch name {
		case "sandbox":
			return sandboxed(t), nil
		case "debian":
			system, err := debian.LoadSystem("/")
			return err == nil && len(system.Mirrors("bookworm", "main")) > 0, nil
		case "netns":
			return exec.Command("unshare", "--user", "--map-root-user", "--net", "true").Run() == nil, nil
		case "npm":
			return npmRegistry() != "", nil
		case "root":
			return os.Geteuid() == 0, nil
		case "runc":
			_, err := os.Stat("/usr/sbin/runc")
			return err == nil, nil
		}
		return false, nil
	}
	testscript.Run(t, p)
}

// sandboxed tells whether this machine can rebuild at all; where it cannot, the program's own answer is tested alone.
func sandboxed(t *testing.T) bool {
	return probe(t)
}

var (
	probed     sync.Once
	canRebuild bool
)

func probe(t *testing.T) bool {
	probed.Do(func() { _, canRebuild = verify.Doctor(t.Context()) })
	return canRebuild
}

// setup gives every script a home, a cache and a git of its own.
func setup(env *testscript.Env) error {
	home := filepath.Join(env.WorkDir, ".home")
	for _, dir := range []string{home, filepath.Join(env.WorkDir, ".cache")} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(home, "gitconfig"), []byte(gitConfig), 0o600); err != nil {
		return err
	}
	// the go command, which is asked where modules come from, counts its own runs in the home
	if err := os.MkdirAll(filepath.Join(home, "go", "telemetry"), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(home, "go", "telemetry", "mode"), []byte("off"), 0o600); err != nil {
		return err
	}
	cache, _ := exec.Command("go", "env", "GOCACHE").Output()
	hook, err := filepath.Abs("../../docs/ci/pre-receive")
	if err != nil {
		return err
	}
	if kept, err := os.UserCacheDir(); err == nil { // packages and roots of a Debian suite: cost a minute each
		env.Setenv("DEBIAN_CACHE", filepath.Join(kept, "glassbuild-e2e", "debian"))
	}
	env.Vars = append(env.Vars, "HOOK="+hook,
		"HOME="+home, "XDG_CACHE_HOME="+filepath.Join(env.WorkDir, ".cache"), "XDG_CONFIG_HOME="+home,
		"GOCACHE="+strings.TrimSpace(string(cache)), "GOFLAGS=", "GOENV=off", "NO_PROXY=", "HTTPS_PROXY=", "HTTP_PROXY=",
		"npm_config_registry="+npmRegistry(),
		"GIT_CONFIG_GLOBAL="+filepath.Join(home, "gitconfig"), "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_DATE=2026-01-02T03:04:05Z", "GIT_COMMITTER_DATE=2026-01-02T03:04:05Z")
	return nil
}

// npmRegistry is the registry that this machine's npm is configured with; "" where there is no npm, or the registry does not answer.
var npmRegistry = sync.OnceValue(func() string {
	c := exec.Command("npm", "config", "get", "registry")
	c.Dir = os.TempDir()
	out, err := c.Output()
	registry := strings.TrimSuffix(strings.TrimSpace(string(out)), "/")
	if err != nil || registry == "" {
		return ""
	}
	resp, err := http.Get(registry + "/npm/9.8.1")
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return ""
	}
	return registry
})

const gitConfig = "[user]\n\tname = Ada\n\temail = ada@example.org\n[init]\n\tdefaultBranch = main\n[advice]\n\tdetachedHead = false\n[core]\n\tautocrlf = false\n"
