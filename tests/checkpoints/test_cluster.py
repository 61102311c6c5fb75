"""Jobs on a Dask cluster: who may work, and what there is to say if nobody can."""

import shutil
import sys

import pytest
from distributed import Client, Security

from tests import clusters
from tests.places import ROOT
from utils.checkpoints import cluster, worker
from utils.checkpoints.cluster import Cluster, ClusterError, JobError

SEEDS = "utils.checkpoints.study:seeds"  # a function of ours that is quick and may fail
SANDBOX = "tools.grading.sandbox:unavailable"


@pytest.fixture(scope="module")
def another_book(tmp_path_factory):
    """A clone of another commit."""
    folder = tmp_path_factory.mktemp("another")
    for part in worker.PARTS:
        (folder / part).symlink_to(ROOT / part)
    (folder / "utils").unlink()
    shutil.copytree(ROOT / "utils", folder / "utils")
    with open(folder / "utils" / "text" / "vocab.py", "a") as file:
        file.write("# changed\n")
    return folder


def there(address, number):
    """Wait until so many workers are."""
    with Client(address, set_as_default=False) as client:
        client.wait_for_workers(number, 60)


@pytest.mark.slow
def test_only_workers_that_can_do_the_work_get_it(another_book, tmp_path, capsys):
    with (
        clusters.scheduler() as address,
        clusters.workers(address, PATH=str(tmp_path)),  # where there is no bubblewrap
        clusters.workers(address, book=another_book),
    ):
        there(address, 2)
        with pytest.raises(ClusterError) as caught:
            Cluster(address, needs=SANDBOX)
        for said in (str(caught.value), capsys.readouterr().err):
            assert "has other versions than here of utils/: check out the same commit" in said
            assert "cannot do this work: bubblewrap is not installed" in said
        assert str(caught.value).startswith(f"No worker of {address} can do the work: tcp://")
        with Cluster(address, patience=3) as away:  # without a sandbox there is one
            assert len(away) == 1 and away.call(SEEDS, "0-2") == [0, 1, 2]
            with pytest.raises(JobError, match=r"^ValueError: 'x' names no seeds: give such as"):
                away.call(SEEDS, "x")
            assert capsys.readouterr().err.count("It gets no work.") == 1


@pytest.mark.slow
def test_a_worker_that_comes_later_is_asked_too(another_book, capsys):
    with clusters.scheduler() as address:
        with clusters.workers(address):
            there(address, 1)
            away = Cluster(address, patience=2)
            assert away.call(SEEDS, "7") == [7]
        with away, clusters.workers(address, book=another_book):
            there(address, 1)
            with pytest.raises(
                ClusterError, match=r"No worker .* has other versions than here of utils/"
            ):
                away.call(SEEDS, "8")
        assert capsys.readouterr().err.count("It gets no work.") == 1
        with pytest.raises(ClusterError, match=r"has had no worker for 0\.1 seconds. Start one"):
            Cluster(address, patience=0.1)


@pytest.mark.parametrize(
    "address",
    ["", "foo", "tcp://", "tcp://host", "http://host:80", "tcp://host:99999", "tcp://a b:1"],
)
def test_what_is_no_address(address):
    with pytest.raises(ClusterError, match="is no address of a Dask scheduler: give tcp://HOST:"):
        Cluster(address)


@pytest.mark.parametrize(
    "address", ["tcp://10.0.0.1:8786", "tls://node-7.example.edu:8786", "tcp://[::1]:1"]
)
def test_what_is_one(address):
    assert cluster.check_address(address) == address


def test_nobody_listens(monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT", 0.2)
    with pytest.raises(ClusterError, match=r"No Dask scheduler answers at tcp://127\.0\.0\.1:9 "):
        Cluster("tcp://127.0.0.1:9")


def test_tls_needs_certificates(tmp_path):
    with pytest.raises(ClusterError, match="A tls:// address needs certificates"):
        Cluster("tls://127.0.0.1:9")
    there = Security(tls_ca_file=str(tmp_path / "a.pem"), tls_client_cert=str(tmp_path / "b.pem"))
    with pytest.raises(ClusterError, match=r"needs certificates \(FileNotFoundError: "):
        cluster.check_certificates(there)


def test_without_distributed_it_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ClusterError, match=r"pip install -r requirements-cluster\.txt"):
        Cluster("tcp://127.0.0.1:9")
    assert (ROOT / "requirements-cluster.txt").exists()
