package sandbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/sandbox/wire"
)

func (s *session) Outputs(ctx context.Context, target, dst string, limits OutputLimits) ([]Output, error) {
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	if err := insidePath("output", target); err != nil {
		return nil, err
	}
	if limits.Files == 0 {
		limits.Files = defaultOutputFiles
	}
	if limits.Bytes == 0 {
		limits.Bytes = defaultOutputBytes
	}
	if err := os.MkdirAll(dst, 0o700); err != nil {
		return nil, fault.Inconclusivef(fault.Quote(dst), "cannot be made: %w", err)
	}
	root, err := os.OpenRoot(dst)
	if err != nil {
		return nil, fault.Inconclusivef(fault.Quote(dst), "cannot be opened: %w", err)
	}
	defer root.Close()
	order := wire.Collect{Path: target, Files: limits.Files, Bytes: limits.Bytes, PathBytes: maxOutputPath, MaxDepth: maxOutputDepth}
	if err := wire.Send(s.control, wire.KindCollect, order); err != nil {
		return nil, s.broke(err)
	}
	c := &collection{s: s, root: root, limits: limits, target: target}
	return c.receive(ctx)
}

func (s *session) List(ctx context.Context, target string, files int) ([]Output, error) {
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	if err := insidePath("folder", target); err != nil {
		return nil, err
	}
	if files == 0 {
		files = defaultOutputFiles
	}
	order := wire.Collect{Path: target, Files: files, PathBytes: maxOutputPath, MaxDepth: maxOutputDepth, Names: true}
	if err := wire.Send(s.control, wire.KindCollect, order); err != nil {
		return nil, s.broke(err)
	}
	c := &collection{s: s, limits: OutputLimits{Files: files}, target: target}
	return c.receive(ctx)
}

// collection takes in what the first process sends. It checks every bound itself again.
type collection struct {
	s      *session
	root   *os.Root // nil: nothing but names is asked for
	limits OutputLimits
	target string
	out    []Output
	bytes  int64
}

func (c *collection) receive(ctx context.Context) ([]Output, error) {
	for {
		f, err := c.s.next(ctx, startTimeout)
		if err != nil {
			return nil, c.s.broke(err)
		}
		if f.kind == wire.KindEnd {
			return c.out, c.s.concludeAnswer(c.target, f)
		}
		var e wire.Entry
		if err := f.decode(wire.KindEntry, &e); err != nil {
			return nil, c.s.broke(err)
		}
		if err := c.entry(ctx, e); err != nil {
			return nil, c.s.broke(err)
		}
	}
}

// concludeAnswer turns the end of an answer into an error, or nil.
func (s *session) concludeAnswer(object string, f frame) error {
	var end wire.End
	if err := f.decode(wire.KindEnd, &end); err != nil {
		return s.broke(err)
	}
	switch trouble := end.Fault; {
	case trouble == nil:
		return nil
	case trouble.Missing:
		return fault.Failf(fault.Quote(object), "does not exist in the sandbox: %w", fs.ErrNotExist)
	case trouble.Limit:
		return fault.Inconclusivef(fault.Quote(object), "limit reached: %s", trouble.Error())
	case trouble.Blame:
		return fault.Failf(fault.Quote(object), "%s", trouble.Error())
	default:
		return fault.Inconclusivef(fault.Quote(object), "cannot be read from the sandbox: %s", trouble.Error())
	}
}

func (c *collection) entry(ctx context.Context, e wire.Entry) error {
	name := string(e.Path)
	if name != "" && (!filepath.IsLocal(name) || path.Clean(name) != name || len(name) > maxOutputPath || strings.ContainsRune(name, 0)) {
		return fmt.Errorf("a path that is none: %q", name)
	}
	if len(c.out) >= c.limits.Files {
		return fmt.Errorf("more than %d entries", c.limits.Files)
	}
	out := Output{Path: name, Kind: e.Kind, Mode: mode(e), Size: e.Size, ModTime: e.ModTime, Link: string(e.Link), Problem: e.Problem}
	switch {
	case c.root == nil:
		if e.Content {
			return fmt.Errorf("contents that nobody asked for: %q", name)
		}
	case e.Content:
		if e.Kind != wire.EntryFile || e.Problem != "" || e.Mode&0o7000 != 0 || e.Size < 0 {
			return fmt.Errorf("contents of what has none: %q", name)
		}
		if c.bytes += e.Size; c.bytes > c.limits.Bytes {
			return fmt.Errorf("more than %d bytes", c.limits.Bytes)
		}
		sum, err := c.file(ctx, name, e)
		if err != nil {
			return err
		}
		out.SHA256 = sum
	case e.Kind == wire.EntryDirectory:
		if err := c.root.Mkdir(filepath.FromSlash(name), 0o755); err != nil {
			return err
		}
	}
	c.out = append(c.out, out)
	return nil
}

func mode(e wire.Entry) fs.FileMode {
	m := fs.FileMode(e.Mode & 0o777)
	for _, b := range []struct {
		bit  uint32
		mode fs.FileMode
	}{{unix.S_ISUID, fs.ModeSetuid}, {unix.S_ISGID, fs.ModeSetgid}, {unix.S_ISVTX, fs.ModeSticky}} {
		if e.Mode&b.bit != 0 {
			m |= b.mode
		}
	}
	switch e.Kind {
	case wire.EntryDirectory:
		m |= fs.ModeDir
	case wire.EntryLink:
		m |= fs.ModeSymlink
	case wire.EntryDevice:
		m |= fs.ModeDevice
	case wire.EntryFIFO:
		m |= fs.ModeNamedPipe
	case wire.EntrySocket:
		m |= fs.ModeSocket
	}
	return m
}

// file makes one file of the contents that follow. Only whether somebody may execute it is kept of its mode.
func (c *collection) file(ctx context.Context, name string, e wire.Entry) (string, error) {
	perm := fs.FileMode(0o644)
	if e.Mode&0o111 != 0 {
		perm = 0o755
	}
	local := filepath.FromSlash(name)
	if local == "" {
		local = path.Base(c.target)
	}
	f, err := c.root.OpenFile(local, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	err = c.s.content(ctx, e.Size, io.MultiWriter(f, sum))
	if err == nil {
		err = f.Chmod(perm) // whatever this process's umask is
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", err
	}
	when := time.Unix(e.ModTime, 0)
	if err := c.root.Chtimes(local, when, when); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// content receives exactly size bytes.
func (s *session) content(ctx context.Context, size int64, to io.Writer) error {
	for size > 0 {
		f, err := s.next(ctx, startTimeout)
		if err != nil {
			return err
		}
		if f.kind != wire.KindData || int64(len(f.payload)) > size || len(f.payload) == 0 {
			return errors.New("contents end early")
		}
		if _, err := to.Write(f.payload); err != nil {
			return err
		}
		size -= int64(len(f.payload))
		select {
		case s.spare <- f.payload:
		default:
		}
	}
	return nil
}

func (s *session) Read(ctx context.Context, name string, limit int64) ([]byte, error) {
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	if err := insidePath("file", name); err != nil {
		return nil, err
	}
	if limit < 0 || limit > maxRead {
		return nil, fault.Usagef(fault.Quote(name), "limit of %d bytes is out of range", limit)
	}
	if err := wire.Send(s.control, wire.KindRead, wire.ReadFile{Path: name, Limit: limit}); err != nil {
		return nil, s.broke(err)
	}
	var data []byte
	for {
		f, err := s.next(ctx, startTimeout)
		if err != nil {
			return nil, s.broke(err)
		}
		if f.kind == wire.KindEnd {
			if err := s.concludeAnswer(name, f); err != nil {
				return nil, err
			}
			return data, nil
		}
		if f.kind != wire.KindData || int64(len(data)+len(f.payload)) > limit {
			return nil, s.broke(errors.New("unexpected answer to a read"))
		}
		data = append(data, f.payload...)
	}
}
