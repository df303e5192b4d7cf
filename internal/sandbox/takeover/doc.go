//go:build !linux

// Package takeover does nothing where there are no sandboxes.
package takeover
