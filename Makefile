# make lab      opens the course in JupyterLab        make refresh  runs all chapters and stores their outputs
# make test     checks everything the course says     make bench    measures the course against its rivals
# make update   brings the newest course and keeps your work
# make colab    runs the first chapters under Colab's versions    make resolve  resolves Binder's list of packages
SHELL := /bin/bash
IN_RANGE := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
    $$p -c '$(IN_RANGE)' 2>/dev/null && echo $$p && break; done)
.PHONY: lab test refresh bench update colab resolve

lab: .venv/course
	@[ "$$(id -u)" != 0 ] || echo "You are root, as in a container: JupyterLab is told to allow it."
	.venv/bin/python -m jupyterlab $$([ "$$(id -u)" != 0 ] || echo --allow-root) chapters/00_start_here.ipynb

test: .venv/tools
	.venv/bin/python -m tests

refresh: .venv/tools
	.venv/bin/python -m tests.notebooks.refresh

bench: .venv/tools
	.venv/bin/python -m tests.bench

update:
	$(PYTHON) -m utils.update

colab: .venv/tools
	.venv/bin/python -m tests.colab

resolve: .venv/tools
	.venv/bin/python -m tests.resolve

.venv/course: pyproject.toml constraints.txt
	@$(or $(PYTHON),false) -c '$(IN_RANGE)' || { echo "The course needs Python 3.11, 3.12 or 3.13 (TensorFlow has no wheels beyond); found: $$(python3 --version 2>&1). Install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	.venv/bin/python -m pip install --quiet --constraint constraints.txt --editable .
	@touch $@

.venv/tools: .venv/course
	.venv/bin/python -m pip install --quiet --constraint constraints.txt --group test
	@touch $@
