package recipe

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/pattern"
)

// The environment of a step is a fixed base that the sandbox gives, plus what the recipe sets. The names that a recipe
// may set are a closed list (row by row: what it is for, which values it may have). What is not on the list is refused:
// among it everything that chooses which code runs (LD_PRELOAD and LD_*, PATH, BASH_ENV, NODE_OPTIONS, PYTHONPATH,
// GIT_*), where inputs come from (GOPROXY, npm_config_*), what is verified (GOSUMDB, GONOSUMDB, GOINSECURE, GOAUTH), and
// where results are cached (GOCACHE, GOCACHEPROG). A variable that only the vendor's own build files read belongs on
// the command line (make VERSION=1.2.3) or into a script, where whoever reads the recipe sees what it is for.
var allowedEnv = map[string]func(string) error{
	// the go command: what is built
	"CGO_ENABLED": oneOf("0", "1"),
	"GOOS":        word, "GOARCH": word,
	"GOAMD64": word, "GO386": word, "GOARM": word, "GOARM64": word, "GOMIPS": word, "GOMIPS64": word,
	"GOPPC64": word, "GORISCV64": word, "GOWASM": word, "GOEXPERIMENT": word, "GOFIPS140": word, "GODEBUG": word,
	"GO111MODULE": oneOf("on", "off", "auto"),
	"GOWORK":      oneOf("off"),
	"GOFLAGS":     goFlags,
	"GOROOT":      insidePath, // for a toolchain that is itself what is built
	// C compilers, through the go command or not
	"CC": program, "CXX": program, "FC": program, "AR": program, "AS": program, "LD": program, "NM": program,
	"RANLIB": program, "STRIP": program, "OBJCOPY": program, "PKG_CONFIG": program,
	"CFLAGS": anyText, "CXXFLAGS": anyText, "CPPFLAGS": anyText, "FFLAGS": anyText, "LDFLAGS": anyText,
	"CGO_CFLAGS": anyText, "CGO_CPPFLAGS": anyText, "CGO_CXXFLAGS": anyText, "CGO_FFLAGS": anyText, "CGO_LDFLAGS": anyText,
	"DEB_BUILD_OPTIONS": anyText, "DEB_BUILD_PROFILES": anyText,
	// make and the shell
	"MAKEFLAGS": oneOf("-j1", "-j2", "-j4", "-j8"),
	// Node.js
	"NODE_ENV": oneOf("production", "development", "test"),
	// what the sandbox sets too, and the deliberate variation changes: fixing it is the recipe's admission that it matters
	"SOURCE_DATE_EPOCH": number,
	"TZ":                word, "LANG": word, "LANGUAGE": word, "LC_ALL": word, "LC_COLLATE": word, "LC_CTYPE": word,
	"LC_MESSAGES": word, "LC_NUMERIC": word, "LC_TIME": word,
	"PYTHONHASHSEED": number,
	"CI":             oneOf("true", "false", "1"),
	"NO_COLOR":       oneOf("1"),
}

// AllowedEnv returns the names that a recipe may set, sorted.
func AllowedEnv() []string { return slices.Sorted(maps.Keys(allowedEnv)) }

// why explains the refusals that people run into, by the beginning of the name.
var why = []struct{ prefix, reason string }{
	{"LD_", "it chooses code that every program loads"},
	{"DYLD_", "it chooses code that every program loads"},
	{"GIT_", "git's answers come from the verified commit alone"},
	{"GOPROXY", "registries come from the configuration of whoever verifies"},
	{"GONOPROXY", "registries come from the configuration of whoever verifies"},
	{"npm_config_", "registries come from the configuration of whoever verifies"},
	{"NPM_CONFIG_", "registries come from the configuration of whoever verifies"},
	{"GOSUMDB", "no recipe weakens a check"},
	{"GONOSUM", "no recipe weakens a check"},
	{"GOINSECURE", "no recipe weakens a check"},
	{"GOPRIVATE", "no recipe weakens a check"},
	{"GOAUTH", "no recipe weakens a check"},
	{"GOVCS", "no recipe weakens a check"},
	{"GOTOOLCHAIN", "[builder] go names the toolchain"},
	{"GOCACHE", "every run starts without a cache"},
	{"GOMODCACHE", "the sandbox chooses it"},
	{"GOPATH", "the sandbox chooses it"},
	{"NODE_OPTIONS", "it chooses code that every program loads"},
	{"PATH", "the sandbox chooses it"},
	{"HOME", "the sandbox chooses it"},
}

func checkEnv(env map[string]string, at string, report reporter) error {
	for _, name := range slices.Sorted(maps.Keys(env)) {
		where := at + "." + name
		if strings.ContainsAny(name, ".[") {
			where = at // such a name cannot be allowed; its path could not be found either
		}
		ok, known := allowedEnv[name]
		if !known {
			err := report(where, "environment name %s not allowed", fault.Quote(name))
			for _, w := range why {
				if strings.HasPrefix(name, w.prefix) {
					return err.WithHint("%s", w.reason)
				}
			}
			return err.WithHint("put the variable on the command line of the step, or into a script; allowed are: %s", strings.Join(AllowedEnv(), " "))
		}
		if err := anyText(env[name]); err != nil {
			return report(where, "%s: %v", name, err)
		}
		if err := ok(env[name]); err != nil {
			return report(where, "%s: %v", name, err)
		}
	}
	return nil
}

func oneOf(values ...string) func(string) error {
	return func(s string) error {
		if !slices.Contains(values, s) {
			return fmt.Errorf("%s not allowed, want one of %s", fault.Quote(s), strings.Join(values, ", "))
		}
		return nil
	}
}

var (
	wordPattern    = pattern.New(`^[A-Za-z0-9_.,=:+@/-]{0,1000}$`)
	programPattern = pattern.New(`^[A-Za-z0-9_+][A-Za-z0-9_+.-]{0,100}$`)
	numberPattern  = pattern.New(`^[0-9]{1,18}$`)
)

// word is one value without white space and without a path that climbs.
func word(s string) error {
	if !wordPattern.MatchString(s) || strings.Contains(s, "..") || strings.HasPrefix(s, "/") {
		return fmt.Errorf("%s not allowed", fault.Quote(s))
	}
	return nil
}

// program is the name of a program that the builder holds, never a path: the source tree holds no compiler.
func program(s string) error {
	if !programPattern.MatchString(s) {
		return fmt.Errorf("%s not allowed, want the name of a program", fault.Quote(s))
	}
	return nil
}

func number(s string) error {
	if !numberPattern.MatchString(s) {
		return fmt.Errorf("%s is not a number", fault.Quote(s))
	}
	return nil
}

// insidePath is a path in the source tree, as the sandbox shows it.
func insidePath(s string) error {
	if path.Clean(s) != s || s != SourceDir && !strings.HasPrefix(s, SourceDir+"/") {
		return fmt.Errorf("%s not allowed, want a path below %s", fault.Quote(s), SourceDir)
	}
	return nil
}

func anyText(s string) error {
	if len(s) > MaxEnvValue {
		return fmt.Errorf("exceeds %d bytes", MaxEnvValue)
	}
	if s != "" && !fault.Plain(s) {
		return fmt.Errorf("%s not allowed", fault.Quote(s))
	}
	return nil
}

// goFlags holds GOFLAGS to flags that neither name a program or file (-toolexec, -overlay, -modfile, -exec) nor change
// what is verified (-mod=mod, -insecure).
func goFlags(s string) error {
	for flag := range strings.FieldsSeq(s) {
		name, value, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(flag, "-"), "-"), "=")
		switch {
		case !strings.HasPrefix(flag, "-"):
			return fmt.Errorf("%s is not a flag", fault.Quote(flag))
		case name == "mod" && (value == "vendor" || value == "readonly"):
		case slices.Contains([]string{"trimpath", "buildvcs", "tags", "ldflags", "gcflags", "asmflags", "p", "v", "x", "a", "race", "msan", "asan", "cover", "buildmode", "modcacherw", "linkshared", "compiler", "pgo"}, name) && !strings.Contains(value, "/"):
		default:
			return fmt.Errorf("flag %s not allowed", fault.Quote(flag))
		}
	}
	return nil
}
