# One door: make demo, make test, make check, make bench. Each installs what it needs, once, into .venv.

PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test check bench clean

demo: .venv/.installed
	$(BIN)/slopewise fit examples/penguins.csv --target body_mass_g \
	    --features flipper_length_mm,species,sex --missing drop --test-size 0.2 --out mass.safetensors

test: .venv/.installed-test
	$(BIN)/python -m pytest -q -n auto --dist loadfile

check: .venv/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/.installed-bench
	set -e; for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python $$file; done

clean:
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

.venv/.made:
	$(PYTHON) -m venv .venv
	touch $@

.venv/.installed: .venv/.made pyproject.toml constraints.txt
	$(INSTALL) -e .
	touch $@

.venv/.installed-%: .venv/.made pyproject.toml constraints.txt
	$(INSTALL) -e '.[$*]'
	touch $@ .venv/.installed
