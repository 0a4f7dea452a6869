# The few commands there are. Each sees to what it needs and says what is missing.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

# The corpus of `make bench`: NDJSON, plain or packed with zstd. Empty: the documents that ship with the repository.
CORPUS ?=

.PHONY: help demo test e2e soak fuzz bench lint generate tools images build setup

help: ## This list
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## One node with 50,000 real documents, three searches, each count checked; then it is yours until Ctrl-C
	@scripts/setup.sh build
	@binaries=$$(scripts/build.sh) && exec "$$binaries/demo"

test: ## Everything that must hold, ending with `N passed, M failed, K skipped`
	@exec scripts/test.sh

e2e: ## The stories on a real Kubernetes (kind); KEEP=1 leaves the cluster up
	@scripts/setup.sh test
	@exec e2e/run.sh

soak: ## The dangerous tests for hours: 1,000 kills of a process, 1,000,000 queries against a plain scan
	@scripts/setup.sh test
	@exec scripts/soak.sh

fuzz: ## Bytes of any kind for all that reads them; TIME=seconds for each target, 600 if not given
	@exec scripts/fuzz.sh $(TIME)

bench: ## Grepzilla beside its peers on the same documents; CORPUS=file takes your own NDJSON
	@exec scripts/bench.sh "$(CORPUS)"

lint: ## Format, lints, links in the documentation
	@scripts/setup.sh test
	@scripts/lint.sh

generate: ## Write anew what is generated: the custom resource's definition, the fold table
	@scripts/setup.sh build
	@scripts/generate.sh

build: ## Every binary, optimized and linked statically; prints where they are
	@scripts/setup.sh build
	@scripts/build.sh

images: ## The container images, from the same binaries
	@scripts/setup.sh build
	@binaries=$$(scripts/build.sh) && exec e2e/kind/images.sh "$$binaries"

tools: ## What the stories need beside this repository: kind, kubectl, helm, etcd, Kubernetes
	@exec e2e/kind/tools.sh

setup: ## What building and testing takes from this machine
	@scripts/setup.sh test
