package sign

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	tilespb "github.com/sigstore/rekor-tiles/v2/pkg/generated/protobuf"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/remote"
)

// tileLog writes to Rekor v2. rekor-tiles has a client of its own, which opens its own connections.
type tileLog struct {
	base   *url.URL
	client *http.Client
}

// Add implements sigstore-go's RekorV2Client.
func (t *tileLog) Add(ctx context.Context, entry any) (*rekorpb.TransparencyLogEntry, error) {
	request, ok := entry.(*tilespb.HashedRekordRequestV002)
	if !ok {
		return nil, fmt.Errorf("unsupported log entry %T", entry)
	}
	body, err := protojson.Marshal(&tilespb.CreateEntryRequest{Spec: &tilespb.CreateEntryRequest_HashedRekordRequestV002{HashedRekordRequestV002: request}})
	if err != nil {
		return nil, err
	}
	where := t.base.JoinPath("api", "v2", "log", "entries").String()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, where, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := t.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, MaxAnswer+1))
	switch {
	case err != nil:
		return nil, err
	case len(answer) > MaxAnswer:
		return nil, fault.Inconclusivef(remote.Redact(where), "answer exceeds %d bytes", MaxAnswer)
	case resp.StatusCode != http.StatusCreated:
		return nil, fault.Inconclusivef(remote.Redact(where), "answered %d %s", resp.StatusCode, fault.Quote(shorten(string(answer))))
	}
	var out rekorpb.TransparencyLogEntry
	if err := protojson.Unmarshal(answer, &out); err != nil {
		return nil, fault.Inconclusivef(remote.Redact(where), "unreadable answer")
	}
	return &out, nil
}
