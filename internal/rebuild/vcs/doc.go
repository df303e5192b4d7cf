// Package vcs stands in for git inside the sandbox.
//
// The go command asks git for the revision, the time, the cleanliness and, since Go 1.24, the nearest tag of the
// module that it builds, and stamps the answers into the binary. No program of the host enters the sandbox, and a
// builder that holds only a Go toolchain has no git. So glassbuild answers, from facts that the host took out of the
// verified commit.
//
// What is promised:
//
//   - An exact table of argument vectors is answered (see questions.go): those of cmd/go/internal/vcs and
//     cmd/go/internal/modfetch/codehost of Go 1.18 to 1.26. Everything else ends with code 128 and is logged.
//   - The answers are byte for byte those that git 2.39 gives in a clone of the repository in which the tags that
//     Facts.Visible names can be seen.
//   - `status` is honest: it compares the work tree as it stands with the commit, and untracked files are found with
//     git's own rules (gitignore(5)). It is "dirty" without cause only when Facts.Dirty says so, which is for the
//     recipe and the policy to decide.
//   - `cat-file` hands out bytes of the verified commit and nothing else.
//   - Nothing is written but one log, nothing is executed, nothing is opened outside the work tree.
//
// The log is written by a process that the build can imitate: it says what was asked, not what a hostile build
// concealed. Every tag that Facts makes visible is therefore an input of the build, whether the log names it or not.
//
// The package imports nothing but the standard library, and little of it: it is linked into the sandbox's init.
package vcs
