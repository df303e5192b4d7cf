package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/go-git/go-git/v5/plumbing/transport"
	gitssh "github.com/go-git/go-git/v5/plumbing/transport/ssh"
	"golang.org/x/crypto/ssh"
	"golang.org/x/net/proxy"
)

// sshRun is a command that runs on an ssh server; reading reads what it prints. Closing it ends the connection.
type sshRun struct {
	client  *ssh.Client
	session *ssh.Session
	out     io.Reader
	errors  lastWords
	silent  bool // it has printed nothing so far
	stop    func() bool
}

// lastWords keeps the beginning of what a command says on its standard error.
type lastWords struct {
	mu   sync.Mutex
	text []byte
}

func (w *lastWords) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text = append(w.text, b[:min(len(b), maxLastWords-len(w.text))]...)
	return len(b), nil
}

func (r *sshRun) Read(b []byte) (int, error) {
	n, err := r.out.Read(b)
	r.silent = r.silent && n == 0
	if err != io.EOF || !r.silent {
		return n, err
	}
	// a command that failed without a word has said why elsewhere
	wait := r.session.Wait()
	r.errors.mu.Lock()
	defer r.errors.mu.Unlock()
	if said := bytes.TrimSpace(r.errors.text); len(said) > 0 {
		return 0, cleaned{errors.New(string(said))}
	}
	if wait != nil {
		return 0, wait
	}
	return 0, io.EOF
}

func (r *sshRun) Close() error {
	r.stop()
	if err := r.client.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// startSSH runs a command and gives it input, by the rules of sshSession: keys of the user's agent, hosts that known_hosts names,
// addresses as ssh_config gives them.
func startSSH(ctx context.Context, endpoint *transport.Endpoint, command, input string) (*sshRun, error) {
	config, addr, err := sshConfig(endpoint)
	if err != nil {
		return nil, err
	}
	dialing, cancel := context.WithTimeout(ctx, sshPatience)
	defer cancel()
	conn, err := proxy.Dial(dialing, "tcp", addr)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	client, err := sshClient(conn, addr, config)
	if err != nil {
		stop()
		return nil, errors.Join(ctx.Err(), err)
	}
	r := &sshRun{client: client, stop: stop, silent: true}
	if err := r.start(command, input); err != nil {
		r.Close()
		return nil, errors.Join(ctx.Err(), err)
	}
	return r, nil
}

// sshClient shakes hands within the time for it, and closes conn where that fails.
func sshClient(conn net.Conn, addr string, config *ssh.ClientConfig) (*ssh.Client, error) {
	if err := conn.SetDeadline(time.Now().Add(sshPatience)); err != nil {
		conn.Close()
		return nil, err
	}
	c, channels, requests, err := ssh.NewClientConn(conn, addr, config)
	if err != nil {
		conn.Close()
		return nil, err
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		c.Close()
		return nil, err
	}
	return ssh.NewClient(c, channels, requests), nil
}

func (r *sshRun) start(command, input string) error {
	session, err := r.client.NewSession()
	if err != nil {
		return err
	}
	r.session, session.Stderr = session, &r.errors
	// servers that do not let it through speak an older version
	_ = session.Setenv("GIT_PROTOCOL", "version=2")
	stdin, err := session.StdinPipe()
	if err != nil {
		return err
	}
	if r.out, err = session.StdoutPipe(); err != nil {
		return err
	}
	if err := session.Start(command); err != nil {
		return err
	}
	// the request may not fit into the window before the greeting was read
	go func() {
		io.WriteString(stdin, input)
		if input == "" {
			stdin.Close()
		}
	}()
	return nil
}

// sshConfig says how to log in and where.
func sshConfig(endpoint *transport.Endpoint) (*ssh.ClientConfig, string, error) {
	auth, err := sshAgent(endpoint)
	if err != nil {
		return nil, "", err
	}
	host, port := endpoint.Host, endpoint.Port
	if port <= 0 {
		port = gitssh.DefaultPort
	}
	if alias := gitssh.DefaultSSHConfig.Get(endpoint.Host, "Hostname"); alias != "" {
		host = alias
		if n, err := strconv.Atoi(gitssh.DefaultSSHConfig.Get(endpoint.Host, "Port")); err == nil {
			port = n
		}
	}
	addr := net.JoinHostPort(host, strconv.Itoa(port))
	config, err := auth.ClientConfig()
	if err != nil {
		return nil, "", err
	}
	if config.HostKeyCallback == nil {
		hosts, err := gitssh.NewKnownHostsDb()
		if err != nil {
			return nil, "", fmt.Errorf("knownhosts: %w", err)
		}
		config.HostKeyCallback, config.HostKeyAlgorithms = hosts.HostKeyCallback(), hosts.HostKeyAlgorithms(addr)
	}
	return config, addr, nil
}

// sshAgent asks the user's agent for keys.
func sshAgent(endpoint *transport.Endpoint) (*gitssh.PublicKeysCallback, error) {
	user := endpoint.User
	if user == "" {
		user = gitssh.DefaultUsername
	}
	auth, err := gitssh.NewSSHAgentAuth(user)
	if err != nil {
		return nil, fmt.Errorf("no ssh agent: %w", err)
	}
	return auth, nil
}
