//go:build unix

package source

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
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

// sshAnswers are what an ssh server does beside running git-upload-pack.
type sshAnswers struct {
	environment bool                                 // it lets GIT_PROTOCOL through
	authorise   func(arguments string) (text string) // it answers git-lfs-authenticate
}

// serveSSH runs git-upload-pack for whoever has the client key, on a loopback port.
func serveSSH(t *testing.T, client ssh.PublicKey, answers sshAnswers) (addr string, host ssh.PublicKey) {
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
			go serveConn(conn, config, answers)
		}
	}()
	return l.Addr().String(), signer.PublicKey()
}

func serveConn(conn net.Conn, config *ssh.ServerConfig, answers sshAnswers) {
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
		go serveChannel(channel, requests, answers)
	}
}

// serveChannel runs the one command of a channel.
func serveChannel(channel ssh.Channel, requests <-chan *ssh.Request, answers sshAnswers) {
	defer channel.Close()
	environment := gitEnv()
	for req := range requests {
		if req.Type == "env" {
			var v struct{ Name, Value string }
			ok := answers.environment && ssh.Unmarshal(req.Payload, &v) == nil
			if ok {
				environment = append(environment, v.Name+"="+v.Value)
			}
			req.Reply(ok, nil)
			continue
		}
		command, arguments, _ := strings.Cut(string(req.Payload[min(4, len(req.Payload)):]), " ")
		known := command == "git-upload-pack" || (command == "git-lfs-authenticate" && answers.authorise != nil)
		req.Reply(req.Type == "exec" && known, nil)
		if req.Type != "exec" || !known {
			return
		}
		status := make([]byte, 4)
		if command == "git-lfs-authenticate" {
			io.WriteString(channel, answers.authorise(arguments))
		} else {
			cmd := exec.Command("git", "-c", "safe.directory=*", "upload-pack", strings.Trim(arguments, "'"))
			cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = environment, channel, channel, channel.Stderr()
			if cmd.Run() != nil {
				binary.BigEndian.PutUint32(status, 1)
			}
		}
		channel.SendRequest("exit-status", false, status)
		return
	}
}

// sshLogin makes a key, hands it out by an agent, and starts a server that knows it; known_hosts knows the server.
func sshLogin(t *testing.T, answers sshAnswers) (addr, knownHosts string) {
	t.Helper()
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
	addr, host := serveSSH(t, client, answers)
	dir := t.TempDir()
	socket := filepath.Join(dir, "a")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Skip("no agent's socket to be had here:", err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go agent.ServeAgent(keyring, conn)
		}
	}()
	knownHosts = filepath.Join(dir, "known_hosts")
	writeFile(t, knownHosts, knownhosts.Line([]string{addr}, host)+"\n")
	t.Setenv("SSH_AUTH_SOCK", socket)
	t.Setenv("SSH_KNOWN_HOSTS", knownHosts)
	return addr, knownHosts
}

// The key comes from an agent, the host's from known_hosts; a host that is not named there is not talked to.
func TestFetchOverSSH(t *testing.T) {
	r, _, _, _ := history(t)
	r.run("config", "uploadpack.allowFilter", "true")
	r.run("config", "uploadpack.allowReachableSHA1InWant", "true")
	addr, hosts := sshLogin(t, sshAnswers{})
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

// A server that lets the environment through speaks version 2, another one version 0.
func TestFetchSHA256OverSSH(t *testing.T) {
	for name, answers := range map[string]sshAnswers{"version 2": {environment: true}, "version 0": {}} {
		for _, settings := range [][]string{generous, nil} {
			t.Run(fmt.Sprint(name, len(settings)), func(t *testing.T) {
				addr, hosts := sshLogin(t, answers)
				r, _ := servedAs(t, []string{"--object-format=sha256"}, settings...)
				network, err := remote.New(remote.Options{})
				if err != nil {
					t.Fatal(err)
				}
				url := "ssh://git@" + addr + r.dir
				fetchedIsServed(t, r, url, network)
				opt := Options{Remote: network, CacheDir: t.TempDir()}
				_, err = Open(context.Background(), url, strings.Repeat("1", 64), opt)
				wantFault(t, err, fault.Inconclusive, "commit not found")
				_, err = Open(context.Background(), url+"-not", r.run("rev-parse", "main"), opt)
				wantFault(t, err, fault.Inconclusive, "does not appear to be a git repository")
				writeFile(t, hosts, "")
				_, err = Open(context.Background(), url, r.run("rev-parse", "main"), opt)
				wantFault(t, err, fault.Inconclusive, "cannot be reached")
				if !strings.Contains(fault.HintOf(err), "accept the host's key") {
					t.Errorf("hint %q of %v", fault.HintOf(err), err)
				}
			})
		}
	}
}

// Over ssh the server says where large files are, and what to show there; nothing but that is shown.
func TestLargeFilesOfAnSSHServer(t *testing.T) {
	r, s, store, id := largeRepo(t, "", "one")
	var arguments string
	answer := `{"href":"` + s.URL + `/x/info/lfs","header":{"Authorization":"RemoteAuth abc"},"expires_in":60}`
	addr, _ := sshLogin(t, sshAnswers{authorise: func(a string) string { arguments = a; return answer }})
	opt := Options{Remote: s.client(t, remote.Options{Netrc: netrcFor(t, "127.0.0.1")}), CacheDir: t.TempDir(), RequireContent: true}
	url := "ssh://git@" + addr + r.dir
	dir, _, err := exportInto(t, open(t, url, id, opt))
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(filepath.Join(dir, "f000.dat")); string(got) != "one" {
		t.Errorf("content %q", got)
	}
	if arguments != "'"+r.dir+"' download" {
		t.Errorf("asked for %q", arguments)
	}
	batches, requests := store.taken()
	if len(batches) != 1 || batches[0] != "POST /x/info/lfs/objects/batch RemoteAuth abc 1" || len(requests) != 1 || !strings.HasSuffix(requests[0], "  t") {
		t.Errorf("batches %q, requests %q", batches, requests)
	}
	for _, answer = range []string{"", "no JSON", `{"href":"ssh://x/y"}`, `{"href":"-x"}`, `{"header":{"a b":"c"}}`, strings.Repeat(" ", maxAuthorisation+1)} {
		opt.CacheDir = t.TempDir()
		_, _, err := exportInto(t, open(t, url, id, opt))
		wantFault(t, err, fault.Inconclusive, "malformed answer of git-lfs-authenticate")
	}
	answer = `{}` // its own host, where nothing answers over https
	_, _, err = exportInto(t, open(t, url, id, opt))
	wantFault(t, err, fault.Inconclusive, "content not in git")
}
