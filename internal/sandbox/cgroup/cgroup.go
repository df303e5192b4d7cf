// Package cgroup makes one control group for one sandbox and takes it away again.
//
// Version 2 is preferred (kernel.org "Control Group v2"), then the memory and pids hierarchies of version 1. A group is
// made below the one that this process is in, so that the machine's own limits keep holding; in version 2, where a
// group with processes cannot hand controllers down, below the nearest ancestor that does. Nothing needs to be
// root: a delegated subtree is enough, and where there is none, New says why.
//
// A group is locked (flock(2) on its folder) by the program that made it. Folders with our name and no lock belong to
// programs that were killed: Sweep removes them.
package cgroup
