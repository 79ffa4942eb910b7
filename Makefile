# What a change must pass: make check test docs package. Everything runs in .venv (CONTRIBUTING.md).
BIN ?= .venv/bin

.PHONY: check test docs package bench

check:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	# The package declares what it imports and imports what it declares; tests and scripts import what is declared.
	$(BIN)/deptry unetseg
	$(BIN)/deptry --exclude '\.venv' --exclude build --ignore DEP002,DEP004 tests benchmarks examples

test:
	$(BIN)/pytest -n 2 --dist loadfile

docs:
	$(BIN)/zensical build --strict --clean

# The wheel, installed elsewhere and without this folder in sight, trains and predicts.
package:
	rm -rf build dist
	$(BIN)/python -m build --outdir dist
	$(BIN)/twine check --strict dist/*
	$(BIN)/check-wheel-contents dist/*.whl
	python3 -m venv build/fresh
	build/fresh/bin/pip install -q dist/*.whl
	mkdir build/empty
	cd build/empty && ../fresh/bin/unetseg fit --epochs 1 --size 32
	cd build/empty && ../fresh/bin/unetseg data export filaments -o images
	cd build/empty && ../fresh/bin/unetseg predict images -o masks
	rm -rf build

# What docs/speed.md claims, measured here; make bench ARGS=--quick takes minutes.
bench:
	$(BIN)/python benchmarks/table.py $(ARGS)
