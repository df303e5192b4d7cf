package vendors

import "os"

// builds are releases whose recipe is the trick.
var builds = []release{
	{
		name: "host-builder", row: "F3", about: "the recipe builds with whatever lies on the machine",
		repo: "repo-host-builder", commit: "v1.3.1", file: "kestrel", want: want{"inconclusive", "", "builder.vouched"},
		make: func(m *maker) ([]byte, error) {
			dir, err := m.checkout("repo-host-builder", "v1.3.1")
			if err != nil {
				return nil, err
			}
			out := dir + ".out"
			if err := m.goRun(dir, append(m.hostGo(), target...), "build", "-trimpath", "-buildvcs=true", "-o", out, "./cmd/kestrel"); err != nil {
				return nil, err
			}
			return os.ReadFile(out)
		},
	},
	{
		name: "asks-git", row: "F14", about: "a step asks git which tags there are",
		repo: "repo-asks-git", commit: "v1.3.1", file: "kestrel", want: stepsEnd,
		make: func(m *maker) ([]byte, error) {
			return m.program("repo-asks-git", "v1.3.1", "./cmd/kestrel", m.stamped("./internal/stamp", nil))
		},
	},
	{
		name: "network", row: "75", about: "a step fetches from the network",
		repo: "repo-network", commit: "v1.3.1", file: "kestrel", want: stepsEnd,
		make: func(m *maker) ([]byte, error) { return m.scanner("repo-network", "v1.3.1") },
	},
	{
		name: "linked-output", row: "78", about: "the output is a link to a program of the machine",
		repo: "repo-linked-output", commit: "v1.3.1", file: "kestrel", want: want{"failed", "not-rebuilt", "rebuild.steps"},
		make: (*maker).finished,
	},
	{
		name: "overwrites-compiler", row: "F3", about: "a step changes the standard library before the next one compiles it",
		repo: "repo-overwrites-compiler", commit: "v1.3.1", file: "kestrel", want: stepsEnd,
		make: func(m *maker) ([]byte, error) { return m.doctored("repo-overwrites-compiler", "v1.3.1") },
	},
}
