# Everything a newcomer needs, in two words: `make demo`, `make test`.
# The work is done by cargo and `cargo xtask`; this file only finds out whether they can start.

SHELL := /bin/sh
CARGO ?= cargo
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help deps build demo test test-long clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

deps: ## installs the C compiler and linker when they are missing
	@if ! command -v $(CARGO) >/dev/null 2>&1; then \
	  echo "Rust is missing. Install it from https://rustup.rs, then run make again." >&2; exit 1; \
	fi
	@works() { printf '#include <stdlib.h>\nint main(void) { return 0; }\n' | cc -x c -o /dev/null - 2>/dev/null; }; \
	if works; then exit 0; fi; \
	packages="gcc libc6-dev"; \
	if ! command -v apt-get >/dev/null 2>&1; then \
	  echo "A C compiler (cc) and the C library's headers are missing: install them, then run make again." >&2; exit 1; \
	elif [ "$$(id -u)" = 0 ]; then as_root=""; \
	elif sudo -n true 2>/dev/null; then as_root="sudo"; \
	else \
	  echo "A C compiler is missing. Run this, then make again:" >&2; \
	  echo "  sudo apt-get install --no-install-recommends $$packages" >&2; exit 1; \
	fi; \
	echo "A C compiler is missing: installing $$packages"; \
	$$as_root apt-get update -q && \
	$$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $$packages && \
	works || { echo "The C compiler still does not work: see the messages above." >&2; exit 1; }

build: deps ## builds the program
	$(CARGO) build --locked --package gridtally

demo: build ## a whole network and its first day, then the web page; ARGS="--homes 200" for more
	@$(CARGO) run --quiet --locked --package gridtally -- demo $(ARGS)

test: deps ## everything a change has to pass
	$(CARGO) xtask check

test-long: deps ## the same with the long variants of the tests (hours)
	$(CARGO) xtask check --long
	$(CARGO) build --locked --package gridtally
	sh crates/api/tests/schema_fuzz.sh target/debug/gridtally

clean: ## removes what was built
	$(CARGO) clean
