package oci

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/glassbuild/glassbuild/internal/remote"
)

// Leads opens a:v1 in a registry that answers as h does and has the name of a host that is elsewhere.
func Leads(t *testing.T, h http.HandlerFunc) *Place {
	t.Helper()
	s := httptest.NewTLSServer(h)
	t.Cleanup(s.Close)
	tr := s.Client().Transport.(*http.Transport).Clone()
	tr.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if address == "example.com:443" { // the name in the test server's certificate
			address = s.Listener.Addr().String()
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	c, err := remote.New(remote.Options{Transport: tr})
	if err != nil {
		t.Fatal(err)
	}
	ref, err := Parse("example.com/a:v1")
	if err != nil {
		t.Fatal(err)
	}
	p, err := Open(ref, Options{Remote: c, Anonymous: true})
	if err != nil {
		t.Fatal(err)
	}
	return p
}
