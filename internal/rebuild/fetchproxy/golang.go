package fetchproxy

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/gomod"
)

// Go is the module proxy protocol (https://go.dev/ref/mod#goproxy-protocol) in front of the proxies of src, with the
// checksum database behind /sumdb/.
func Go(src *gomod.Source) Ecosystem { return goEcosystem{src} }

type goEcosystem struct{ src *gomod.Source }

func (goEcosystem) Name() string   { return "go" }
func (goEcosystem) Prefix() string { return "/go/" }

func (g goEcosystem) Locked(p string) (Resource, error) { return g.Resolve(p, nil) }

func (g goEcosystem) Resolve(p string, _ http.Header) (Resource, error) {
	f, err := g.parse(p)
	if err != nil {
		return Resource{}, err
	}
	r := Resource{Path: f.Path, Limit: f.Limit(), Type: "text/plain; charset=utf-8"}
	switch f.Kind {
	case gomod.Zip:
		r.Type = "application/zip"
	case gomod.Info, gomod.Latest:
		r.Type = "application/json"
	case gomod.SumFile, gomod.SumSupport:
		r.Type = "application/octet-stream"
	}
	return r, nil
}

func (g goEcosystem) parse(p string) (gomod.File, error) {
	if name := g.src.Database().Name; name != "" {
		return gomod.ParseFile(p, name)
	}
	return gomod.ParseFile(p)
}

func (g goEcosystem) Open(ctx context.Context, r Resource) (io.ReadCloser, error) {
	f, err := g.parse(r.Path)
	if err != nil {
		return nil, err
	}
	switch f.Kind {
	case gomod.SumSupport: // the answer is ours: the database is found on the host's side
		return io.NopCloser(strings.NewReader("")), nil
	case gomod.SumFile:
		return g.src.OpenSum(ctx, f.SumPath)
	}
	body, err := g.src.Open(ctx, f.Module.Path, f.Path, f.Limit())
	if err != nil {
		return nil, err
	}
	switch f.Kind {
	case gomod.Info, gomod.Latest:
		return normalised(body, f, versionInfo)
	case gomod.List:
		return normalised(body, f, versionList)
	}
	return body, nil
}

func normalised(body io.ReadCloser, f gomod.File, change func([]byte) ([]byte, error)) (io.ReadCloser, error) {
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, f.Limit()+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > f.Limit() {
		return nil, fault.Failf(fault.Quote(f.Path), "exceeds %d bytes", f.Limit())
	}
	if data, err = change(data); err != nil {
		return nil, fault.Inconclusivef(fault.Quote(f.Path), "%w", err)
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}

// versionInfo keeps of a .info answer what the protocol defines. What else proxies add differs from one to the next.
func versionInfo(data []byte) ([]byte, error) {
	var info struct {
		Version string
		Time    *time.Time `json:",omitempty"`
	}
	if err := json.Unmarshal(data, &info); err != nil {
		return nil, err
	}
	if info.Time != nil {
		utc := info.Time.UTC()
		info.Time = &utc
	}
	return json.Marshal(info)
}

// versionList sorts the versions; proxies list them in any order.
func versionList(data []byte) ([]byte, error) {
	lines := strings.Fields(string(data))
	slices.Sort(lines)
	if len(lines) == 0 {
		return nil, nil
	}
	return []byte(strings.Join(slices.Compact(lines), "\n") + "\n"), nil
}

// goPath accepts the paths that stand in a closure: everything but the checksum database, whose answers are about one
// moment and are checked when they are given.
func goPath(p string) error {
	_, err := gomod.ParseFile(p)
	return err
}
