package sign

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"

	"github.com/sigstore/sigstore/pkg/oauthflow"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/remote"
)

// Audience is whom identity tokens are made out to.
const Audience = "sigstore"

// Environment is where an ambient token is looked for. Tests put their own in its place.
type Environment struct {
	Getenv func(string) string
	Remote *remote.Client
	Run    func(ctx context.Context, name string, args ...string) ([]byte, error)
}

// System is the process's own environment.
func System(r *remote.Client) Environment {
	return Environment{Getenv: os.Getenv, Remote: r, Run: func(ctx context.Context, name string, args ...string) ([]byte, error) {
		var out bytes.Buffer
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Stdout = &capped{w: &out, left: MaxToken}
		err := cmd.Run()
		return out.Bytes(), err
	}}
}

type capped struct {
	w    io.Writer
	left int
}

func (c *capped) Write(p []byte) (int, error) {
	if len(p) > c.left {
		return 0, errors.New("too long")
	}
	c.left -= len(p)
	return c.w.Write(p)
}

// Ambient returns the identity token of the pipeline that this program runs in, and what gave it: SIGSTORE_ID_TOKEN
// (which is also how GitLab hands one over), GitHub Actions, Buildkite or CircleCI. In none of them it is a usage error.
func (e Environment) Ambient(ctx context.Context) (token, provider string, err error) {
	switch {
	case e.Getenv("SIGSTORE_ID_TOKEN") != "":
		provider, token = "SIGSTORE_ID_TOKEN", e.Getenv("SIGSTORE_ID_TOKEN")
		if e.Getenv("GITLAB_CI") != "" {
			provider = "GitLab"
		}
	case e.Getenv("GITHUB_ACTIONS") != "":
		provider = "GitHub Actions"
		token, err = e.github(ctx)
	case e.Getenv("BUILDKITE") != "":
		provider = "Buildkite"
		token, err = e.agent(ctx, provider, "buildkite-agent", "oidc", "request-token", "--audience", Audience)
	case e.Getenv("CIRCLECI") != "":
		provider = "CircleCI"
		token, err = e.agent(ctx, provider, "circleci", "run", "oidc", "get", "--claims", `{"aud":"`+Audience+`"}`)
	case e.Getenv("GITLAB_CI") != "":
		return "", "", fault.Usagef("GitLab", "gives no identity token").
			WithHint("the job needs id_tokens: SIGSTORE_ID_TOKEN: aud: %s", Audience)
	default:
		return "", "", fault.Usagef("identity token", "this is no pipeline that gives one").
			WithHint("set SIGSTORE_ID_TOKEN, or sign in with a browser or a device")
	}
	if err != nil {
		return "", "", err
	}
	token = strings.TrimSpace(token)
	return token, provider, wellFormed(provider, token)
}

// wellFormed refuses what is no token, without printing it.
func wellFormed(provider, token string) error {
	if strings.Count(token, ".") != 2 || len(token) > MaxToken || strings.ContainsAny(token, " \r\n\t") {
		return fault.Usagef(provider, "what it gives is no identity token")
	}
	return nil
}

// github asks the runner (GitHub, "About security hardening with OpenID Connect").
func (e Environment) github(ctx context.Context) (string, error) {
	const object = "GitHub Actions"
	address, secret := e.Getenv("ACTIONS_ID_TOKEN_REQUEST_URL"), e.Getenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
	if address == "" || secret == "" {
		return "", fault.Usagef(object, "gives no identity token").WithHint("the job needs permissions: id-token: write")
	}
	u, err := url.Parse(address)
	if err != nil || e.Remote == nil {
		return "", fault.Usagef(object, "malformed ACTIONS_ID_TOKEN_REQUEST_URL")
	}
	q := u.Query()
	q.Set("audience", Audience)
	u.RawQuery = q.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", fault.Usagef(object, "malformed ACTIONS_ID_TOKEN_REQUEST_URL")
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	client := &http.Client{Transport: &retrying{base: e.Remote.HTTP().Transport}, Timeout: callTimeout}
	resp, err := client.Do(req)
	if err != nil {
		return "", fault.Inconclusivef(object, "the token service cannot be reached: %w", bare(err))
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, MaxToken))
	if err != nil || resp.StatusCode != http.StatusOK {
		return "", fault.Inconclusivef(object, "the token service answered %d", resp.StatusCode)
	}
	var answer struct {
		Value string `json:"value"`
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return "", fault.Inconclusivef(object, "the token service gave an unreadable answer")
	}
	return answer.Value, nil
}

// bare drops the address, whose query may be secret.
func bare(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

func (e Environment) agent(ctx context.Context, provider, name string, args ...string) (string, error) {
	out, err := e.Run(ctx, name, args...)
	if err != nil {
		return "", fault.Inconclusivef(provider, "%s gives no identity token", name)
	}
	return string(out), nil
}

// Flow is how a person signs in.
type Flow string

// The flows.
const (
	Browser Flow = "browser" // a browser on this machine
	Device  Flow = "device"  // a code that is typed in on another one
)

// Interactive signs a person in at an issuer and returns the identity token. What the person must do is printed by say.
// Connections to the issuer are opened by sigstore's oauthflow itself.
func Interactive(issuer string, flow Flow, say func(string)) (string, error) {
	if err := checkURL(issuer); err != nil {
		return "", err
	}
	var getter oauthflow.TokenGetter
	switch flow {
	case Browser:
		getter = &oauthflow.InteractiveIDTokenGetter{HTMLPage: page, Output: writer(say)}
	case Device:
		d := oauthflow.NewDeviceFlowTokenGetterForIssuer(issuer)
		d.MessagePrinter = say
		getter = d
	default:
		return "", fault.Usagef("sign in", "unknown flow %q", flow)
	}
	token, err := oauthflow.OIDConnect(issuer, Audience, "", "", getter)
	if err != nil {
		return "", fault.Inconclusivef(remote.Redact(issuer), "nobody signed in: %s", fault.Quote(shorten(err.Error())))
	}
	return token.RawString, nil
}

const page = "<!doctype html><title>glassbuild</title><p>Signed in. This window can be closed."

// writer hands lines to say.
type writer func(string)

// Write implements io.Writer.
func (w writer) Write(p []byte) (int, error) {
	w(string(p))
	return len(p), nil
}
