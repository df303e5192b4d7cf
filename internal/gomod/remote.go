package gomod

import "github.com/glassbuild/glassbuild/internal/remote"

// NewRemote makes the only dialer, with the plain-http hosts of the user's own Go configuration and those that the caller
// read from another one.
func NewRemote(offline bool, plainHTTP ...string) (*remote.Client, error) {
	return NewShelvedRemote(nil, offline, plainHTTP...)
}

// NewShelvedRemote is NewRemote with a shelf in front of the network, or in its place.
func NewShelvedRemote(shelf remote.Shelf, offline bool, plainHTTP ...string) (*remote.Client, error) {
	opts := remote.Options{Offline: offline, Netrc: remote.DefaultNetrc(), PlainHTTP: plainHTTP, Shelf: shelf}
	if env, err := LoadEnv(); err == nil {
		opts.PlainHTTP = append(opts.PlainHTTP, env.PlainHTTP()...)
	}
	return remote.New(opts)
}
