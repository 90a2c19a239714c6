# Everything runs in .venv, which the first target that needs it creates. `make help` lists the targets.

VENV := .venv
PY := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed
UV_VERSION := 0.13.9

# The Python that creates .venv: PYTHON=/path/to/python, or the newest supported one on PATH. Each is
# run first, because a version manager may put a name on PATH that does not work.
FITS := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
CANDIDATES := $(if $(PYTHON),'$(subst ','\'',$(PYTHON))',python3.13 python3.12 python3.11 python3)

# What `make clean` deletes.
DELETED := .sentinel mlruns build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

# As typed: make would expand a `$` in the name of a file or a column.
ifdef DATA
override export DATA := $(value DATA)
endif
ifdef LABEL
override export LABEL := $(value LABEL)
endif
ifdef TIME
override export TIME := $(value TIME)
endif

ifdef EVENTS
override export EVENTS := $(value EVENTS)
endif

# If this is set, each of the demo's processes compiles again what it imports: 5 s each.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install demo test test-unit test-history chaos check chromium prometheus pgbouncer faketime typescript screens screenshots bench bench-store bench-console bench-history bench-quality image test-image up lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(INSTALLED) ## Train, promote and serve on this machine; DATA=file.csv|parquet, LABEL=column, TIME=column, PORT=3000, MLFLOW_PORT=5000
	@$(PY) -m sentinel demo

install: $(INSTALLED) ## Install the environment into .venv, nothing else

test: $(INSTALLED) chromium prometheus pgbouncer typescript ## Run every test, against a real Postgres, PgBouncer, MLflow, Prometheus and Chromium
	@$(PY) -m tests

test-unit: $(INSTALLED) ## Run the unit tests alone, which start no server and need no network
	@$(PY) -m tests unit

test-history: $(INSTALLED) ## Replay EVENTS=100000 payments, of DATA=handbook.parquet or generated, and compare every stored feature with training's
	@case "$${EVENTS:-100000}" in *[!0-9]*|0*) \
		echo "EVENTS is a number of payments, such as EVENTS=100000, not '$$EVENTS'." >&2; exit 2;; esac; \
	HISTORY_EVENTS="$${EVENTS:-100000}" HISTORY_DATA="$$DATA" $(PY) -m pytest -q --timeout=0 tests/e2e/serving/test_stored_features.py

chaos: $(INSTALLED) faketime ## Kill, stop, cut and fill while clients pay, then check every answer; SEED=1 MINUTES=5 (docs/reliability.md)
	@$(PY) -m tests.chaos --seed "$(or $(SEED),1)" --minutes "$(or $(MINUTES),5)"

check: $(INSTALLED) ## Lint, check formatting, types, imports between the packages and the lock files
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(VENV)/bin/lint-imports
	@$(PY) -m pip check
	@$(PY) -m pytest -q tests/unit/tools/test_lock_files.py

# Without Chromium, only the tests that need it fail, with the same message as here.
chromium: | $(PY)
	@$(PY) -m tools.chromium || true

prometheus: | $(PY)
	@$(PY) -m tools.prometheus || true

typescript: | $(PY)
	@$(PY) -m tools.typescript || true

pgbouncer: | $(PY)
	@$(PY) -m tools.pgbouncer || true

# Without it, the chaos runs leave the clock as it is, and say so.
faketime: | $(PY)
	@$(PY) -m tools.faketime || true

screens: $(INSTALLED) chromium ## Take the screenshots of docs/lifecycle.md again; needs a running demo
	@$(PY) -m tests.e2e.browser.screenshots

screenshots: $(INSTALLED) chromium ## Take the pictures of the console again (docs/console.md); needs a running demo
	@$(PY) -m tests.e2e.console.screenshots

bench: $(INSTALLED) ## Compare with other systems, about 25 minutes; QUICK=1: only the targets' ratios, about 4
	@$(PY) -m benchmarks $(if $(QUICK),--quick)
	@$(if $(QUICK),:,$(PY) -m benchmarks report)

bench-store: $(INSTALLED) ## Compare Postgres with 100 thousand and 10 million decisions; about 20 minutes, 30 GB free
	@$(PY) -m benchmarks.store

bench-console: $(INSTALLED) ## Time every page of the console with ROWS=1000000 decisions; about 8 minutes, 6 GB free
	@$(PY) -m benchmarks.console $(if $(ROWS),--rows $(ROWS))

bench-history: $(INSTALLED) ## Measure what 40 windows add to a decision, with 10 million past events; about 15 minutes
	@$(PY) -m benchmarks.history

bench-quality: $(INSTALLED) ## Repeat the published experiment on DATA=handbook.parquet; 8 to 25 minutes
	@$(PY) -m benchmarks.quality

image: $(INSTALLED) ## Build the service's container image; ENGINE=docker|podman|buildah, BASE_IMAGE=name
	@$(PY) deploy/image/make_image.py $(if $(ENGINE),--engine "$(ENGINE)") $(if $(BASE_IMAGE),--base-image "$(BASE_IMAGE)")

test-image: $(INSTALLED) ## Build the image and serve from it, on a real Postgres and MLflow; needs Debian and root
	@$(PY) -m tools.containers
	@$(PY) -m pytest tests/e2e/image -m image

up: $(INSTALLED) ## Start service, Postgres, MLflow, Prometheus and Grafana in containers (compose.yaml)
	@$(PY) deploy/compose/up.py

lock: $(VENV)/uv/bin/uv ## Choose the versions of all packages again (needs the network)
	@$< pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
		--all-extras pyproject.toml -o requirements/dev.lock
	@$< pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
		-c requirements/dev.lock pyproject.toml -o requirements/serving.lock

clean: ## Delete the demo's database and models, and all caches; .venv stays
	@if [ -e $(INSTALLED) ]; then $(PY) -m sentinel stop; fi
	@there=; for name in $(DELETED); do [ ! -e "$$name" ] || there="$$there$$name, "; done; rm -rf $(DELETED); \
	find . -name __pycache__ -type d -not -path "./$(VENV)/*" -prune -exec rm -rf {} + ; \
	echo "Deleted $${there}every __pycache__; $(VENV) stays."

$(INSTALLED): pyproject.toml requirements/dev.lock tools/install.py | $(PY)
	@$(PY) tools/install.py requirements/dev.lock
	@echo "Compiling the kernels of explanations and windows, once ..."
	@$(PY) -m scoring.compile_kernels
	@touch $@

$(VENV)/uv/bin/uv: | $(PY)
	@$(PY) -m venv $(VENV)/uv
	@$(VENV)/uv/bin/python -m pip install --quiet uv==$(UV_VERSION)

$(PY):
	@for candidate in $(CANDIDATES); do \
		if "$$candidate" -c '$(FITS)' 2>/dev/null; then \
			exec "$$candidate" -m venv --clear $(VENV); \
		fi; \
	done; \
	echo "No Python 3.11, 3.12 or 3.13 with its venv module works here (tried:" $(CANDIDATES)"):" \
		"install one (Debian and Ubuntu: python3-venv), or name it with PYTHON=/path/to/python." >&2; \
	exit 1
