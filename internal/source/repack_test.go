package source

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// busyRepo is a repository of many small commits, all loose.
func busyRepo(t *testing.T) (r *gitRepo, id string) {
	t.Helper()
	r = newRepo(t)
	r.run("config", "gc.auto", "0")
	for i := range 8 {
		for j := range 40 {
			r.write(fmt.Sprintf("d%d/f%d", j%5, j), strings.Repeat(fmt.Sprintln("line", i*j), 50))
		}
		id = r.commit(fmt.Sprint("commit ", i))
		r.run("tag", fmt.Sprint("v", i))
	}
	return r, id
}

// Whoever repacks a repository while it is read changes where objects lie, and nothing else.
func TestRepackedWhileRead(t *testing.T) {
	t.Parallel()
	for name, repack := range map[string]func(r *gitRepo){
		"loose objects packed": func(r *gitRepo) { r.run("repack", "-q", "-a", "-d"); r.run("prune-packed", "-q") },
		"packs replaced": func(r *gitRepo) {
			r.run("repack", "-q", "-a", "-d")
			r.run("repack", "-q", "-a", "-d", "-f", "--depth=1")
		},
		"gc":       func(r *gitRepo) { r.run("gc", "-q", "--prune=now") },
		"unpacked": func(r *gitRepo) { unpack(r) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, id := busyRepo(t)
			_, want := exported(t, open(t, r.dir, id, Options{}))
			if name == "unpacked" || name == "packs replaced" {
				r.run("gc", "-q", "--prune=now")
			}
			c := open(t, r.dir, id, Options{Need: NeedTags | NeedHistory})
			repack(r)
			_, got := exported(t, c)
			if got.SHA256 != want.SHA256 {
				t.Error("digest differs")
			}
			first := r.run("rev-list", "--max-parents=0", id)
			commits := 0
			for _, err := range c.History(context.Background(), first) {
				if err != nil {
					t.Fatal(err)
				}
				commits++
			}
			if commits != 7 {
				t.Errorf("%d commits", commits)
			}
			// what came later is found as well
			repack(r)
			if got := len(open(t, r.dir, id, Options{Need: NeedTags}).Facts().Tags); got != 8 {
				t.Errorf("%d tags", got)
			}
		})
	}
}

// unpack makes every packed object a loose one.
func unpack(r *gitRepo) {
	packs, err := filepath.Glob(filepath.Join(r.dir, ".git/objects/pack/*"))
	if err != nil {
		r.t.Fatal(err)
	}
	aside := r.t.TempDir()
	for _, p := range packs {
		if err := os.Rename(p, filepath.Join(aside, filepath.Base(p))); err != nil {
			r.t.Fatal(err)
		}
		if strings.HasSuffix(p, ".pack") {
			r.run("-c", "core.bigFileThreshold=1g", "config", "alias.unpack", "!git unpack-objects -q <")
			r.run("unpack", filepath.Join(aside, filepath.Base(p)))
		}
	}
}

func TestOpenedWhileRepacked(t *testing.T) {
	t.Parallel()
	r, id := busyRepo(t)
	_, want := exported(t, open(t, r.dir, id, Options{}))
	done := make(chan error, 1)
	go func() {
		for i := range 6 {
			cmd := exec.Command("sh", "-ec", "git repack -q -a -d -f --depth=$1; git pack-refs --all; git update-ref refs/heads/other $2", "sh", fmt.Sprint(1+i), id)
			cmd.Dir, cmd.Env = r.dir, gitEnv()
			if err := cmd.Run(); err != nil {
				done <- err
				return
			}
		}
		close(done)
	}()
	for running := true; running; {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			running = false
		default:
		}
		c := open(t, r.dir, id, Options{Need: NeedTags})
		if f := c.Facts(); len(f.Tags) != 8 || len(f.Refs) < 2 {
			t.Fatalf("%d tags, refs %v", len(f.Tags), f.Refs)
		}
		if _, got := exported(t, c); got.SHA256 != want.SHA256 {
			t.Fatal("digest differs")
		}
		c.Close()
	}
}
