# The two commands: make quickstart, make test. Each sets up what it needs.
SUPPORTED := import sys; sys.exit(not (3, 11, 4) <= sys.version_info < (3, 14))
PYTHON ?= $(shell for name in python3 python3.11 python3.12 python3.13; do \
	$$name -c '$(SUPPORTED)' 2>/dev/null && echo $$name && break; done)
BIN := .venv/bin
READY := .venv/.ready

.DEFAULT_GOAL := help
# Wherever the environment forbids to keep bytecode, each of the tests' processes compiles some 4000 modules anew.
test check fuzz mutants: export PYTHONDONTWRITEBYTECODE =
.PHONY: help quickstart setup wheel test check format readme gallery docs fuzz mutants bench lock clean

help: ## show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

quickstart: $(READY) ## train three networks on embedded data and compare them: prints the path of report.html
	$(BIN)/python train.py -m experiment=quickstart

setup: $(READY) ## make .venv with everything pinned

$(READY): bootstrap.lock requirements.lock pyproject.toml
	@test -n '$(PYTHON)' && $(PYTHON) -c '$(SUPPORTED)' || \
		{ echo 'netgaze needs Python 3.11 (3.11.4 or newer), 3.12 or 3.13. Have one? make setup PYTHON=/path/to/python3.11'; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r bootstrap.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes \
		--build-constraints requirements.lock -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

wheel: $(READY) ## build a wheel and an sdist in dist/, to be installed elsewhere
	$(BIN)/uv build --quiet --no-build-isolation --python $(BIN)/python

test: $(READY) ## the whole test suite
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# The linter of the page's scripts, where npm is: a development tool that nothing else needs.
BIOME := npx --yes @biomejs/biome@2.6.8

check: $(READY) ## format, lint, types, fast tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	@if command -v npx > /dev/null; then $(BIOME) ci; else echo "no npx: the page's scripts are not linted"; fi
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m 'not slow'

format: $(READY) ## put the code in order
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	@if command -v npx > /dev/null; then $(BIOME) check --write; fi

readme: $(READY) ## write what pages take from files: docs/choices.md, the gallery, numbers, names, the tree
	$(BIN)/python docs/tables.py

gallery: $(READY) ## train small networks on embedded data and draw every figure's picture in docs/gallery.md
	$(BIN)/python docs/gallery.py

docs: $(READY) ## build the site in site/, offline: a broken link, a missing picture or a page left out fails
	$(BIN)/python -m sphinx -W --keep-going -q -E -a -c docs -d build/doctrees . site

N ?= 250
SEED ?= 0
fuzz: $(READY) ## judge N random commands (N=1000 SEED=3): each must train, or be answered in a sentence
	$(BIN)/python -m tests.fuzz $(N) $(SEED)

ONLY ?=
mutants: $(READY) ## break the code on purpose, one mistake at a time (ONLY=figures/knn): its tests must fail
	$(BIN)/python -m tests.mutants $(ONLY)

bench: $(READY) ## all benchmarks, side by side with their peers
	@for script in $$(grep -l '^"""ratio = ' benchmarks/*.py); do echo "== $$script"; $(BIN)/python $$script || exit 1; done

lock: $(READY) ## pin the newest versions that fit pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --upgrade --extra dev pyproject.toml -o requirements.lock

clean: ## remove what make made (outputs/ and data/ stay)
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist site *.egg-info src/*.egg-info
