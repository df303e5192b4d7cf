package builder

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/mod/sumdb"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/gomod"
	"github.com/glassbuild/glassbuild/internal/remote"
	"github.com/glassbuild/glassbuild/internal/store"
)

// evidence is what proves a record of the checksum database without network: the signed tree head, the record, and the tiles
// of the proofs, under the names that the sumdb client gives them.
type evidence struct {
	Latest []byte            `json:"latest"`
	Files  map[string][]byte `json:"files"`
}

// latestKind is the kind of the store's entry that holds the newest tree head that was seen. Every later head must
// contain it: a database that shows different trees to different people, or at different times, is caught.
const latestKind = "checksum-database"

// database is one session with the checksum database; it implements sumdb.ClientOps. What it is handed is recorded, so that
// the same verification can be made again from the record alone.
type database struct {
	ctx    context.Context
	key    string
	kept   *evidence // when set, nothing else is read
	online *gomod.Source
	store  *store.Store

	mu       sync.Mutex
	seen     evidence
	security string // what the client said when it caught the database lying
	failed   error  // why something could not be read
}

// ReadRemote fetches from the database.
func (d *database) ReadRemote(path string) ([]byte, error) {
	if d.kept != nil {
		return nil, fs.ErrNotExist
	}
	data, err := d.online.ReadSum(d.ctx, strings.TrimPrefix(path, "/"))
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil {
		d.failed = err
		return nil, err
	}
	d.seen.Files[d.online.Database().Name+path] = data
	return data, nil
}

// ReadConfig returns the key, or the newest tree head known.
func (d *database) ReadConfig(file string) ([]byte, error) {
	if file == "key" {
		return []byte(d.key), nil
	}
	if d.kept != nil {
		return d.kept.Latest, nil
	}
	known, _ := d.store.Result(latestKind, file)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seen.Latest = known
	return slices.Clone(known), nil // empty: trust on first use
}

// WriteConfig replaces the newest tree head known, if nobody else did meanwhile.
func (d *database) WriteConfig(file string, old, new []byte) error {
	if d.kept != nil {
		return errors.New("kept evidence does not change")
	}
	known, _ := d.store.Result(latestKind, file)
	if string(known) != string(old) {
		return sumdb.ErrWriteConflict
	}
	if err := d.store.PutResult(latestKind, file, new); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seen.Latest = slices.Clone(new)
	return nil
}

// ReadCache returns kept evidence; a live session reads everything anew.
func (d *database) ReadCache(file string) ([]byte, error) {
	if d.kept != nil {
		if data, ok := d.kept.Files[file]; ok {
			return data, nil
		}
	}
	return nil, fs.ErrNotExist
}

// WriteCache has nothing to do: what was read is recorded where it was read.
func (d *database) WriteCache(string, []byte) {}

// Log has nothing to say.
func (d *database) Log(string) {}

// SecurityError remembers that the database was caught.
func (d *database) SecurityError(msg string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.security = msg
}

// lookup returns the hash that the database has for the zip of a module version.
func (d *database) lookup(path, version string) (string, error) {
	d.seen.Files = map[string][]byte{}
	lines, err := sumdb.NewClient(d).Lookup(path, version)
	d.mu.Lock()
	defer d.mu.Unlock()
	object := "checksum database, " + path + "@" + version
	switch {
	case d.security != "":
		return "", fault.Failf(object, "the database contradicts itself: %s", fault.Quote(firstLine(d.security)))
	case d.ctx.Err() != nil:
		return "", d.ctx.Err()
	case d.failed != nil:
		return "", d.failed
	case err != nil:
		return "", fault.Failf(object, "not proven: %s", fault.Quote(err.Error()))
	case len(lines) != 1:
		return "", fault.Failf(object, "ambiguous record: %d hashes", len(lines))
	}
	hash := strings.TrimPrefix(lines[0], path+" "+version+" ")
	if !strings.HasPrefix(hash, "h1:") {
		return "", fault.Failf(object, "unknown kind of hash %s", fault.Quote(hash))
	}
	return hash, nil
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	return s
}

// prove looks a module version up, live, and returns its hash with evidence that was verified a second time on its own.
func prove(ctx context.Context, src *gomod.Source, heads *store.Store, path, version string) (string, *evidence, error) {
	key := src.Database().Key
	d := &database{ctx: ctx, key: key, store: heads, online: src}
	hash, err := d.lookup(path, version)
	if err != nil {
		return "", nil, err
	}
	kept := &evidence{Latest: d.seen.Latest, Files: maps.Clone(d.seen.Files)}
	again, err := replay(ctx, path, version, key, kept)
	if err != nil {
		return "", nil, err
	}
	if again != hash {
		return "", nil, fault.Failf("checksum database", "evidence proves another hash than the database gave")
	}
	return hash, kept, nil
}

// replay verifies kept evidence: signature of the tree head, consistency, and inclusion of the record.
func replay(ctx context.Context, path, version, key string, kept *evidence) (string, error) {
	return (&database{ctx: ctx, key: key, kept: kept}).lookup(path, version)
}

// key is the only one there is: GOSUMDB can redirect the transport, never the trust.
func (o Options) key() string { return cmp.Or(o.verifier, gomod.ChecksumDatabaseKey) }

// source is where modules come from, with the checksum database pinned.
func (o Options) source() (*gomod.Source, error) {
	if o.Remote == nil || o.Offline && !o.Remote.Sealed() {
		return gomod.NewSource(o.GoEnv.WithKey(o.key()), refusal{})
	}
	return gomod.NewSource(o.GoEnv.WithKey(o.key()), o.Remote)
}

// refusal is the network of somebody who works offline. Proxies that are folders are read all the same.
type refusal struct{}

func (refusal) Fetch(_ context.Context, url string, _ int64) (io.ReadCloser, error) {
	return nil, fault.Inconclusivef(remote.Redact(url), "not fetched: working offline").
		WithHint("run once without --offline").WithCheck(CheckAvailable)
}

func (e *evidence) marshal() ([]byte, error) { return json.Marshal(e) }

func unmarshalEvidence(data []byte) (*evidence, error) {
	var e evidence
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, err
	}
	if len(e.Files) > maxEvidenceFiles {
		return nil, errors.New("too many files")
	}
	return &e, nil
}

// voucher presents the evidence.
func (e *evidence) voucher(key, statement string) Voucher {
	name, _, _ := strings.Cut(key, "+")
	files := maps.Clone(e.Files)
	files[name+"/latest"] = e.Latest
	return Voucher{Kind: "checksum-database", By: name, Detail: statement, Evidence: files}
}
