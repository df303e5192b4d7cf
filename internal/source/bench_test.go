//go:build bench && linux

package source

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-git/go-billy/v5/osfs"
	gogit "github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/storage/filesystem"
)

// The benchmark makes repositories, exports their commit with this package, with `git worktree add` and (the smallest)
// with go-git's checkout, each in a process of its own, in turn, five times, and prints medians of CPU (user and
// system, of the whole process tree), wall time and peak memory, and their ratios to git's. GLASSBUILD_BENCH_FILES and
// GLASSBUILD_BENCH_REPOS (DIR=COMMIT, comma-separated) choose other sizes and repositories.
const (
	benchRounds = 5
	benchEnv    = "GLASSBUILD_BENCH_EXPORT" // makes the test binary the measured process
)

func TestMain(m *testing.M) {
	if job := os.Getenv(benchEnv); job != "" {
		runJob(job)
		return
	}
	os.Exit(m.Run())
}

func runJob(job string) {
	f := strings.SplitN(job, " ", 4)
	how, repo, id, out := f[0], f[1], f[2], f[3]
	var err error
	switch how {
	case "own":
		var c *Commit
		if c, err = Open(context.Background(), repo, id, Options{}); err == nil {
			_, err = c.Export(context.Background(), out)
		}
	case "go-git":
		err = goGitCheckout(repo, id, out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// goGitCheckout checks out with go-git, its index kept out of the repository.
func goGitCheckout(repo, id, out string) error {
	st := filesystem.NewStorage(osfs.New(repo), cache.NewObjectLRUDefault())
	r, err := gogit.Open(st, osfs.New(out))
	if err != nil {
		return err
	}
	w, err := r.Worktree()
	if err != nil {
		return err
	}
	return w.Checkout(&gogit.CheckoutOptions{Hash: plumbing.NewHash(id), Force: true})
}

type cost struct {
	cpu, wall time.Duration
	rss       int64 // KiB
}

func measure(t *testing.T, env []string, argv ...string) cost {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(gitEnv(), env...)
	cmd.Stderr = os.Stderr
	start := time.Now()
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %v", argv, err)
	}
	wall := time.Since(start)
	use := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return cost{cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), wall, use.Maxrss}
}

func median(costs []cost) cost {
	pick := func(key func(cost) int64) int64 {
		var v []int64
		for _, c := range costs {
			v = append(v, key(c))
		}
		slices.Sort(v)
		return v[len(v)/2]
	}
	return cost{
		time.Duration(pick(func(c cost) int64 { return int64(c.cpu) })), time.Duration(pick(func(c cost) int64 { return int64(c.wall) })),
		pick(func(c cost) int64 { return c.rss }),
	}
}

func TestBenchExport(t *testing.T) {
	// what is written goes to memory, so that the disk's mood is not measured
	dir, err := os.MkdirTemp("/dev/shm", "bench-source-")
	if err != nil {
		dir = t.TempDir()
	}
	defer os.RemoveAll(dir)
	fmt.Printf("%-28s %-9s %8s %8s %8s %7s %7s\n", "repository", "by", "CPU s", "wall s", "RSS MiB", "CPU/git", "wall/git")
	var perFile []float64
	for i, files := range benchFiles(t) {
		repo := filepath.Join(dir, "repo"+strconv.Itoa(files))
		id := generate(t, repo, files)
		own := compareExports(t, dir, fmt.Sprintf("%d files", files), repo, id, i == 0)
		perFile = append(perFile, own.cpu.Seconds()/float64(files))
		os.RemoveAll(repo)
	}
	for i := range perFile {
		fmt.Printf("CPU per file, size %d of the first: %.2f\n", i+1, perFile[i]/perFile[0])
	}
	for _, pair := range strings.Split(os.Getenv("GLASSBUILD_BENCH_REPOS"), ",") {
		if repo, id, ok := strings.Cut(pair, "="); ok {
			compareExports(t, dir, filepath.Base(filepath.Dir(repo)), repo, id, true)
		}
	}
}

func benchFiles(t *testing.T) []int {
	list := os.Getenv("GLASSBUILD_BENCH_FILES")
	if list == "" {
		list = "13000,100000,300000"
	}
	var out []int
	for _, s := range strings.Split(list, ",") {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, n)
	}
	return out
}

func compareExports(t *testing.T, dir, name, repo, id string, withGoGit bool) cost {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out")
	// git writes into its repository when it adds a work tree: it gets one of its own, with the same packs
	shared := filepath.Join(dir, "shared")
	share(t, repo, shared)
	defer os.RemoveAll(shared)
	git := existing(t, shared)
	var own, theirs, gogit []cost
	for round := range benchRounds {
		own = append(own, measure(t, []string{benchEnv + "=own " + repo + " " + id + " " + out}, self))
		os.RemoveAll(out)
		theirs = append(theirs, measure(t, nil, "git", "-C", shared, "worktree", "add", "-q", "--detach", out, id))
		os.RemoveAll(out)
		git.run("worktree", "prune")
		if withGoGit && round < 3 {
			gogit = append(gogit, measure(t, []string{benchEnv + "=go-git " + shared + " " + id + " " + out}, self))
			os.RemoveAll(out)
		}
	}
	print := func(by string, c, base cost) {
		fmt.Printf("%-28s %-9s %8.3f %8.3f %8d %7.2f %7.2f\n", name, by, c.cpu.Seconds(), c.wall.Seconds(), c.rss>>10,
			c.cpu.Seconds()/base.cpu.Seconds(), c.wall.Seconds()/base.wall.Seconds())
	}
	base := median(theirs)
	print("git", base, base)
	print("own", median(own), base)
	if len(gogit) > 0 {
		print("go-git", median(gogit), base)
	}
	return median(own)
}

// share makes a bare repository that has the packs of another one by hard links.
func share(t *testing.T, repo, shared string) {
	existing(t, "/").run("init", "-q", "--bare", shared)
	files, err := filepath.Glob(filepath.Join(repo, "objects/pack/pack-*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		to := filepath.Join(shared, "objects/pack", filepath.Base(f))
		if os.Link(f, to) == nil {
			continue
		}
		// from another file system; not through this process's memory, which the measured ones begin with
		if out, err := exec.Command("cp", f, to).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
}

// generate makes a bare repository with that many files of source-like text, in three commits that change a part of
// them, packed as git packs by default.
func generate(t *testing.T, repo string, files int) string {
	t.Helper()
	existing(t, "/").run("init", "-q", "--bare", "-b", "main", repo)
	cmd := exec.Command("git", "fast-import", "--quiet", "--force")
	cmd.Dir, cmd.Env, cmd.Stderr = repo, gitEnv(), os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriterSize(in, 1<<20)
	random := rand.New(rand.NewPCG(7, 7))
	for commit := range 3 {
		fmt.Fprintf(w, "commit refs/heads/main\ncommitter A <a@b> %d +0000\ndata 1\nm\n", 1_700_000_000+commit)
		for i := range files {
			if commit > 0 && i%10 != commit {
				continue
			}
			body := source(random, i, commit)
			fmt.Fprintf(w, "M 644 inline d%d/p%d/f%d.go\ndata %d\n%s\n", i/2000, i/20%100, i, len(body), body)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	g := existing(t, repo)
	g.run("repack", "-q", "-a", "-d", "-f", "--window=4", "--depth=50")
	return g.run("rev-parse", "main")
}

// words make text that compresses about as source does.
var words = strings.Fields("func return if err != nil { } := range for package import string int byte error the of and to in is that it as with " +
	"config client server request response handler context value index buffer reader writer close open parse format")

func source(random *rand.Rand, i, commit int) string {
	var b strings.Builder
	fixed := rand.New(rand.NewPCG(uint64(i), 1))
	size := 500 + int(fixed.ExpFloat64()*7500)
	for b.Len() < size {
		b.WriteString(words[fixed.IntN(len(words))])
		switch fixed.IntN(9) {
		case 0:
			fmt.Fprintf(&b, "%x", fixed.Uint32())
		case 1:
			b.WriteString("\n\t")
		default:
			b.WriteByte(' ')
		}
	}
	if commit > 0 {
		fmt.Fprintf(&b, "\n// change %d %x\n", commit, random.Uint64())
	}
	return b.String()
}
