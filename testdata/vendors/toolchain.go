package vendors

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// readGoEnv takes from the user's Go configuration where modules and toolchains come from and where they are kept, and
// nothing that could change what is built.
func (m *maker) readGoEnv() error {
	names := []string{"GOPROXY", "GOSUMDB", "GOPRIVATE", "GONOPROXY", "GONOSUMDB", "GOAUTH", "GOINSECURE", "GOVCS",
		"GOCACHE", "GOMODCACHE", "GOPATH"}
	out, err := run(exec.CommandContext(m.ctx, "go", append([]string{"env", "-json"}, names...)...))
	if err != nil {
		return err
	}
	var values map[string]string
	if err := json.Unmarshal(out, &values); err != nil {
		return fmt.Errorf("go env: %w", err)
	}
	m.goproxy = values["GOPROXY"]
	m.goEnv = append(cleanEnv("GO", "GIT_", "CGO_", "SOURCE_DATE_EPOCH="), gitEnv...)
	m.goEnv = append(m.goEnv, "GOENV=off", "GOWORK=off", "GOTELEMETRY=off", "GOTOOLCHAIN="+Toolchain, "CGO_ENABLED=0")
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if values[name] != "" {
			m.goEnv = append(m.goEnv, name+"="+values[name])
		}
	}
	return nil
}

// target is what the releases are for, whatever the machine that they are made on.
var target = []string{"GOOS=linux", "GOARCH=amd64", "GOAMD64=v1"}

// build runs the go command in a work tree for the target. The output is kept by name: a second build with the same
// name is the first one's file.
func (m *maker) build(name, dir string, args ...string) (string, error) {
	if file, ok := m.outputs[name]; ok {
		return file, nil
	}
	out := filepath.Join(m.work, "built", name)
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return "", err
	}
	if err := m.goRun(dir, target, append([]string{"build", "-o", out}, args...)...); err != nil {
		return "", err
	}
	m.outputs[name] = out
	return out, nil
}

// goRun runs the go command for this machine, or for what env says.
func (m *maker) goRun(dir string, env []string, args ...string) error {
	cmd := exec.CommandContext(m.ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(slices.Clone(m.goEnv), env...)
	_, err := run(cmd)
	return err
}

// goroot is the root of the pinned toolchain.
func (m *maker) goroot() (string, error) {
	cmd := exec.CommandContext(m.ctx, "go", "env", "GOROOT")
	cmd.Dir, cmd.Env = m.work, m.goEnv
	out, err := run(cmd)
	return strings.TrimSpace(string(out)), err
}

// hostGo is the environment with the Go that this machine has, whatever version it is.
func (m *maker) hostGo() []string { return []string{"GOTOOLCHAIN=local"} }

// doctor makes a copy of the pinned toolchain in which <pkg>/<pkg>.go is another: links to everything else.
func (m *maker) doctor(pkg string, change func([]byte) ([]byte, error)) (root, goTool string, err error) {
	original, err := m.goroot()
	if err != nil {
		return "", "", err
	}
	root, err = os.MkdirTemp(m.work, "goroot-")
	if err != nil {
		return "", "", err
	}
	for _, dir := range []string{"", "src", "src/" + pkg} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return "", "", err
		}
		entries, err := os.ReadDir(filepath.Join(original, dir))
		if err != nil {
			return "", "", err
		}
		for _, e := range entries {
			at := filepath.Join(dir, e.Name())
			if at == "src" || at == "src/"+pkg || at == filepath.Join("src", pkg, pkg+".go") {
				continue
			}
			if err := os.Symlink(filepath.Join(original, at), filepath.Join(root, at)); err != nil {
				return "", "", err
			}
		}
	}
	file := filepath.Join("src", pkg, pkg+".go")
	text, err := os.ReadFile(filepath.Join(original, file))
	if err == nil {
		text, err = change(text)
	}
	if err != nil {
		return "", "", err
	}
	return root, filepath.Join(original, "bin", "go"), os.WriteFile(filepath.Join(root, file), text, 0o644)
}
