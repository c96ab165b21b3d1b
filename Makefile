# make run    sets up and runs the gateway with a demo office      make test   sets up and runs all tests
# make check  ruff, mypy, import contracts                         make quick  the tests that need nothing, in a minute

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO_DATA ?= data
LISTEN ?= 127.0.0.1:8080

.PHONY: install run servers test quick check bench fuzz zones behind nodes kills rolls postgresql docs requirements pictures sessions replays clean

install: $(STAMP)

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed (PYTHON=...)"; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) || { \
	  rm -rf $(VENV); echo "Python's venv module is missing: on Debian, apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $(STAMP)

run: install
	$(BIN)/eas serve --demo --data $(DEMO_DATA) --listen $(LISTEN)

# The servers that the tests talk to, from Debian where they are missing (tests/groupware/README.md).
servers:
	@tests/groupware/install.sh

test: install servers
	$(BIN)/python -m pytest -n auto

quick: install
	$(BIN)/python -m pytest -n auto -m "not server and not long"

check: install
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

# Figures, printed; each file under tests/bench says what it measures.
bench: install
	@for file in tests/bench/bench_*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

# As in `make test`, with so many times more examples for each decoder.
EAS_FUZZ_EXAMPLES ?= 100
fuzz: install
	EAS_FUZZ_EXAMPLES=$(EAS_FUZZ_EXAMPLES) $(BIN)/python -m pytest tests/fuzz

# As in `make test`, with every time zone and the years 2000 to 2040.
zones: install
	EAS_ZONES=all $(BIN)/python -m pytest tests/items/test_all_zones.py

# As in `make test`, with every conformance case on every set of real servers.
behind: install servers
	EAS_BEHIND=all $(BIN)/python -m pytest tests/conformance/test_behind.py

# As in `make test`, with every conformance case in turn at two nodes over one PostgreSQL and one Redis.
nodes: install servers
	EAS_NODES=all $(BIN)/python -m pytest tests/conformance/test_nodes.py

# Kills a real server at random points of a Sync, EAS_KILLS times; `make test` does so a few times.
EAS_KILLS ?= 100
kills: install
	EAS_KILLS=$(EAS_KILLS) $(BIN)/python -m pytest -m long tests/conformance/test_kills.py -s

# Replaces nodes behind HAProxy, and workers, under phones that wait and synchronise, EAS_ROLLS rounds; `make test`: one.
EAS_ROLLS ?= 20
rolls: install servers
	EAS_ROLLS=$(EAS_ROLLS) $(BIN)/python -m pytest -m long tests/app/test_rolling.py -s

# The stores, all backends and the demo office with their state on PostgreSQL; `make test` does so for a part of them.
postgresql: install servers
	TEST_POSTGRESQL=1 $(BIN)/python -m pytest tests/db tests/store tests/backends \
	  tests/client/test_against_the_demo_office.py

# The documentation is plain Markdown; this checks that no link leads nowhere.
docs: install
	$(BIN)/python tools/quirks_page.py docs/quirks.md
	$(BIN)/python tools/check_links.py README.md CHANGELOG.md docs deploy

# Requirements of the specifications that the tests cite; EAS_SPEC names the folder of the tables.
requirements: install
	$(BIN)/python tools/spec_index.py --page docs/protocol.md

# The pictures of docs/images, taken anew of the pages as they are.
pictures: install servers
	$(BIN)/python tests/browser/pictures.py

# The sessions of device families under fixtures/sessions, played anew (tests/replay/families).
sessions: install
	PYTHONPATH=tests:tests/replay $(BIN)/python -m families fixtures/sessions

# As in `make test`, with every session of the library played anew.
replays: install servers
	EAS_SESSIONS=all $(BIN)/python -m pytest tests/replay/test_fixture_sessions.py tests/replay/test_fixture_replay.py \
	  tests/replay/test_fixture_behind.py

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
