//go:build unix

package source

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/remote"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/crypto/ssh/knownhosts"
)

// serveSSH runs git-upload-pack for whoever has the client key, on a loopback port.
func serveSSH(t *testing.T, client ssh.PublicKey) (addr string, host ssh.PublicKey) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	config := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, offered ssh.PublicKey) (*ssh.Permissions, error) {
		if string(offered.Marshal()) != string(client.Marshal()) {
			return nil, os.ErrPermission
		}
		return nil, nil
	}}
	config.AddHostKey(signer)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serveConn(conn, config)
		}
	}()
	return l.Addr().String(), signer.PublicKey()
}

func serveConn(conn net.Conn, config *ssh.ServerConfig) {
	defer conn.Close()
	_, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for offered := range channels {
		channel, requests, err := offered.Accept()
		if err != nil {
			return
		}
		go func() {
			defer channel.Close()
			req, open := <-requests // one command for each channel
			if open {
				dir, ok := strings.CutPrefix(string(req.Payload[min(4, len(req.Payload)):]), "git-upload-pack ")
				req.Reply(req.Type == "exec" && ok, nil)
				if req.Type != "exec" || !ok {
					return
				}
				cmd := exec.Command("git", "-c", "safe.directory=*", "upload-pack", strings.Trim(dir, "'"))
				cmd.Env, cmd.Stdin, cmd.Stdout = gitEnv(), channel, channel
				status := make([]byte, 4)
				if cmd.Run() != nil {
					binary.BigEndian.PutUint32(status, 1)
				}
				channel.SendRequest("exit-status", false, status)
			}
		}()
	}
}

// The key comes from an agent, the host's from known_hosts; a host that is not named there is not talked to.
func TestFetchOverSSH(t *testing.T) {
	r, _, _, _ := history(t)
	r.run("config", "uploadpack.allowFilter", "true")
	r.run("config", "uploadpack.allowReachableSHA1InWant", "true")
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keyring := agent.NewKeyring()
	if err := keyring.Add(agent.AddedKey{PrivateKey: &key}); err != nil {
		t.Fatal(err)
	}
	client, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	addr, host := serveSSH(t, client)
	dir := t.TempDir()
	socket := filepath.Join(dir, "a")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Skip(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go agent.ServeAgent(keyring, conn)
		}
	}()
	hosts := filepath.Join(dir, "known_hosts")
	writeFile(t, hosts, knownhosts.Line([]string{addr}, host)+"\n")
	t.Setenv("SSH_AUTH_SOCK", socket)
	t.Setenv("SSH_KNOWN_HOSTS", hosts)
	network, err := remote.New(remote.Options{})
	if err != nil {
		t.Fatal(err)
	}
	url := "ssh://git@" + addr + r.dir
	for _, rev := range []string{"main", "main^1"} {
		id := r.run("rev-parse", rev)
		c := open(t, url, id, Options{Need: NeedTags, Remote: network, CacheDir: t.TempDir()})
		_, got := exported(t, c)
		_, want := exported(t, open(t, r.dir, id, Options{}))
		if got.SHA256 != want.SHA256 || len(c.Facts().Refs) == 0 {
			t.Errorf("%s: %v", rev, c.Facts().Refs)
		}
	}
	_, err = Open(context.Background(), url, strings.Repeat("1", 40), Options{Remote: network, CacheDir: t.TempDir()})
	wantFault(t, err, fault.Inconclusive, "commit not found")

	writeFile(t, hosts, "")
	_, err = Open(context.Background(), url, r.run("rev-parse", "main"), Options{Remote: network, CacheDir: t.TempDir()})
	wantFault(t, err, fault.Inconclusive, "cannot be reached")
	if !strings.Contains(fault.HintOf(err), "accept the host's key") {
		t.Errorf("hint %q of %v", fault.HintOf(err), err)
	}
	t.Setenv("SSH_AUTH_SOCK", "")
	_, err = Open(context.Background(), url, r.run("rev-parse", "main"), Options{Remote: network, CacheDir: t.TempDir()})
	wantFault(t, err, fault.Inconclusive, "cannot be reached")
}
