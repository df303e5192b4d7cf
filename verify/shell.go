package verify

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/sandbox"
)

// maxShown bounds what `cat` shows, maxListed what `ls` lists.
const (
	maxShown  = 1 << 20
	maxListed = 10_000
)

// shell looks around in a sandbox in which a step failed: the builder's own /bin/sh where there is one, else the few
// commands below. It is for people who repair a recipe; no verdict comes of it.
type shell struct {
	session sandbox.Session
	env     []string
	dir     string
	scratch string // host folder for listings
	in      io.Reader
	out     io.Writer
}

const shellHelp = `The builder holds no shell. Programs of the builder run with their arguments, and:
  cd DIR   pwd   ls [DIR]   cat FILE   env   help   exit
`

func (s *shell) run(ctx context.Context) error {
	_, err := s.session.Run(ctx, sandbox.Step{Argv: []string{"/bin/sh", "-i"}, Env: s.env, Dir: s.dir, Terminal: true, In: s.in, Out: s.out})
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	fmt.Fprint(s.out, shellHelp)
	lines := bufio.NewScanner(s.in)
	for {
		fmt.Fprintf(s.out, "sandbox:%s> ", fault.Quote(s.dir))
		if !lines.Scan() {
			return lines.Err()
		}
		argv, err := words(lines.Text())
		if err == nil && len(argv) > 0 {
			if argv[0] == "exit" {
				return nil
			}
			err = s.command(ctx, argv)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			fmt.Fprintln(s.out, printable(err.Error()))
		}
	}
}

func (s *shell) command(ctx context.Context, argv []string) error {
	arg := s.dir
	if len(argv) > 1 {
		arg = argv[1]
		if !path.IsAbs(arg) {
			arg = path.Join(s.dir, arg)
		}
	}
	switch argv[0] {
	case "cd":
		s.dir = path.Clean(arg)
	case "pwd":
		fmt.Fprintln(s.out, fault.Quote(s.dir))
	case "env":
		for _, e := range s.env {
			fmt.Fprintln(s.out, fault.Quote(e))
		}
	case "help":
		fmt.Fprint(s.out, shellHelp)
	case "cat":
		data, err := s.session.Read(ctx, arg, maxShown)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(data)) {
			fmt.Fprintln(s.out, printable(strings.ReplaceAll(strings.TrimSuffix(line, "\n"), "\t", "    ")))
		}
	case "ls":
		return s.list(ctx, arg)
	default:
		r, err := s.session.Run(ctx, sandbox.Step{Argv: argv, Env: s.env, Dir: s.dir, Terminal: true, In: s.in, Out: s.out})
		if err == nil && r.ExitCode != 0 {
			fmt.Fprintf(s.out, "exit code %d\n", r.ExitCode)
		}
		return err
	}
	return nil
}

func (s *shell) list(ctx context.Context, dir string) error {
	tmp, err := os.MkdirTemp(s.scratch, "ls-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	all, err := s.session.Outputs(ctx, dir, path.Join(tmp, "x"), sandbox.OutputLimits{Files: maxListed, Bytes: scratchListing})
	if err != nil {
		return err
	}
	for _, o := range all {
		if o.Path != "" && !strings.Contains(o.Path, "/") {
			fmt.Fprintf(s.out, "%-9s %10d  %s\n", o.Kind, o.Size, fault.Quote(o.Path))
		}
	}
	return nil
}

// scratchListing is what a listing may copy on the way: the session has no verb that only lists.
const scratchListing = 4 << 30

// words splits a line at white space; quotes hold words together.
func words(line string) ([]string, error) {
	var list []string
	var word strings.Builder
	var quote rune
	open := false
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, open = r, true
		case r == ' ' || r == '\t':
			if open || word.Len() > 0 {
				list = append(list, word.String())
			}
			word.Reset()
			open = false
		default:
			word.WriteRune(r)
		}
	}
	if quote != 0 {
		return nil, errors.New("a quote is not closed")
	}
	if open || word.Len() > 0 {
		list = append(list, word.String())
	}
	return list, nil
}
