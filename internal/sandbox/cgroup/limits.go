package cgroup

import "time"

const (
	// maxFile bounds what is read of one control file.
	maxFile = 64 << 10
	// maxSwept bounds how many folders one sweep looks at.
	maxSwept = 4096
	// removeFor is how long the kernel may take until a group without processes can be removed.
	removeFor = 3 * time.Second
	// young groups are never swept: their maker may not hold the lock yet.
	young = 2 * time.Second
	// maxDepth bounds how deep a sweep goes.
	maxDepth = 8
)
