# Two commands for a stranger: `make demo` and `make test`. Each sets everything up by itself and may be run again.
# Paths are relative, so the checkout may lie below a folder with a space in its name.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# Installing compiles it again.
KERNEL := $(wildcard extractor/rnnstates/engines/kernel/* extractor/rnnstates/arrays/native/*)

# Executions of each parser by `make fuzz`.
FUZZ_RUNS ?= 1000000

.PHONY: demo test lint types unit quick coverage minimum no-compiler sanitize soak bench docs fuzz sample_data clean

demo: .venv/installed
	@PYTHON="$(BIN)/python" sh sample_data/demo.sh

test: lint types unit

lint: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell

types: .venv/installed-test
	$(BIN)/mypy

# Where no bytecode may be written, each of hundreds of processes would compile the sources again.
unit quick coverage: export PYTHONDONTWRITEBYTECODE :=

# Two at once: most tests use one core. TESTS=-x or the like goes to pytest.
unit: .venv/installed-test
	$(BIN)/python -m pytest -n 2 --dist worksteal $(TESTS)

# For the loop while working: no process, no framework, nothing slow. About a minute.
quick: .venv/installed-test
	$(BIN)/python -m pytest -n 2 --dist worksteal --quick $(TESTS)

# How many lines and branches the quick tests reach; fails below the floor in pyproject.toml. COVERED= runs all tests,
# which takes twice as long as `make unit` on one core.
COVERED ?= --quick
coverage: .venv/installed-test
	$(BIN)/coverage run -m pytest $(COVERED) $(TESTS)
	$(BIN)/coverage report --skip-covered --sort=cover

# The oldest versions that pyproject.toml allows: quick tests, and states against those of Keras and TensorFlow 1.
minimum: .venv-minimum/installed
	.venv-minimum/bin/python -m pytest --quick -n 2 -W default --ignore-glob="*onnx*" --ignore=tests/test_typing.py \
	    --ignore=tests/weights/test_census.py --ignore=tests/weights/test_traps.py $(TESTS)
	@# Keras 3.2 fails to write its legacy formats of more than one layer.
	.venv-minimum/bin/python -m pytest -n 2 -W default -k "not legacy" tests/weights/test_keras_states.py \
	    tests/extraction/test_original_question.py

# As installed where there is no compiler: a copy of the sources without compiled modules.
no-compiler: .venv/installed-test
	rm -rf .no-compiler && mkdir .no-compiler
	cp -r extractor cli tests sample_data pyproject.toml README.md docs examples .no-compiler/
	find .no-compiler -name "*.so" -delete
	cd .no-compiler && PYTHONPATH=$$PWD/extractor:$$PWD/cli ../$(BIN)/python -m pytest tests/arrays tests/engines tests/network \
	    tests/extraction/test_semantics.py tests/extraction/test_cutting.py $(TESTS)
	rm -rf .no-compiler

# The C extensions under AddressSanitizer and UndefinedBehaviorSanitizer, in a copy of the sources.
sanitize: .venv/installed-test
	sh tests/sanitize.sh $(BIN)/python $(TESTS)

# Every fault at every operation, power losses drawn more often, processes killed by the thousand: half an hour.
soak: .venv/installed-test
	$(BIN)/python -m pytest tests/faults --fault-table --every-fault --durations=5
	$(BIN)/python -m tests.faults.soak --kills 120 --seed 0
	$(BIN)/python -m tests.faults.traced --runs 500 --seed 0

# Measurements behind the numbers of README.md and docs/engines.md; none of them is a test.
# The peers are an extra; the whole takes about an hour, benchmarks/*.py --quick minutes.
bench: .venv/installed-bench
	@# The peers come with their bytecode; a checkout has none before it has run.
	$(BIN)/python -m compileall -q extractor cli
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/forms.py
	$(BIN)/python benchmarks/engines.py
	$(BIN)/python benchmarks/commands.py
	$(BIN)/python benchmarks/layers.py
	$(BIN)/python benchmarks/growth.py
	$(BIN)/python benchmarks/memory.py --large 20G --long 1000000

# The site, in docs/_build/html; a warning is an error.
docs: .venv/installed-docs
	$(BIN)/python -m sphinx --nitpicky --fail-on-warning --keep-going --quiet docs docs/_build/html

# Every parser under the guidance of coverage, hours for a million executions each; FUZZ_RUNS=20000 takes minutes.
# Finds lie in .fuzz/PARSER/found/. One parser: .venv/bin/python tests/fuzzing/fuzz.py keras
fuzz: .venv/installed-fuzz
	$(BIN)/python tests/fuzzing/fuzz.py --runs $(FUZZ_RUNS)

# Makes the files in sample_data/ again (they are committed).
sample_data: .venv/installed
	$(BIN)/python sample_data/make.py

clean:
	rm -rf .venv .venv-minimum .no-compiler .sanitize .demo .mypy_cache .pytest_cache .ruff_cache .hypothesis .fuzz
	rm -rf docs/_build

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python pyproject.toml constraints.txt $(KERNEL)
	$(PIP) install --constraint constraints.txt --editable .
	@touch .venv/installed

.venv/installed-bench: .venv/installed-test
	$(PIP) install --constraint constraints.txt --editable ".[test,bench]"
	@touch .venv/installed .venv/installed-test .venv/installed-bench

.venv/installed-docs: .venv/bin/python pyproject.toml constraints.txt $(KERNEL)
	$(PIP) install --constraint constraints.txt --editable ".[docs]"
	@touch .venv/installed .venv/installed-docs

.venv/installed-fuzz: .venv/installed-test
	$(PIP) install --constraint constraints.txt --editable ".[fuzz]"
	@touch .venv/installed .venv/installed-test .venv/installed-fuzz

.venv/installed-test: .venv/bin/python pyproject.toml constraints.txt $(KERNEL)
	$(PIP) install --constraint constraints.txt --editable ".[test]"
	@touch .venv/installed .venv/installed-test

.venv-minimum/installed: pyproject.toml constraints-minimum.txt $(KERNEL)
	$(PYTHON) -m venv .venv-minimum
	.venv-minimum/bin/python -m pip --disable-pip-version-check --quiet install --constraint constraints-minimum.txt \
	    --editable ".[flax,sklearn]" beartype h5netcdf hypothesis jaxtyping pandas pytest pytest-xdist safetensors tf_keras xarray
	@touch .venv-minimum/installed
