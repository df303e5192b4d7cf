# glassbuild: what a newcomer runs is "make demo" and "make test". Everything a target needs is fetched or installed by it.
SHELL := /bin/bash
GO ?= go
export GOFLAGS :=
export CGO_ENABLED ?= 0
GOARCH := $(shell $(GO) env GOARCH)
INIT := internal/sandbox/embedded/init-linux-$(GOARCH)
STATIC := -trimpath -ldflags "-s -w"
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
# testdata is no part of ./..., its own tests are named
PACKAGES := ./... ./testdata/vendors ./testdata/vectors
BENCHES := main source check diff build kit

# every table is printed by one command; "make bench" runs them all. They assert nothing about time.
BENCH := GLASSBUILD_BENCH=1 $(GO) test -count=1 -timeout 60m -v

.PHONY: all build init test race lint e2e demo bench $(addprefix bench-,$(BENCHES)) cross dist dist-verify clean

all: build

build: init ## the program, static, in bin/
	$(GO) build $(STATIC) -o bin/glassbuild ./cmd/glassbuild

init: $(INIT) ## the small static init of the sandbox, embedded into the program

$(INIT): $(shell find internal/sandbox internal/rebuild/vcs -name '*.go' -not -name '*_test.go' 2>/dev/null) go.mod
	$(GO) generate ./internal/sandbox
	@touch $@

test: init ## every quick test, race detector on where a C compiler is at hand
	@$(GO) run ./cmd/glassbuild doctor >/dev/null || echo "NOT TESTED: this machine cannot rebuild (glassbuild doctor says why), so every test of the main job is skipped"
	@set -o pipefail; if command -v $${CC:-gcc} >/dev/null; then set -x; CGO_ENABLED=1 $(GO) test -v -race -timeout 30m $(PACKAGES) | ./.ci/aloud; \
	else echo "no C compiler: running without the race detector"; set -x; $(GO) test -v -timeout 30m $(PACKAGES) | ./.ci/aloud; fi

lint: ## vet, staticcheck, govulncheck where its database can be reached, the import table
	$(GO) vet $(PACKAGES)
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "gofmt: $$(gofmt -l $$(git ls-files '*.go'))"; exit 1; }
	$(GO) run $(STATICCHECK) $(PACKAGES)
	./.ci/govulncheck $(GOVULNCHECK)
	$(GO) test -run 'TestImportsOnlyGoDown|TestHeavyLibraries|TestTrackedFiles' .

demo: build ## the main job on the sample vendor's releases; DIR=FOLDER keeps them, ONLY=NAME,NAME takes these
	$(GO) run ./testdata/vendors/demo $(if $(DIR),-dir "$(DIR)") $(if $(ONLY),-only "$(ONLY)")

bench: $(addprefix bench-,$(BENCHES)) ## every table

bench-main: build ## what a verification costs beside the build, and memory on a large artefact
	$(BENCH) -run TestBenchMain ./verify

bench-source: build ## export, history and signatures beside git and go-git
	$(BENCH) -tags bench -run TestBenchExport ./internal/source
	$(BENCH) -run TestBenchHistory ./verify

bench-check: init ## verifying signatures and bundles, as a process and in bulk
	$(BENCH) -run TestBenchCheck ./verify
	$(GO) test -run xxx -bench . -benchtime 300x ./internal/signature ./internal/evidence/...

bench-diff: init ## opening and comparing artefacts, beside hashing them
	$(GO) test -run xxx -bench . -benchtime 1x ./internal/artifact ./internal/compare/...
	$(BENCH) -run TestBenchDiff ./cmd/glassbuild

bench-build: init ## starting a sandbox; unpacking a layer, and using a root again
	$(GO) test -run xxx -bench True ./internal/sandbox
	$(BENCH) -run TestBenchTrace ./internal/rebuild
	$(GO) test -run xxx -bench . -benchtime 3x ./internal/builder/rootfs

bench-kit: ## writing and opening a kit, beside hashing its content
	$(GO) test -run xxx -bench . -benchtime 5x ./internal/kit

e2e: build ## slow tests with real servers and toolchains
	@set -x -o pipefail; GLASSBUILD_E2E=1 $(GO) test -v -timeout 60m -run E2E ./... | ./.ci/aloud

cross: ## the program builds for every platform
	for t in linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64; do \
	  GOOS=$${t%/*} GOARCH=$${t#*/} $(GO) build $(STATIC) -o /dev/null ./cmd/glassbuild || exit 1; done

dist: build ## a release of the checked-out commit in dist/, attested with KEY=FILE
	@test -n "$(KEY)" || { echo "KEY=FILE names the private key that signs: openssl genpkey -algorithm ed25519 -out release.key"; exit 1; }
	./.ci/dist release "$(KEY)"

dist-verify: build ## the same with a key of the moment, then verified by glassbuild elsewhere, as somebody else
	./.ci/dist

clean:
	rm -rf bin dist internal/sandbox/embedded/init-linux-*
