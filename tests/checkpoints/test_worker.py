"""What a worker of a cluster is asked before it gets work. (test_cluster.py has real ones.)"""

import json
import os
import re

import pytest

from utils.checkpoints import worker

SEEDS = "utils.checkpoints.study:seeds"


def test_the_fingerprint_is_of_what_a_job_reads(tmp_path):
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "a.py").write_text("1")
    before = worker.files(tmp_path)
    (tmp_path / "__pycache__" / "a.pyc").write_text("1")
    (tmp_path / ".new-1").write_text("1")
    assert worker.files(tmp_path) == before
    (tmp_path / os.fsdecode("Müller.py".encode("latin-1"))).touch()
    assert worker.files(tmp_path) != before
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    renamed = worker.files(tmp_path)
    (tmp_path / "b.py").write_text("2")
    assert len({before, renamed, worker.files(tmp_path)}) == 3
    assert {"Python", "torch", "utils/", "tools/", "checkpoints/"} < worker.fingerprint().keys()


@pytest.mark.parametrize(
    ("there", "named"),
    [({"utils/": "0" * 64}, "of utils/: check out"), ({"torch": "1.0"}, r"of torch \(2")],
)
def test_what_differs_is_named(there, named):
    here = worker.fingerprint()
    assert worker.why_unfit(here, None) is None
    assert re.search(named, worker.why_unfit(here | there, None))


def test_a_job_comes_back_as_json_whatever_happens():
    here = worker.fingerprint()
    assert json.loads(worker.work(SEEDS, b'"0-2"', here, None)) == {"answer": [0, 1, 2]}
    for function in ("utils.checkpoints.study:nothing", "nowhere:at_all"):
        assert "failed" in json.loads(worker.work(function, b"1", here, None))
    failed = json.loads(worker.work(SEEDS, b'"x"', here, None))
    assert failed["failed"].startswith("ValueError: 'x' names no seeds")
