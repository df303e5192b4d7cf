//go:build !unix

package source

// nonBlocking: there are no FIFOs in the file system.
const nonBlocking = 0
