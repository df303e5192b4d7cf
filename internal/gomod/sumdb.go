package gomod

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Status is what is known of one hash. The zero value is not a status.
type Status string

// Only Verified is good. Mismatch is proof of something wrong, the other two are lack of proof.
const (
	Verified Status = "verified" // the checksum database has this hash
	Private  Status = "private"  // the user's configuration forbids asking the database
	Unknown  Status = "unknown"  // the database has no record, or could not be asked; see Detail
	Mismatch Status = "mismatch" // the database has another hash
)

// Checker asks one checksum database. It is safe for concurrent use.
type Checker struct {
	env    Env
	db     Database
	client *sumdb.Client
	ops    *sumOps
}

// NewChecker returns a checker that keeps what it verified in dir, which nobody else may write: the tree head that was
// seen last, so that a database that shows another history later is caught, and the records and tiles, so that the
// check can be repeated offline.
func NewChecker(src *Source, dir string) (*Checker, error) {
	c := &Checker{env: src.env, db: src.db}
	if c.db.Name == "" {
		return c, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fault.Inconclusivef(dir, "%w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fault.Inconclusivef(dir, "%w", err)
	}
	c.ops = &sumOps{src: src, root: root, missing: map[string]bool{}}
	c.client = sumdb.NewClient(c.ops)
	return c, nil
}

// Close releases the folder.
func (c *Checker) Close() error {
	if c.ops == nil {
		return nil
	}
	return c.ops.root.Close()
}

// Check compares sum ("h1:…") with the database's record of a module's zip, or of its go.mod file when version ends in
// "/go.mod".
func (c *Checker) Check(ctx context.Context, mod module.Version, sum string) (Status, string) {
	if c.env.private(mod.Path) {
		return Private, "not in the checksum database (private)"
	}
	if c.client == nil {
		return Unknown, "the checksum database is switched off by GOSUMDB"
	}
	c.ops.enter(ctx)
	lines, err := c.client.Lookup(mod.Path, mod.Version)
	if forged := c.ops.forged(); forged != "" {
		return Mismatch, "the checksum database misbehaves: " + forged
	}
	if err != nil && c.ops.isMissing(mod) {
		return Unknown, "the checksum database has no record of it"
	}
	if err != nil {
		return Unknown, "the checksum database could not be asked: " + err.Error()
	}
	prefix := mod.Path + " " + mod.Version + " h1:"
	for _, line := range lines {
		if line == mod.Path+" "+mod.Version+" "+sum {
			return Verified, ""
		}
		if strings.HasPrefix(line, prefix) {
			return Mismatch, fmt.Sprintf("the checksum database has %s, got %s", line[len(prefix)-len("h1:"):], sum)
		}
	}
	return Unknown, "the checksum database's record lacks it"
}

// sumOps gives the database client its network and its files.
type sumOps struct {
	src  *Source
	root *os.Root

	mu       sync.Mutex
	ctx      context.Context
	security string
	missing  map[string]bool // lookups that the database answered with "not there"
}

func (o *sumOps) enter(ctx context.Context) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ctx = context.WithoutCancel(ctx) // an answer is shared by every caller that waits for it
}

func (o *sumOps) forged() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.security
}

// isMissing tells whether the database itself said that it has no record: the client's errors do not say so.
func (o *sumOps) isMissing(mod module.Version) bool {
	p, errPath := module.EscapePath(mod.Path)
	v, errVersion := module.EscapeVersion(strings.TrimSuffix(mod.Version, "/go.mod"))
	o.mu.Lock()
	defer o.mu.Unlock()
	return errPath == nil && errVersion == nil && o.missing["/lookup/"+p+"@"+v]
}

func (o *sumOps) ReadRemote(name string) ([]byte, error) {
	o.mu.Lock()
	ctx := o.ctx
	o.mu.Unlock()
	data, err := o.src.ReadSum(ctx, strings.TrimPrefix(name, "/"))
	if errors.Is(err, fs.ErrNotExist) {
		o.mu.Lock()
		o.missing[name] = true
		o.mu.Unlock()
	}
	return data, err
}

func (o *sumOps) ReadConfig(name string) ([]byte, error) {
	if name == "key" {
		return []byte(o.src.db.Key), nil
	}
	data, err := o.readFile("config", name)
	if errors.Is(err, fs.ErrNotExist) {
		return []byte{}, nil // nothing seen yet
	}
	return data, err
}

// WriteConfig replaces the last tree head if it still is old. Two processes can lose an update to each other, never
// write a head that does not continue the one that they read: the client has proved that.
func (o *sumOps) WriteConfig(name string, old, data []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	now, err := o.ReadConfig(name)
	if err != nil {
		return err
	}
	if !bytes.Equal(now, old) {
		return sumdb.ErrWriteConflict
	}
	return o.writeFile("config", name, data)
}

func (o *sumOps) ReadCache(name string) ([]byte, error) { return o.readFile("cache", name) }

// WriteCache keeps a verified record or tile; a failure only costs the next lookup a download.
func (o *sumOps) WriteCache(name string, data []byte) { _ = o.writeFile("cache", name, data) }

func (o *sumOps) readFile(kind, name string) ([]byte, error) {
	f, err := o.root.Open(filepath.Join(kind, filepath.FromSlash(name)))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxSum+1))
	if err == nil && (len(data) > MaxSum || len(data) == 0) {
		err = fs.ErrNotExist
	}
	return data, err
}

func (o *sumOps) writeFile(kind, name string, data []byte) error {
	name = filepath.Join(kind, filepath.FromSlash(name))
	if err := o.root.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	tmp := fmt.Sprintf("%s.%d.tmp", name, os.Getpid())
	f, err := o.root.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = o.root.Rename(tmp, name)
	}
	if err != nil {
		o.root.Remove(tmp)
	}
	return err
}

func (o *sumOps) Log(string) {}

func (o *sumOps) SecurityError(msg string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.security, _, _ = strings.Cut(strings.TrimSpace(msg), "\n")
}
