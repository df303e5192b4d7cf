package gomod

import "github.com/glassbuild/glassbuild/internal/remote"

// NewRemote makes the only dialer, with the plain-http hosts of the user's own Go configuration.
func NewRemote(offline bool) (*remote.Client, error) {
	opts := remote.Options{Offline: offline, Netrc: remote.DefaultNetrc()}
	if env, err := LoadEnv(); err == nil {
		opts.PlainHTTP = env.PlainHTTP()
	}
	return remote.New(opts)
}
