# What there is to do here. Everything is built into build/ and target/; nothing outside is touched but by `make setup`,
# which installs missing tools from the system's packages, and `make install`.
.DEFAULT_GOAL := help
.PHONY: help setup setup-test build demo test test-long lint docs bench soak install clean

# Where `make install` puts things, and for how long `make soak` runs.
PREFIX ?= /usr/local
SOAK_SECONDS ?= 3600
CARGO := tools/cargo

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

setup: ## install what building needs (compiler, Rust, Python)
	@tools/setup.sh build

setup-test: ## install what the tests need besides (C++ compiler, valgrind)
	@tools/setup.sh test

build: setup ## the library, its headers and the sandbox, optimised, into build/
	@tools/stage.sh release build
	@echo "build/libparklink.so build/include/ build/parklink-sandbox"

demo: setup ## C programs do whole days against all four platforms, here on this machine
	@tools/stage.sh dev build/dev
	@tools/demo.py build/dev

test: setup-test ## every test; a few minutes
	@tools/test.py build/dev

test-long: setup-test ## the same with more cases and longer unrest; half an hour
	@tools/test.py build/dev --long

lint: ## formatting, warnings, generated files, the rules of the house
	@tools/setup.sh lint
	@tools/lint.py

docs: setup ## write the generated pages and headers anew
	@$(CARGO) run -q -p xtask -- docs
	@$(CARGO) run -q -p xtask -- header

bench: setup ## speed against small programs that do the same (benches/)
	@tools/stage.sh release build
	@benches/run.sh build

soak: setup-test ## 2000 kills, 1000 power cuts, a million records; then hours of unrest: SOAK_SECONDS=3600
	@tools/test.py build/dev --long durable
	@tools/stage.sh release build
	@tools/unrest.py build $(SOAK_SECONDS)

install: ## what `make build` made, to PREFIX=/usr/local
	@test -e build/libparklink.so || { echo 'run make build first'; exit 1; }
	install -d "$(DESTDIR)$(PREFIX)/lib" "$(DESTDIR)$(PREFIX)/include" "$(DESTDIR)$(PREFIX)/bin"
	install -m 755 build/libparklink.so "$(DESTDIR)$(PREFIX)/lib/libparklink.so.1"
	ln -sf libparklink.so.1 "$(DESTDIR)$(PREFIX)/lib/libparklink.so"
	install -m 644 build/include/*.h "$(DESTDIR)$(PREFIX)/include/"
	install -m 755 build/parklink-sandbox "$(DESTDIR)$(PREFIX)/bin/"

clean: ## remove everything that was built
	rm -rf build target
