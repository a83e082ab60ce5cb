# `make` alone tells what there is.

.DEFAULT_GOAL := help
.PHONY: help run release test check deny advisories generate page conformance

TARGET := $(or $(CARGO_TARGET_DIR),target)
# The page needs npm; the server works without it.
NPM := $(shell command -v npm 2>/dev/null)
WEB_SOURCES := $(shell find web -path web/node_modules -prune -o -path web/dist -prune -o -type f \
	! -name '*.test.ts' ! -path 'web/e2e/*' ! -name '*.md' -print 2>/dev/null)

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: page ## build the server and start it on http://127.0.0.1:8000/
	cargo run --package skald -- serve

release: page ## build the program to keep: target/release/skald
	cargo build --release --locked --package skald

test: ## run every test
	@.ci/test

check: ## run everything else a change must pass
	@.ci/check

deny: ## judge the dependencies, with every warning
	@.ci/tools
	$(TARGET)/tools/bin/cargo-deny check bans licenses sources

advisories: ## look for known holes in the dependencies (needs the network)
	@.ci/tools
	$(TARGET)/tools/bin/cargo-deny check advisories

generate: page ## write schema.graphql and docs/config.example.toml anew
	cargo test --workspace --no-run --locked
	$(TARGET)/debug/skald schema > schema.graphql
	$(TARGET)/debug/skald config --example > docs/config.example.toml

ifeq ($(NPM),)
page conformance:
	@echo "npm is not installed: going on without the page and the real clients (Node 20.19 or newer)"
else
page: web/dist/index.html ## build the page at / (a part of `make run`)
conformance: conformance/node_modules/.package-lock.json
endif

web/dist/index.html: $(WEB_SOURCES) web/node_modules/.package-lock.json
	npm --prefix web run --silent build -- --logLevel warn
	@touch $@

%/node_modules/.package-lock.json: %/package-lock.json
	npm --prefix $* ci --no-audit --no-fund --loglevel error
	@touch $@
