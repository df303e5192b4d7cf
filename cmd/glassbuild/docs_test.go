package main

import (
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/crypto/ssh"

	"github.com/glassbuild/glassbuild/internal/policy"
	"github.com/glassbuild/glassbuild/internal/recipe"
)

// snippet is a block or a span of code in a document.
type snippet struct {
	place, language, text string
	inline                bool
}

var codeSpan = regexp.MustCompile("`([^`\n]+)`")

// snippets returns the code of a Markdown document: fenced, indented by four blanks, and within lines.
func snippets(t *testing.T, file string) []snippet {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var list []snippet
	var open *snippet
	for line := range strings.Lines(string(data)) {
		fence, isFence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case isFence && open == nil:
			open = &snippet{place: filepath.Base(file), language: fence}
		case isFence:
			list, open = append(list, *open), nil
		case open != nil:
			open.text += line
		case strings.HasPrefix(line, "    "):
			list = append(list, snippet{place: filepath.Base(file), text: line[4:]})
		default:
			for _, m := range codeSpan.FindAllStringSubmatch(line, -1) {
				list = append(list, snippet{place: filepath.Base(file), text: m[1], inline: true})
			}
		}
	}
	if open != nil {
		t.Errorf("%s: a fence is not closed", file)
	}
	return list
}

func documents(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d documents: %v", len(files), err)
	}
	return append(files, "../../README.md")
}

// TestDocumentedCommands holds every command line of the documents against the commands and flags that there are.
func TestDocumentedCommands(t *testing.T) {
	t.Parallel()
	checked := 0
	for _, file := range documents(t) {
		for _, s := range snippets(t, file) {
			if s.language == "toml" {
				continue
			}
			for line := range strings.Lines(strings.ReplaceAll(s.text, "\\\n", " ")) {
				line = strings.TrimPrefix(strings.TrimSpace(line), "$ ")
				line = strings.TrimPrefix(line, "bin/")
				words, ok := commandLine(line)
				if !ok {
					continue
				}
				checked++
				if err := understood(words, s.inline); err != nil {
					t.Errorf("%s: %s\n%v", s.place, line, err)
				}
			}
		}
	}
	if checked < 10 {
		t.Errorf("only %d command lines found", checked)
	}
}

// substitution is a command whose output a shell would put there.
var substitution = regexp.MustCompile(`\$\([^)]*\)`)

// commandLine splits what stands after "glassbuild" as a shell would, up to a comment, a pipe or a redirection.
func commandLine(line string) ([]string, bool) {
	rest, ok := strings.CutPrefix(line, "glassbuild ")
	if !ok || strings.HasPrefix(rest, " ") {
		return nil, false
	}
	rest = substitution.ReplaceAllString(rest, "VALUE")
	var words []string
	for word := range strings.FieldsSeq(rest) {
		if strings.ContainsAny(word, "#|>;&") {
			break
		}
		words = append(words, strings.Trim(word, `"'`))
	}
	return words, len(words) > 0
}

// understood parses a command line as the program does, without running it. A mention within a sentence may leave
// arguments out.
func understood(words []string, mention bool) error {
	root := newApp(nil, os.Stdout, os.Stderr).command()
	c, rest, err := root.Find(words)
	if err != nil {
		return err
	}
	if c == root && !strings.HasPrefix(words[0], "-") {
		return errors.New("no such command")
	}
	c.InitDefaultHelpFlag()
	if c == root {
		c.InitDefaultVersionFlag()
	}
	if err := c.ParseFlags(rest); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return nil
		}
		return err
	}
	if mention {
		return nil
	}
	return c.ValidateArgs(c.Flags().Args())
}

// TestDocumentedFiles parses every TOML snippet as what it is: a recipe, a lock or a policy.
func TestDocumentedFiles(t *testing.T) {
	t.Parallel()
	kinds := map[string]int{}
	for _, file := range documents(t) {
		for _, s := range snippets(t, file) {
			if s.language != "toml" {
				continue
			}
			kind := kindOf(s.text)
			kinds[kind]++
			if err := parseAs(t, kind, s.text); err != nil {
				t.Errorf("%s: %s: %v\n%s", s.place, kind, err, s.text)
			}
		}
	}
	for _, kind := range []string{"recipe", "lock", "policy"} {
		if kinds[kind] == 0 {
			t.Errorf("no document shows a %s", kind)
		}
	}
}

var (
	ofRecipe = regexp.MustCompile(`(?m)^\[\[?(builder|vcs|env|fetch|step|artifact)\]`)
	ofLock   = regexp.MustCompile(`(?m)^(recipe = |\[\[fetched\]\])`)
)

func kindOf(text string) string {
	switch {
	case ofLock.MatchString(text):
		return "lock"
	case ofRecipe.MatchString(text):
		return "recipe"
	}
	return "policy"
}

// parseAs reads a document. A fragment of a recipe gets the tables that every recipe has.
func parseAs(t *testing.T, kind, text string) error {
	t.Helper()
	if !strings.Contains(text, "format = 1") {
		text = "format = 1\n" + text
		for table, rest := range map[string]string{"[builder]": "go = \"1.26.5\"", "[[step]]": "run = [\"x\"]", "[[artifact]]": "output = \"x\""} {
			if kind == "recipe" && !strings.Contains(text, table) {
				text += "\n" + table + "\n" + rest + "\n"
			}
		}
	}
	var err error
	switch kind {
	case "recipe":
		_, err = recipe.Parse("glassbuild.toml", []byte(text))
	case "lock":
		_, err = recipe.ParseLock("glassbuild.lock", []byte(text))
	default:
		text = keyFile.ReplaceAllStringFunc(text, func(string) string { return `ssh = "` + newKey(t) + `"` })
		file := filepath.Join(t.TempDir(), "policy.toml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = policy.Load(file, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	}
	return err
}

// keyFile is a key of a policy that names a file, which lies beside the policy and not beside the document: another key
// stands in for it.
var keyFile = regexp.MustCompile(`(?m)^(openpgp|key|x509) = "[^"]+"`)

func newKey(t *testing.T) string {
	t.Helper()
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}

// TestDocumentedKeys looks for every key of recipe, lock and policy in its document.
func TestDocumentedKeys(t *testing.T) {
	t.Parallel()
	for document, sources := range map[string][]string{
		"../../docs/recipe.md": {"../../internal/recipe/recipe.go", "../../internal/recipe/lock.go"},
		"../../docs/policy.md": {"../../internal/policy/policy.go", "../../internal/policy/principals.go", "../../internal/policy/source.go", "../../internal/policy/provenance.go", "../../internal/policy/quorum.go"},
	} {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, source := range sources {
			code, err := os.ReadFile(source)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range regexp.MustCompile("`toml:\"([a-z0-9][a-z0-9-]*)").FindAllStringSubmatch(string(code), -1) {
				if !regexp.MustCompile(`(?m)[\x60\[. ]` + m[1] + `[\x60\] =.]`).Match(text) {
					t.Errorf("%s says nothing of %q", filepath.Base(document), m[1])
				}
			}
		}
	}
	for _, name := range recipe.AllowedEnv() {
		text, _ := os.ReadFile("../../docs/recipe.md")
		if !strings.HasPrefix(name, "CGO_") && !strings.HasPrefix(name, "LC_") && !strings.Contains(string(text), name) {
			t.Errorf("recipe.md says nothing of the variable %s", name)
		}
	}
}
