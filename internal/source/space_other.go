//go:build !unix

package source

// isNoSpace: not told apart from other errors here.
func isNoSpace(error) bool { return false }
