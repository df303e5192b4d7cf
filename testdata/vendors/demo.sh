#!/bin/sh
# The main job on the sample vendor's releases: each kind of verdict once, held against what is expected.
# Run "make demo", which builds the program first; -all verifies every release, -full prints whole reports.
set -e
cd "$(dirname "$0")/../.."
exec env GOFLAGS= "${GO:-go}" run ./testdata/vendors/demo -bin bin/glassbuild "$@"
