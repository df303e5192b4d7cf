package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/kit"
	"github.com/glassbuild/glassbuild/internal/store"
)

func (a *app) cacheCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "cache",
		Short: "Show, verify, trim and wipe what is kept between runs",
		Long: `The cache folder holds what makes the next run quick: clones, modules, packages, builders, results of rebuilds. It is
$XDG_CACHE_HOME/glassbuild, private to you, and everything in it is proved again when it is used. Nothing in it is needed: what is
removed is fetched or made anew.`,
		Example: `  glassbuild cache
  glassbuild cache verify
  glassbuild cache trim --older-than 30d --size 10GB
  glassbuild cache wipe`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			s, err := a.ownStore()
			if s == nil || err != nil {
				return err
			}
			items, err := s.Items()
			if err != nil {
				return err
			}
			return a.write("", cacheTable(s.Dir(), items))
		},
	}
	c.AddCommand(a.cacheVerifyCommand(), a.cacheTrimCommand(), a.cacheWipeCommand())
	return c
}

// ownStore opens the cache. Where there is none it says so and returns nil.
func (a *app) ownStore() (*store.Store, error) {
	dir, err := store.DefaultDir()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(dir); os.IsNotExist(err) {
		return nil, a.write("", []byte(printable(dir)+": nothing is kept\n"))
	}
	return store.Open(dir)
}

func cacheTable(dir string, items []store.Item) []byte {
	type sum struct {
		n    int
		size int64
	}
	kinds, all := map[string]sum{}, sum{}
	for _, i := range items {
		k := kinds[i.Kind]
		kinds[i.Kind] = sum{k.n + 1, k.size + i.Size}
		all = sum{all.n + 1, all.size + i.Size}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", printable(dir))
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		fmt.Fprintf(&b, "  %-28s %6d  %s\n", printable(name), kinds[name].n, kit.Bytes(kinds[name].size))
	}
	fmt.Fprintf(&b, "  %-28s %6d  %s\n", "in all", all.n, kit.Bytes(all.size))
	return []byte(b.String())
}

func (a *app) cacheVerifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify",
		Short: "Hash every file that is kept, and remove what was changed",
		Long: `verify hashes every file in the cache and removes those whose bytes are not what their names say. Builders, clones and results
are proved each time that they are used, and are not looked at here.

Exit codes: 0 everything holds, 1 something was changed and is removed.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := a.ownStore()
			if s == nil || err != nil {
				return err
			}
			checked, damaged, err := s.Verify(c.Context())
			if err != nil {
				return err
			}
			var b strings.Builder
			for _, name := range damaged {
				fmt.Fprintf(&b, "changed, removed: %s\n", printable(name))
			}
			fmt.Fprintf(&b, "%d files hashed, %d changed\n", checked, len(damaged))
			if len(damaged) > 0 {
				a.code = 1
			}
			return a.write("", []byte(b.String()))
		},
	}
}

func (a *app) cacheTrimCommand() *cobra.Command {
	var older, size string
	c := &cobra.Command{
		Use:     "trim",
		Short:   "Remove what was not used for long, or what is more than a size",
		Long:    "trim removes what was last used before a time, then the longest unused until the rest is no larger than a size. While another run is under way it does nothing.",
		Example: "  glassbuild cache trim --older-than 30d --size 10GB",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if older == "" && size == "" {
				return fault.Usagef("cache trim", "missing: what is too much?").WithHint("--older-than 30d, --size 10GB, or both")
			}
			age, err := parseAge(older)
			if err != nil {
				return err
			}
			limit, err := parseSize(size)
			if err != nil {
				return err
			}
			s, err := a.ownStore()
			if s == nil || err != nil {
				return err
			}
			if err := idle(s); err != nil {
				return err
			}
			items, err := s.Items()
			if err != nil {
				return err
			}
			n, freed, err := trim(s, items, time.Now().Add(-age), older != "", limit)
			if err != nil {
				return err
			}
			return a.write("", fmt.Appendf(nil, "%d removed, %s\n", n, kit.Bytes(freed)))
		},
	}
	c.Flags().StringVar(&older, "older-than", "", "remove what was last used longer ago: 30d, 12h")
	c.Flags().StringVar(&size, "size", "", "remove the longest unused until no more than this is left: 10GB, 500MB, 0")
	return c
}

// trim drops items, which come the longest unused first.
func trim(s *store.Store, items []store.Item, before time.Time, aged bool, limit int64) (n int, freed int64, err error) {
	left := int64(0)
	for _, i := range items {
		left += i.Size
	}
	for _, i := range items {
		if !(aged && i.Used.Before(before)) && !(limit >= 0 && left > limit) {
			continue
		}
		if err := s.Drop(i); err != nil {
			return n, freed, err
		}
		n, freed, left = n+1, freed+i.Size, left-i.Size
	}
	return n, freed, nil
}

// idle refuses while a run may use what would be removed.
func idle(s *store.Store) error {
	if s.Busy() {
		return fault.Inconclusivef("cache", "another run is under way and may use it").WithHint("wait for it to end")
	}
	return nil
}

func (a *app) cacheWipeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "wipe",
		Short: "Remove everything that is kept",
		Long: `wipe removes the cache folder with everything in it. Files are unlinked, not overwritten: what a disk keeps of removed files is the
disk's matter. Stored trusted roots and histories of tags are not in it. While another run is under way it does nothing.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			s, err := a.ownStore()
			if s == nil || err != nil {
				return err
			}
			if err := idle(s); err != nil {
				return err
			}
			return s.Wipe()
		},
	}
}

// parseAge reads a duration; "d" is a day.
func parseAge(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	bad := fault.Usagef("--older-than", "%s is no duration", fault.Quote(text)).WithHint("30d, 12h, 90m")
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil || n < 0 || n > 36_500 {
			return 0, bad
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, bad
	}
	return d, nil
}

// parseSize reads a number of bytes; -1 is no limit.
func parseSize(text string) (int64, error) {
	if text == "" {
		return -1, nil
	}
	factor := int64(1)
	number := text
	for suffix, f := range map[string]int64{"GB": 1e9, "MB": 1e6, "kB": 1e3} {
		if rest, ok := strings.CutSuffix(text, suffix); ok {
			number, factor = rest, f
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > 1e9 && factor > 1 {
		return 0, fault.Usagef("--size", "%s is no size", fault.Quote(text)).WithHint("10GB, 500MB, 0")
	}
	return n * factor, nil
}
