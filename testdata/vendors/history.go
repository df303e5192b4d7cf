package vendors

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// day returns ten o'clock on a day of the vendor's history.
func day(month time.Month, d int) time.Time { return time.Date(2026, month, d, 10, 0, 0, 0, time.UTC) }

// repositories tells how each repository is made, by its name.
func repositories() map[string]func(*maker, *repo) error {
	return map[string]func(*maker, *repo) error{
		"repo":                          mainHistory,
		"repo-unreproducible":           fork("unreproducible", "Say when the scanner was built"),
		"repo-copied":                   forkBlob("copied", corpusPlain),
		"repo-copied-gzip":              forkBlob("copied-gzip", corpusGzip),
		"repo-copied-nested":            forkBlob("copied-nested", corpusTar),
		"repo-disguised":                forkBlob("disguised", corpusDisguised),
		"repo-unreproducible-container": fork("unreproducible-container", "Say when the archive was packed"),
		"repo-dependency":               forkDependency("dependency", dependencyStripped, stripped),
		"repo-dependency-strips":        forkDependency("dependency-strips", dependencyWhole, whole),
		"repo-release":                  fork("release", "Ship for two systems"),
		"repo-host-builder":             fork("host-builder", "Build with the machine's own Go"),
		"repo-export-subst":             forkExportSubst,
		"repo-asks-git":                 fork("asks-git", "Say which commit was built"),
		"repo-vendored":                 forkVendored(nil),
		"repo-vendored-edited":          forkVendored(editDecoder),
		"repo-renamed-tag":              renamedTag,
		"repo-network":                  fork("network", "Fetch the rules while building"),
		"repo-linked-output":            fork("linked-output", "Link the program into place"),
		"repo-overwrites-compiler":      fork("overwrites-compiler", "Tune the compiler"),
	}
}

// repo returns a repository, made when it is first asked for.
func (m *maker) repo(name string) (*repo, error) {
	if r, ok := m.repos[name]; ok {
		return r, nil
	}
	r, err := m.newRepo(name)
	if err != nil {
		return nil, err
	}
	if err := repositories()[name](m, r); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	m.repos[name] = r
	m.expected.Repos[name] = r.file
	return r, nil
}

// mainHistory is the honest vendor: signed commits by two people, signed tags, and a branch that nobody reviewed.
func mainHistory(m *maker, r *repo) error {
	all, err := m.readTree("kestrel")
	if err != nil {
		return err
	}
	first := all.without("cmd", "rules", "glassbuild.toml", "engine/scan.go", "engine/engine_test.go")
	readme, _, _ := strings.Cut(string(all["README.md"]), "## Building a release")
	first["README.md"] = []byte(strings.TrimSpace(readme) + "\n")
	second := all.without("cmd/kestrel-rules", "cmd/pack", "glassbuild.toml", "rules/persistence.toml", "rules/install.toml")
	second["README.md"] = first["README.md"]
	third := all.without("cmd/pack", "glassbuild.toml", "rules/install.toml")
	third["README.md"] = first["README.md"]
	fourth := third.with(tree{"rules/install.toml": all["rules/install.toml"]})

	ada, bot := m.keys["maintainer"], m.keys["release"]
	parent := ""
	for _, c := range []struct {
		name string
		change
	}{
		{"", change{files: first, by: ada, when: day(1, 12), message: "Read rules and match patterns\n"}},
		{"", change{files: second, by: ada, when: day(1, 19), message: "Add the scanner\n"}},
		{"v1.2.0", change{files: third, by: ada, when: day(2, 2), message: "List, validate and compile rules\n"}},
		{"", change{files: fourth, by: ada, when: day(2, 16), message: "Find install scripts that fetch\n"}},
		{"v1.3.0", change{files: all, by: bot, when: day(3, 2), message: "Pack releases the same way every time\n"}},
	} {
		c.sign = true
		if parent != "" {
			c.parents = []string{parent}
		}
		if parent, err = r.commit(c.change); err != nil {
			return err
		}
		if c.name == "" {
			continue
		}
		if err := r.tag(c.name, parent, bot, c.when.Add(time.Hour)); err != nil {
			return err
		}
		r.file.Commits[c.name] = parent
	}
	return mainBranches(m, r, all)
}

func mainBranches(m *maker, r *repo, all tree) error {
	release := r.file.Commits["v1.3.0"]
	edited := strings.Replace(string(all["README.md"]), "never uses the network.", "never uses the network, not even for rules.", 1)
	tip, err := r.commit(change{
		parents: []string{release}, files: all.with(tree{"README.md": []byte(edited)}),
		by: m.keys["maintainer"], sign: true, when: day(3, 9), message: "Say it plainly\n",
	})
	if err != nil {
		return err
	}
	r.file.Commits["tip"] = tip
	if err := r.branch("main", tip); err != nil {
		return err
	}
	// the branch that nobody reviewed, unsigned
	faster := strings.Replace(string(all["cmd/kestrel/main.go"]), "64<<20", "8<<20", 1)
	side, err := r.commit(change{
		parents: []string{release}, files: all.with(tree{"cmd/kestrel/main.go": []byte(faster)}),
		by: m.keys["contractor"], when: day(3, 10), message: "Skip large files by default\n",
	})
	if err != nil {
		return err
	}
	r.file.Commits["side"] = side
	if err := r.branch("skip-large-files", side); err != nil {
		return err
	}
	// the commit that no branch or tag reaches, as a forge keeps those of forks and of deleted branches
	bad, err := m.readTree("variants/tampered")
	if err != nil {
		return err
	}
	r.file.Commits["unreachable"], err = r.commit(change{
		parents: []string{release}, files: all.with(bad),
		by: m.keys["contractor"], sign: true, when: day(3, 11), message: "Measure how the scanner is used\n",
	})
	return err
}

// fork makes a repository with the main history and one more commit, tagged v1.3.1, whose files are the variant's laid
// over those of v1.3.0.
func fork(variant, message string) func(*maker, *repo) error {
	return func(m *maker, r *repo) error { return r.fork(variant, message, nil) }
}

// fork is the function of the same name, with more files.
func (r *repo) fork(variant, message string, more tree) error {
	if err := mainHistory(r.m, r); err != nil {
		return err
	}
	files, err := r.m.readTree("kestrel")
	if err != nil {
		return err
	}
	over, err := r.m.readTree("variants/" + variant)
	if err != nil {
		return err
	}
	bot := r.m.keys["release"]
	id, err := r.commit(change{
		parents: []string{r.file.Branches["main"]}, files: files.with(over, more),
		by: bot, sign: true, when: day(4, 13), message: message + "\n",
	})
	if err != nil {
		return err
	}
	r.file.Commits["v1.3.1"] = id
	if err := r.branch("main", id); err != nil {
		return err
	}
	return r.tag("v1.3.1", id, bot, day(4, 13).Add(time.Hour))
}

// renamedTag serves the signed tag v1.2.0 under the name v1.9.0: every signature holds, and an old release looks new.
func renamedTag(m *maker, r *repo) error {
	if err := mainHistory(m, r); err != nil {
		return err
	}
	old := filepath.Join(r.dir, "refs", "tags", "v1.2.0")
	if err := os.Rename(old, filepath.Join(r.dir, "refs", "tags", "v1.9.0")); err != nil {
		return err
	}
	r.file.Tags["v1.9.0"] = r.file.Tags["v1.2.0"]
	delete(r.file.Tags, "v1.2.0")
	return nil
}
