package verify

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/remote"
	"github.com/glassbuild/glassbuild/internal/source"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

const (
	maxHistory     = 64 << 20 // bytes of a history file
	maxHistoryLine = 8 << 10
)

// seenTag is one line of the auditor's history file: where a tag pointed when it was first seen.
type seenTag struct {
	Format     int    `json:"format"`
	Repository string `json:"repository"` // URL without credentials, or the full path of a folder
	Tag        string `json:"tag"`
	Object     string `json:"object"` // what the ref points at
	Commit     string `json:"commit"`
	Seen       string `json:"seen"` // day, in UTC
}

// tagHistory holds the tags of the repository against the history file, and adds those that are new, all under one lock.
// A tag that was moved is not added: the file keeps what was seen first, until the auditor edits it.
func (r *run) tagHistory() error {
	if r.history == "" {
		return nil
	}
	name := fault.Quote(filepath.Base(r.history))
	f, err := os.OpenFile(r.history, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o644)
	if err != nil {
		return fault.Usagef("--history", "%s: %w", name, bare(err))
	}
	defer f.Close()
	if err := lockHistory(f); err != nil {
		return fault.Inconclusivef(name, "cannot be locked: %w", bare(err))
	}
	entries, size, err := readHistory(name, f)
	if err != nil {
		return err
	}
	where, err := r.repository()
	if err != nil {
		return err
	}
	facts, fresh := compareTags(entries, repositoryKey(where), r.commit.Facts().Tags, r.now)
	r.facts.Source.History = facts
	return appendHistory(name, f, size, fresh)
}

// repositoryKey names a repository in the auditor's own file.
func repositoryKey(where string) string {
	if strings.Contains(where, "://") {
		return strings.TrimSuffix(strings.TrimRight(remote.Redact(where), "/"), ".git")
	}
	if abs, err := filepath.Abs(where); err == nil {
		where = abs
	}
	if real, err := filepath.EvalSymlinks(where); err == nil {
		where = real
	}
	return where
}

// compareTags finds moved tags. An entry is about this repository if it has its name, or if under the name that it has some
// tag was seen at a commit that carries a tag here too: then it is another clone of the same repository.
func compareTags(entries []seenTag, key string, tags []source.Tag, now time.Time) (*verdict.TagHistory, []seenTag) {
	here := map[string]bool{}
	for _, t := range tags {
		here[t.Commit] = true
	}
	same := map[string]bool{key: true}
	for _, e := range entries {
		if here[e.Commit] {
			same[e.Repository] = true
		}
	}
	earlier := map[string][]seenTag{}
	for _, e := range entries {
		if same[e.Repository] {
			earlier[e.Tag] = append(earlier[e.Tag], e)
		}
	}
	h := &verdict.TagHistory{}
	var fresh []seenTag
	for _, t := range tags {
		old := earlier[t.Name]
		if len(old) == 0 {
			h.New++
			fresh = append(fresh, seenTag{1, key, t.Name, t.Object, t.Commit, now.UTC().Format(time.DateOnly)})
			continue
		}
		h.Known++
		for _, e := range old {
			if e.Commit != t.Commit {
				h.Moved = append(h.Moved, verdict.MovedTag{Name: t.Name, Before: e.Commit, Now: t.Commit, Seen: e.Seen})
				break
			}
		}
	}
	return h, fresh
}

// readHistory reads the whole file and refuses what it does not understand: a line that is skipped is a tag that may move.
func readHistory(name string, f *os.File) ([]seenTag, int64, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, 0, fault.Inconclusivef(name, "%w", bare(err))
	}
	if !st.Mode().IsRegular() || st.Size() > maxHistory {
		return nil, 0, fault.Usagef(name, "is no file of at most %d MiB", maxHistory>>20)
	}
	var list []seenTag
	lines := bufio.NewScanner(io.NewSectionReader(f, 0, st.Size()))
	lines.Buffer(nil, maxHistoryLine)
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		e, err := parseSeen(lines.Bytes())
		if err != nil {
			return nil, 0, fault.Usagef(name, "line %d: %w", n, err).WithHint("the file holds one JSON object on each line, as glassbuild writes them")
		}
		list = append(list, e)
	}
	if err := lines.Err(); err != nil {
		return nil, 0, fault.Usagef(name, "%w", err)
	}
	last := make([]byte, 1)
	if st.Size() > 0 {
		if _, err := f.ReadAt(last, st.Size()-1); err != nil {
			return nil, 0, fault.Inconclusivef(name, "%w", bare(err))
		}
		if last[0] != '\n' {
			return nil, 0, fault.Usagef(name, "its last line has no end").WithHint("take the torn line out")
		}
	}
	return list, st.Size(), nil
}

func parseSeen(line []byte) (seenTag, error) {
	var e seenTag
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil {
		return e, errors.New("malformed")
	}
	if _, err := d.Token(); err != io.EOF {
		return e, errors.New("trailing data")
	}
	if e.Format != 1 || e.Repository == "" || e.Tag == "" || e.Commit == "" {
		return e, errors.New("incomplete, or of another format")
	}
	return e, nil
}

// appendHistory adds the entries with one write; where that fails, the file is as it was.
func appendHistory(name string, f *os.File, size int64, fresh []seenTag) error {
	if len(fresh) == 0 {
		return nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for _, e := range fresh {
		if err := enc.Encode(e); err != nil {
			return fault.Inconclusivef(name, "%w", err)
		}
	}
	if size+int64(b.Len()) > maxHistory {
		return fault.Usagef(name, "exceeds %d MiB", maxHistory>>20)
	}
	_, err := f.Write(b.Bytes())
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		if terr := f.Truncate(size); terr != nil {
			err = errors.Join(err, terr)
		}
		return fault.Inconclusivef(name, "cannot be written: %w", bare(err))
	}
	return nil
}
