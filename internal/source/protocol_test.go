package source

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/remote"
)

// A repository whose objects are named with SHA-256 is fetched as any other, from a server of either version.
func TestFetchSHA256OverHTTPS(t *testing.T) {
	t.Parallel()
	for name, settings := range map[string][]string{"generous": generous, "plain": nil, "old": append([]string{"old=1"}, generous...), "old and plain": {"old=1"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			old := len(settings) > 0 && settings[0] == "old=1"
			if old {
				settings = settings[1:]
			}
			r, s := servedAs(t, []string{"--object-format=sha256"}, settings...)
			if old {
				next := s.Config.Handler
				s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
					req.Header.Del("Git-Protocol")
					next.ServeHTTP(w, req)
				})
			}
			client := s.client(t, remote.Options{})
			url := s.URL + "/repo.git"
			fetchedIsServed(t, r, url, client)

			opt := Options{Remote: client, CacheDir: t.TempDir()}
			id := r.run("rev-parse", "main")
			_, err := Open(context.Background(), url, strings.Repeat("1", 64), opt)
			wantFault(t, err, fault.Inconclusive, "commit not found")
			_, err = Open(context.Background(), url, id[:40], opt)
			wantFault(t, err, fault.Inconclusive, "names its objects with sha256")
			_, err = Open(context.Background(), url, "main", opt)
			wantFault(t, err, fault.Usage, "need full commit id")
			if want := "it points to " + id + " now"; fault.HintOf(err) != want {
				t.Errorf("hint %q", fault.HintOf(err))
			}
			if _, err := Open(context.Background(), url, id, opt); err != nil {
				t.Fatal(err)
			}
			open(t, url, id, Options{Remote: s.client(t, remote.Options{Offline: true}), CacheDir: opt.CacheDir})
		})
	}
}

func TestSHA256IdAtASHA1Server(t *testing.T) {
	t.Parallel()
	_, s := servedRepo(t)
	_, err := Open(context.Background(), s.URL+"/repo.git", strings.Repeat("1", 64), Options{Remote: s.client(t, remote.Options{}), CacheDir: t.TempDir()})
	wantFault(t, err, fault.Inconclusive, "names its objects with sha1")
}

// Servers that answer what is no answer, or too much of it.
func TestHostileSHA256Servers(t *testing.T) {
	t.Parallel()
	one := strings.Repeat("1", 64)
	const v2 = "version 2\n"
	greeting := pkt(v2) + pkt("fetch=shallow filter\n") + pkt("object-format=sha256\n") + "0000"
	refs := pkt(one+" refs/heads/main\n") + "0000"
	for name, v := range map[string]struct{ greeting, refs, pack, want string }{
		"nothing":              {want: "cannot be reached"},
		"no greeting":          {greeting: "\x1b[2Jhello", want: "malformed answer"},
		"torn greeting":        {greeting: pkt(v2) + "00", want: "unexpected EOF"},
		"length below itself":  {greeting: pkt(v2) + "0003", want: "malformed answer"},
		"length beyond a line": {greeting: pkt(v2) + "ffff", want: "malformed answer"},
		"complaint":            {greeting: pkt("ERR go \x1b[31maway"), want: `go \x1b[31maway`},
		"unknown format":       {greeting: pkt(v2) + pkt("object-format=md5\n") + "0000", want: "malformed answer"},
		"no format":            {greeting: pkt(v2) + "0000", want: "names its objects with sha1"},
		"sha1 ids":             {greeting: greeting, refs: pkt(one[:40]+" refs/heads/main\n") + "0000", want: "malformed answer"},
		"climbing ref":         {greeting: greeting, refs: pkt(one+" refs/heads/../../config\n") + "0000", want: "invalid ref"},
		"a line without name":  {greeting: greeting, refs: pkt(one+"\n") + "0000", want: "malformed answer"},
		"endless line":         {greeting: greeting, refs: pkt(one+" refs/heads/"+strings.Repeat("a", 5000)+"\n") + "0000", want: "too long"},
		"torn refs":            {greeting: greeting, refs: pkt(one + " refs/heads/main\n"), want: "unexpected EOF"},
		"not ours":             {greeting: greeting, refs: refs, pack: pkt("ERR upload-pack: not our ref " + one), want: "commit not found"},
		"no pack":              {greeting: greeting, refs: refs, pack: "0000", want: "malformed answer"},
		"torn pack":            {greeting: greeting, refs: refs, pack: pkt("packfile\n") + pkt("\x01PACK"), want: "transfer broke off"},
		"unknown band":         {greeting: greeting, refs: refs, pack: pkt("packfile\n") + pkt("\x04PACK") + "0000", want: "transfer broke off"},
		"last words":           {greeting: greeting, refs: refs, pack: pkt("packfile\n") + pkt("\x03\x1b[1mno") + "0000", want: `\x1b[1mno`},
		"an empty pack":        {greeting: greeting, refs: refs, pack: pkt("packfile\n") + "0000", want: "malformed pack"},
		"old, no bands":        {greeting: pkt(one+" refs/heads/main\x00object-format=sha256\n") + "0000", want: "malformed answer"},
		"old, no abilities":    {greeting: pkt(one+" refs/heads/main\n") + "0000", want: "malformed answer"},
		"old, sha1":            {greeting: pkt(one[:40]+" refs/heads/main\x00side-band-64k\n") + "0000", want: "names its objects with sha1"},
		"old, no acknowledgement": {greeting: pkt(one+" refs/heads/main\x00side-band-64k shallow object-format=sha256\n") + "0000",
			pack: pkt("\x01PACK"), want: "malformed answer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				body, _ := io.ReadAll(req.Body)
				answer := v.greeting
				switch {
				case req.Method == http.MethodPost && strings.Contains(string(body), "command=ls-refs"):
					answer = v.refs
				case req.Method == http.MethodPost:
					answer = v.pack
				}
				w.Header().Set("Content-Type", strings.Replace(req.Header.Get("Accept"), ";", "", 1))
				io.WriteString(w, answer)
			}))
			t.Cleanup(s.Close)
			client, err := remote.New(remote.Options{Transport: s.Client().Transport})
			if err != nil {
				t.Fatal(err)
			}
			_, err = Open(context.Background(), s.URL, one, Options{Remote: client, CacheDir: t.TempDir()})
			class := fault.Inconclusive
			if name == "climbing ref" || name == "endless line" || name == "an empty pack" {
				class = fault.Failed
			}
			wantFault(t, err, class, v.want)
		})
	}
}

// What a server sends may be anything: it is refused, or it is what was sent, and no more is read than is there.
func FuzzPktLine(f *testing.F) {
	f.Add([]byte(pkt("version 2\n") + "0000"))
	f.Add([]byte(pkt("packfile\n") + pkt("\x01PACK") + pkt("\x02talk") + "0000"))
	f.Add([]byte("0001" + pkt("ERR no")))
	f.Fuzz(func(t *testing.T, data []byte) {
		p := newPktReader(strings.NewReader(string(data)), 1<<20)
		var sent strings.Builder
		for {
			line, kind, err := p.next()
			if err != nil {
				break
			}
			switch kind {
			case flushPacket:
				sent.WriteString(flushLine)
			case delimiterPacket:
				sent.WriteString(delimiterLine)
			default:
				sent.WriteString(packetLine(string(line)))
			}
		}
		if !strings.HasPrefix(lower(string(data)), lower(sent.String())) {
			t.Fatalf("read %q from %q", sent.String(), data)
		}
		n, err := io.Copy(io.Discard, &bands{packets: newPktReader(strings.NewReader(string(data)), 1<<20)})
		if n > int64(len(data)) || (err == nil && !strings.Contains(string(data), flushLine)) {
			t.Fatalf("%d bytes and %v from %q", n, err, data)
		}
	})
}

// lower is strings.ToLower for bytes that are no text.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c | 0x20
		}
	}
	return string(b)
}
