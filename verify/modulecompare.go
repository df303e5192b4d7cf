package verify

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/module"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/gomod"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// compareModule holds the shipped zip against the packed one: as one file, and where that differs file by file.
func (r *run) compareModule(ctx context.Context, m *packedModule, packed string) error {
	r.req.Progress("comparing")
	out := r.facts.Rebuild.Outputs[0]
	sum, err := r.published(ctx, m.mod)
	if err != nil {
		return err
	}
	c := &verdict.Comparison{Whole: verdict.Different, Counts: map[string]int{}}
	if r.subject.SHA256 == out.SHA256 && r.subject.Size == out.Size {
		c.Whole = verdict.Identical
		c.Members = []verdict.MemberResult{{Path: r.shipped.Name, State: verdict.Identical, SHA256: out.SHA256, Size: out.Size, Output: out.Name}}
	} else {
		ours, err := sumFile(m.mod, packed)
		if err != nil {
			return err
		}
		r.moduleMembers(m, c)
		// the same files, in a container that other software wrote or that holds something else beside them: not identical
		if ours == sum && !slices.ContainsFunc(c.Members, func(x verdict.MemberResult) bool { return x.State != verdict.Identical }) && len(r.shipped.Hostile) == 0 {
			c.Whole = verdict.NotRebuilt
		}
	}
	for _, x := range c.Members {
		c.Counts[x.State]++
	}
	if c.Whole != verdict.Identical {
		for _, p := range r.shipped.Hostile {
			r.facts.Problems = append(r.facts.Problems, verdict.ProblemOf(p.Err, verdict.CheckArtefact))
		}
	}
	r.facts.Comparison = c
	return nil
}

// moduleMembers names each file that is not the commit's, and each of the commit's that is missing.
func (r *run) moduleMembers(m *packedModule, c *verdict.Comparison) {
	seen := map[string]bool{}
	differs := func(path, sha, want, why string, size int64) {
		c.Members = append(c.Members, verdict.MemberResult{Path: path, State: verdict.Different, SHA256: sha, Size: size,
			Difference: &verdict.Difference{Rebuilt: verdict.Digest{Name: path, SHA256: want}, Bytes: max(size, 1), Stable: true, Explain: []string{why}}})
	}
	packed := m.packedNames()
	for _, x := range r.shipped.Root.Members {
		if x.Type != artifact.File {
			differs(x.Path, x.SHA256, "", "it is no plain file", x.Size)
			continue
		}
		want, ok := packed[x.Path]
		switch {
		case !ok || seen[x.Path]:
			differs(x.Path, x.SHA256, "", "the module at this commit has no such file", x.Size)
		case want != x.SHA256:
			differs(x.Path, x.SHA256, want, "the commit has other content there", x.Size)
		default:
			c.Members = append(c.Members, verdict.MemberResult{Path: x.Path, State: verdict.Identical, SHA256: x.SHA256, Size: x.Size, TreePath: strings.TrimPrefix(x.Path, m.prefix())})
		}
		seen[x.Path] = true
	}
	for name, want := range packed {
		if !seen[name] {
			differs(name, "", want, "it is missing in what was shipped", 0)
		}
	}
	slices.SortStableFunc(c.Members, func(a, b verdict.MemberResult) int { return strings.Compare(a.Path, b.Path) })
}

func (m *packedModule) prefix() string { return m.mod.Path + "@" + m.mod.Version + "/" }

// published looks the shipped zip's hash up in the checksum database, and returns the hash.
func (r *run) published(ctx context.Context, mod module.Version) (string, error) {
	file, err := r.copyShipped()
	if err != nil {
		return "", err
	}
	sum, err := sumFile(mod, file)
	if err != nil {
		return "", withCheck(err, verdict.CheckPublished)
	}
	env, err := gomod.LoadEnv()
	if err != nil {
		return "", withCheck(err, verdict.CheckPublished)
	}
	src, err := gomod.NewSource(env, r.remote)
	if err != nil {
		return "", withCheck(err, verdict.CheckPublished)
	}
	checker, err := gomod.NewChecker(src, filepath.Join(r.store.Dir(), "sumdb"))
	if err != nil {
		return "", withCheck(err, verdict.CheckPublished)
	}
	defer checker.Close()
	status, detail := checker.Check(ctx, mod, sum)
	if status == gomod.Unknown && src.Sealed() {
		// elsewhere the database says that it has no record; a kit can leave out the record of what was altered
		return "", fault.Inconclusivef(mod.Path+"@"+mod.Version, "cannot be looked up in a kit: %s", detail).WithCheck(verdict.CheckPublished)
	}
	r.facts.Published = &verdict.Module{Path: mod.Path, Version: mod.Version, Hash: sum, Status: string(status), Detail: detail}
	return sum, nil
}

// copyShipped makes a plain file of the snapshot, which the zip library wants.
func (r *run) copyShipped() (string, error) {
	c, err := r.shipped.Content(r.subject)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if c.Size() > maxModuleFile {
		return "", fault.Failf(fault.Quote(r.shipped.Name), "exceeds limit: %d bytes", c.Size()).WithCheck(verdict.CheckArtefact)
	}
	dir, err := r.dir.Dir("module")
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "shipped.zip")
	f, err := os.Create(file)
	if err != nil {
		return "", fault.Inconclusivef("module zip", "%w", bare(err))
	}
	defer f.Close()
	if _, err := io.Copy(f, io.NewSectionReader(c, 0, c.Size())); err != nil {
		return "", fault.Inconclusivef("module zip", "%w", bare(err))
	}
	return file, nil
}

// sumFile is the hash of a module zip as go.sum has it.
func sumFile(mod module.Version, file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", fault.Inconclusivef("module zip", "%w", bare(err))
	}
	defer f.Close()
	return gomod.SumZip(mod, f)
}
