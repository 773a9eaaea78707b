# The commands of this project; `make` alone lists them. Extra arguments: make test ARGS="-k cancel"
.DEFAULT_GOAL := help
.PHONY: help setup run stop demo demo-docs test test-gpu check format bench faults stack stack-down stack-status settings-page lock _uv

UV_VERSION := 0.13.9
BIN := .venv/bin
PYTHON := $(BIN)/python
SYNCED := .venv/.synced
ARGS ?=

# The first uv that answers: the one on PATH, the user's own, or the one `make setup` brought.
UV = $(shell for uv in uv "$$HOME/.local/bin/uv" .run/uv/bin/uv; do \
	"$$uv" --version >/dev/null 2>&1 && { echo "$$uv"; break; }; done)
# No dev groups, no hashes: the file must serve plain pip, with another build of torch if need be.
EXPORT = export --quiet --locked --no-default-groups --no-hashes --no-annotate --no-header

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: _uv ## Install uv if it is missing, and everything the other commands need into .venv
	@$(UV) sync --frozen
	@touch $(SYNCED)

run: setup ## Start the stack and the service in the background, show the demo, leave both running
	@$(PYTHON) -m scripts.stack up
	@$(PYTHON) scripts/start_master.py --detach
	@$(PYTHON) -m scripts.demo

stop: ## End the service and the stack that `make run` started; data stays
	@if [ ! -x $(PYTHON) ]; then echo "Nothing to stop: nothing was installed here."; exit 0; fi; \
	failed=0; \
	$(PYTHON) scripts/start_master.py --stop || failed=1; \
	$(PYTHON) -m scripts.stack down || failed=1; \
	exit $$failed

demo: $(SYNCED) ## Show what the running service does, step by step
	@$(PYTHON) -m scripts.demo $(ARGS)

demo-docs: $(SYNCED) ## Index the documents of a folder and search them: make demo-docs DIR=…
	@$(PYTHON) -m scripts.demo.folder_cli "$(DIR)" $(ARGS)

test: $(SYNCED) ## Run every test but the slow ones
	@$(PYTHON) -m pytest -m "not slow and not gpu" $(ARGS)

test-gpu: $(SYNCED) ## Run the tests that need a CUDA device
	@$(PYTHON) -m pytest -m gpu tests/gpu $(ARGS)

check: $(SYNCED) ## Check format, lint, types and import directions (no tests)
	@$(BIN)/ruff format --check --quiet --diff .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: $(SYNCED) ## Format the code and mend what ruff can mend by itself
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(SYNCED) ## Run the benchmarks and print their tables
	@$(PYTHON) -m benchmarks $(ARGS)

faults: $(SYNCED) ## Break the real system for hours, part by part; writes docs/reliability.md
	@$(PYTHON) -m tests.faults --ledger docs/reliability.jsonl --publish $(ARGS)

stack: $(SYNCED) ## Start Kafka, Redis and Weaviate on this machine, without Docker
	@$(PYTHON) -m scripts.stack up

stack-down: $(SYNCED) ## Stop the stack that `make stack` started; data stays
	@$(PYTHON) -m scripts.stack down

stack-status: $(SYNCED) ## Say which of the stack's servers run, and where
	@$(PYTHON) -m scripts.stack status

settings-page: $(SYNCED) ## Write docs/settings.md and .env.example again from the settings
	@$(PYTHON) -m scripts.settings_page

lock: _uv ## Lock the dependencies again and export requirements.txt
	@$(UV) lock
	@{ echo "# Written by 'make lock' from uv.lock, for plain pip: pip install -r requirements.txt"; \
	$(UV) $(EXPORT); } > requirements.txt.new && mv requirements.txt.new requirements.txt

$(SYNCED): pyproject.toml uv.lock
	@$(MAKE) --no-print-directory setup

# A venv of its own: Debian's Python refuses other installs. --target is for a Python without venv.
_uv:
	@if [ -z "$(UV)" ]; then \
		echo "uv is missing: installing it into .run/uv"; \
		rm -rf .run/uv; mkdir -p .run; \
		{ python3 -m venv .run/uv && .run/uv/bin/python -m pip install --quiet uv==$(UV_VERSION); } \
		|| { rm -rf .run/uv && python3 -m pip install --quiet --target .run/uv uv==$(UV_VERSION); } \
		|| { echo "Could not install uv. Install it by hand, or python3-venv first:" \
			"apt-get install -y python3-venv" >&2; exit 1; }; \
	fi
