# One Token at a Time? Two commands are all a newcomer needs: `make lab` and `make test`.
# Both make the environment (.venv, in this folder) the first time and say how long that takes.

# The first Python that is new enough, else the first at all, which then says what is missing.
ifndef PYTHON
PYTHON := $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	    "$$python" -E -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	    && { echo "$$python"; exit; }; \
	  done; echo python3)
endif

# `$(RUN) something.py` makes the environment if need be, then runs something.py in it. What a reader
# gives reaches the shell as variables, "$$PYTHON": there it may hold spaces, quotes and whatever.
export PYTHON
RUN = @command -v "$$PYTHON" >/dev/null || { \
	printf '%s\n' "This book needs Python 3.11 or newer, and finds no \"$$PYTHON\": install Python 3, \
	or run \`make PYTHON=/path/to/python $@\`." >&2; exit 1; }; \
	exec "$$PYTHON" -E tools/environment.py

.PHONY: help setup lab test check test-portable refresh site serve bench remake
GRADING = release grade formgrader feedback export statistics similarity
.PHONY: $(GRADING)
help:
	@echo 'make setup          make the environment, which all others do that need it, and no more'
	@echo 'make lab            read the book in JupyterLab (PORT=8888 HOST=127.0.0.1)'
	@echo 'make test           run every test (ARGS="-k markov" for some of them)'
	@echo 'make check          lint, imports and unit tests, in two minutes: no notebooks, browsers, grading'
	@echo 'make test-portable  run the notebooks (or NOTEBOOK=…) as a computer with older instructions would'
	@echo 'make refresh        run the notebooks and store their outputs (NOTEBOOK=chapters/… for one)'
	@echo 'make bench          race the code against what a reader would otherwise use (NAME=decoding for one)'
	@echo 'make remake         train the checkpoints again, all of them or NAME=sentences-ar; with'
	@echo '                    SEEDS=0-49 at these seeds, into studies/ (CLUSTER=tcp://… on other machines)'
	@echo 'make release        make the students'\'' versions of the assignments, a zip each'
	@echo 'make grade          grade what is handed in (STUDENT=ada hers again, FORCE=1 all of it, TRUST=ada'
	@echo '                    counts what is withheld, WORKERS=4 at a time, CLUSTER=tcp://… on'
	@echo '                    the machines of that Dask scheduler)'
	@echo 'make formgrader     give points by hand; then make feedback, make export (FORMAT=canvas or moodle)'
	@echo 'make statistics     what the class did not understand (NAMES=1 says who), make similarity: whose work'
	@echo '                    is alike, a list to look at'
	@echo '                    (all of them: ASSIGNMENT=03_kv_cache for one, COURSE=… for a course elsewhere,'
	@echo '                    GRADEBOOK=postgresql://… for a database)'
	@echo 'make site / serve   render the site from the stored outputs (BASE=https://… if it has an'
	@echo '                    address, REPO=https://github.com/… if its repository has one, for links to'
	@echo '                    Binder and Colab) / look at it in a browser'

# Some shells export the machine's name under these names, which is not meant for us.
ifeq ($(origin HOST),environment)
HOST =
endif
ifeq ($(origin NAME),environment)
NAME =
endif
# What a reader gives. A $$ in it is one, while make would look for a variable of that name.
GIVEN = HOST PORT NAME NOTEBOOK BASE REPO BRANCH SEEDS CLUSTER ASSIGNMENT COURSE GRADEBOOK STUDENT
GIVEN += FORCE TRUST WORKERS UNSAFE_NO_SANDBOX UNMARKED FORMAT NAMES
$(foreach name,$(GIVEN),$(if $(value $(name)),$(eval override $(name) := $$(value $(name)))))
export $(GIVEN)
setup:
	$(RUN) -c ""

lab:
	$(RUN) tools/lab.py $${HOST:+--host "$$HOST"} $${PORT:+--port "$$PORT"}

# Side by side, a file at a time, a thread each; the notebooks, which take longest, first.
TEST = -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile --no-loadscope-reorder
test check test-portable: export OMP_NUM_THREADS = 1

test:
	$(RUN) $(TEST) $(ARGS)

# What each change is tried on: the library and the tools, and of their tests the quick ones.
ROOMS = text worlds models training generation measure experiments checkpoints page
check:
	$(RUN) $(TEST) tests/test_*.py $(ROOMS:%=tests/%) tests/tools -m "not slow and not browser" $(ARGS)

test-portable: export ATEN_CPU_CAPABILITY = default
test-portable: export MKL_CBWR = COMPATIBLE
test-portable: export ONEDNN_MAX_CPU_ISA = SSE41
test-portable:
	$(RUN) $(TEST) "$${NOTEBOOK:-chapters}" $(ARGS)

refresh:
	$(RUN) tools/refresh.py $${NOTEBOOK:+"$$NOTEBOOK"}

site:
	$(RUN) tools/site.py build

serve:
	$(RUN) tools/site.py serve

bench:
	$(RUN) benchmarks/run.py --opponents $$NAME

remake:
	$(RUN) -m utils.checkpoints remake $${NAME:---all} $${SEEDS:+--seeds "$$SEEDS"} \
		$${CLUSTER:+--cluster "$$CLUSTER"}

# The assignments; tools/grading/__main__.py says what else each takes.
$(GRADING):
	$(RUN) -m tools.grading $@
