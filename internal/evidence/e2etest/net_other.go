//go:build !linux

package e2etest

import "testing"

// loopbackUp needs a network namespace, which only Linux has.
func loopbackUp(t *testing.T) {
	t.Helper()
	t.Skip("network namespaces are Linux's")
}
