# make demo | make test | make check: each sets itself up in .venv first.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready

.PHONY: demo test slow every-test seconds check lint kills changes fuzz siege valid growth speed pictures clean

# DEMO: options of `kakera demo`; its last line is the report's path.
demo: $(READY)
	$(BIN)/kakera demo $(DEMO)

# Ends with what it cost, what was left out, and why. A file's tests stay together, as they share what they set
# up; the longest file comes first (`make seconds` measures them). `make test` leaves out what is marked slow.
PYTEST := $(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
test: $(READY)
	$(PYTEST) -m "not slow"

slow: $(READY)
	$(PYTEST) -m slow

every-test: $(READY)
	$(PYTEST)

seconds: $(READY)
	$(PYTEST) --keep-seconds

check: every-test lint

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright

# Training killed at 500 random instants; 2000 damaged files; attacks on the explorer. `make test` does some of each.
kills: $(READY)
	$(BIN)/python -m tests.training.kills --times 500

fuzz: $(READY)
	$(BIN)/python -m tests.hostile --count 2000
	$(BIN)/python -m tests.hostile_fields --count 2000

changes: $(READY)
	$(BIN)/python -m tests.training.changes --cases 200

siege: $(READY)
	$(BIN)/python -m tests.web.siege

# 2000 valid files by the encoders that are installed, read by kakera and by a second decoder; docs/formats.md.
valid: $(READY)
	$(BIN)/python -m benchmarks.valid_files --count 2000 --out docs/valid-files.json
	$(BIN)/python -m benchmarks.formats

# Time and memory over files and classes: to 10^5 files in two minutes; to 10^7, much longer, with GROWTH=--all.
growth: $(READY)
	$(BIN)/python -m benchmarks.growth $(GROWTH)

# docs/bench.json, docs/speed.md and the README's numbers on speed: a quarter of an hour on a quiet machine.
speed: $(READY)
	$(BIN)/pip install --quiet --no-deps --target .venv/peers --upgrade -r benchmarks/peers.txt
	$(BIN)/kakera bench --peers .venv/peers --out docs/bench.json
	$(BIN)/python -m benchmarks.speed

# The pictures in README.md and docs/, from the demo's run.
pictures: $(READY)
	$(BIN)/kakera demo --out runs/demo
	mkdir -p docs/pictures
	cp "$$(ls runs/demo/pretrain/pictures/*.png | tail -1)" docs/pictures/demo.png
	$(BIN)/python examples/explain_pictures.py runs/demo/pretrain runs/demo/finetuned-1000
	$(BIN)/python examples/search_pictures.py runs/demo/pretrain
	$(BIN)/python examples/search_page_pictures.py runs/demo/pretrain
	$(BIN)/python examples/explorer_pictures.py runs/demo/pretrain runs/demo/finetuned-1000

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/pip || $(PYTHON) -m venv .venv || { \
	  echo "make: got no virtual environment from $(PYTHON), expected Python 3.11 or later with venv;" \
	    "install it (Debian, Ubuntu: apt-get install python3-venv)" >&2; exit 2; }
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $(READY)

clean:
	rm -rf .venv runs
