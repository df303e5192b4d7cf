//go:build !unix

package verify

import "os"

// lockHistory does nothing here: lines are appended with one write each time, and a tag that two runs see first at the same
// moment may stand twice.
func lockHistory(*os.File) error { return nil }
