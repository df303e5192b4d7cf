package gomod

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// LoadEnv reads the user's configuration in the order of the go command: the environment, the user's go/env file, the go.env of
// the installation that is on PATH. It executes nothing, and a machine without Go has a configuration too.
func LoadEnv() (Env, error) {
	var files []map[string]string
	for _, path := range []string{userEnvFile(), installedEnvFile()} {
		if path == "" {
			continue
		}
		env, err := readEnvFile(path)
		if err != nil {
			return Env{}, err
		}
		files = append(files, env)
	}
	return envFrom(os.Getenv, files), nil
}

func envFrom(getenv func(string) string, files []map[string]string) Env {
	get := func(name string) string {
		v := getenv(name)
		for _, f := range files {
			v = cmp.Or(v, f[name])
		}
		return v
	}
	private := get("GOPRIVATE")
	return Env{
		GOPROXY: get("GOPROXY"), GONOPROXY: cmp.Or(get("GONOPROXY"), private), GOPRIVATE: private,
		GOSUMDB: get("GOSUMDB"), GONOSUMDB: cmp.Or(get("GONOSUMDB"), private),
	}
}

func userEnvFile() string {
	switch path := os.Getenv("GOENV"); path {
	case "off":
		return ""
	case "":
	default:
		return path
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "go", "env")
}

// installedEnvFile returns GOROOT/go.env of the go command on PATH: it holds the distribution's defaults.
func installedEnvFile() string {
	root := os.Getenv("GOROOT")
	if root == "" {
		path, err := exec.LookPath("go")
		if err != nil {
			return ""
		}
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return ""
		}
		root = filepath.Dir(filepath.Dir(path))
	}
	return filepath.Join(root, "go.env")
}

// readEnvFile reads KEY=VALUE lines as the go command does; a missing file is empty.
func readEnvFile(path string) (map[string]string, error) {
	data, err := readBounded(os.DirFS(filepath.Dir(path)), filepath.Base(path), maxEnvFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fault.Usagef(path, "%w", err)
	}
	env := map[string]string{}
	for line := range strings.Lines(string(data)) {
		line = strings.TrimRight(line, "\r\n")
		key, value, ok := strings.Cut(line, "=")
		if !ok || line[0] == '#' || key == "" || key[0] < 'A' || key[0] > 'Z' {
			continue
		}
		if _, seen := env[key]; !seen {
			env[key] = value
		}
	}
	return env, nil
}
