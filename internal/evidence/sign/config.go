package sign

import (
	"net/url"
	"os"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/glassbuild/glassbuild/internal/evidence/strictjson"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/remote"
)

// Config is a Sigstore signing config (application/vnd.dev.sigstore.signingconfig.v0.2+json): the only place where
// addresses of services come from.
type Config struct {
	config *root.SigningConfig
	now    time.Time
}

var configLimits = strictjson.Limits{Bytes: MaxConfig, Depth: 16, Elements: 1024, Values: 1 << 14}

// LoadConfig reads a signing config, and picks what is valid now.
func LoadConfig(path string, now time.Time) (*Config, error) {
	st, err := os.Stat(path)
	if err != nil || !st.Mode().IsRegular() || st.Size() > MaxConfig {
		return nil, fault.Usagef(fault.Quote(path), "is no signing config of at most %d bytes", MaxConfig)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.Usagef(fault.Quote(path), "cannot be read")
	}
	return ParseConfig(path, data, now)
}

// ParseConfig reads a signing config, see LoadConfig.
func ParseConfig(name string, data []byte, now time.Time) (*Config, error) {
	if _, err := strictjson.Parse(data, configLimits); err != nil {
		return nil, fault.Usagef(fault.Quote(name), "malformed signing config: %w", err)
	}
	c, err := root.NewSigningConfigFromJSON(data)
	if err != nil {
		return nil, fault.Usagef(fault.Quote(name), "malformed signing config: %w", err)
	}
	return &Config{c, now}, nil
}

// authority is where certificates come from.
func (c *Config) authority() (string, error) {
	s, err := root.SelectService(c.config.FulcioCertificateAuthorityURLs(), []uint32{1}, c.now)
	if err != nil {
		return "", fault.Usagef("signing config", "names no certificate authority that is valid now")
	}
	return s.URL, checkURL(s.URL)
}

// Issuer is where identity tokens come from when a person signs.
func (c *Config) Issuer() (string, error) {
	s, err := root.SelectService(c.config.OIDCProviderURLs(), []uint32{1}, c.now)
	if err != nil {
		return "", fault.Usagef("signing config", "names no identity provider that is valid now")
	}
	return s.URL, checkURL(s.URL)
}

// timestamps are the authorities to ask; there may be none.
func (c *Config) timestamps() ([]string, error) {
	if len(c.config.TimestampAuthorityURLs()) == 0 {
		return nil, nil
	}
	services, err := root.SelectServices(c.config.TimestampAuthorityURLs(), c.config.TimestampAuthorityURLsConfig(), []uint32{1}, c.now)
	if err != nil {
		return nil, fault.Usagef("signing config", "timestamp authorities: %w", err)
	}
	return urls(services)
}

// logs are the logs to ask, all of one version; there may be none.
func (c *Config) logs() ([]string, uint32, error) {
	if len(c.config.RekorLogURLs()) == 0 {
		return nil, 0, nil
	}
	services, err := root.SelectServices(c.config.RekorLogURLs(), c.config.RekorLogURLsConfig(), []uint32{1, 2}, c.now)
	if err != nil {
		return nil, 0, fault.Usagef("signing config", "logs: %w", err)
	}
	all, err := urls(services)
	return all, services[0].MajorAPIVersion, err
}

func urls(services []root.Service) ([]string, error) {
	var out []string
	for _, s := range services {
		if err := checkURL(s.URL); err != nil {
			return nil, err
		}
		out = append(out, s.URL)
	}
	return out, nil
}

func checkURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Scheme != "https" && u.Scheme != "http" {
		return fault.Usagef("signing config", "unsupported URL %s", remote.Redact(raw))
	}
	return nil
}
