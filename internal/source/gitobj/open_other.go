//go:build !unix

package gitobj

// nonBlocking: there are no FIFOs in the file system.
const nonBlocking = 0
