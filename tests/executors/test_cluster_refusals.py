"""Who a Dask cluster is run on: workers with our code and a GPU, certificates, nobody there."""

from __future__ import annotations

import gc
import shutil
import threading
from pathlib import Path

import pytest
from dask_cluster import HOSTILE, ours, run, run_in_background, scheduler, until, worker

import impbench
from impbench.errors import ImpbenchError, InputError, UnavailableError
from impbench.executors.dask_scheduler import DaskScheduler
from impbench.registry import load_file
from impbench.results.store import Store

pytestmark = pytest.mark.slow

distributed = pytest.importorskip("distributed")


def test_worker_with_other_code_is_named(tmp_path: Path, address: str) -> None:
    copy = tmp_path / "other" / "impbench"
    shutil.copytree(Path(impbench.__file__).parent, copy)
    text = (copy / "version.py").read_text()
    (copy / "version.py").write_text(text.replace(impbench.__version__, "0.0.1"))
    where = str(copy.parent)
    with distributed.Client(address, set_as_default=False) as client:
        known = set(client.nthreads())
        thread, outcome = run_in_background(tmp_path / "out", address, "slow", seeds=9)
        until(lambda: ours() or not thread.is_alive())
        with worker(address, tmp_path / "w", PYTHONPATH=where):
            until(lambda: set(client.nthreads()) - known)
            (stranger,) = set(client.nthreads()) - known
            thread.join(60)
            with pytest.raises(InputError, match=f"worker {stranger}: impbench is 0.0.1"):
                run(tmp_path / "out", address, "fine")
    assert isinstance(outcome[0], InputError), outcome
    assert f"worker {stranger} cannot do its part: impbench is 0.0.1" in str(outcome[0])


def test_gpu_jobs_go_where_a_gpu_is_announced(tmp_path: Path, address: str) -> None:
    with pytest.raises(UnavailableError, match=rf"no worker of {address} announces a GPU; start"):
        run(tmp_path, address, "tells-gpu", device="cuda")
    gpu = ("--resources", "GPU=1")
    with worker(address, tmp_path / "w", *gpu, CUDA_VISIBLE_DEVICES="GPU-7"):
        with distributed.Client(address, set_as_default=False) as client:
            client.wait_for_workers(3, timeout=40)
        run(tmp_path / "out", address, "tells-gpu", "fine", seeds=4, device="cuda")
    store = Store(tmp_path / "out")
    told = [record for record in store.read().records if record.job.imputer == "tells-gpu"]
    assert {(record.status, record.info["visible"]) for record in told} == {("ok", "GPU-7")}
    fine = [record.cost for record in store.read().records if record.job.imputer == "fine"]
    assert {cost.device for cost in fine if cost} == {"cpu"}


def test_encrypted_scheduler_takes_only_who_has_the_certificate(tmp_path: Path) -> None:
    load_file(HOSTILE)
    temporary = distributed.Security.temporary()
    files = {"ca-file": "tls_ca_file", "cert": "tls_worker_cert", "key": "tls_worker_key"}
    paths = {name: tmp_path / name for name in files}
    for name, attribute in files.items():
        paths[name].write_text(getattr(temporary, attribute))
    options = [text for name in files for text in (f"--tls-{name}", str(paths[name]))]
    with (
        scheduler(tmp_path, *options, "--protocol", "tls") as (_, address),
        worker(address, tmp_path / "w", *options),
    ):
        assert address.startswith("tls://")
        tls = {f"tls_{name.replace('-', '_')}": str(path) for name, path in paths.items()}
        with pytest.raises(InputError, match="cannot connect to the Dask scheduler"):
            run(tmp_path / "out", address, "fine")
        encrypted = DaskScheduler(scheduler=address, **tls)
        table = run(tmp_path / "out", None, "fine", seeds=1, executor=encrypted).scores
    assert set(table.status) == {"ok"}


def test_connection_that_fails_leaves_no_thread_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Closed at once, not when it is collected: that could be while another client starts.
    monkeypatch.setattr("impbench.executors.dask.cluster.CONNECT_SECONDS", 1)
    before = {thread.ident for thread in threading.enumerate()}
    gc.disable()
    try:
        for address in ("tcp://127.0.0.1:9", "tls://127.0.0.1:9", "nonsense://127.0.0.1:9"):
            with pytest.raises(ImpbenchError), DaskScheduler(scheduler=address).connect(1):
                pass
            left = [t.name for t in threading.enumerate() if t.ident not in before]
            assert left == []
    finally:
        gc.enable()


def test_scheduler_without_workers_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load_file(HOSTILE)
    monkeypatch.setattr(DaskScheduler, "patience", 0.5)
    with (
        scheduler(tmp_path) as (_, address),
        pytest.raises(UnavailableError, match=rf"no worker is connected to {address}; start one"),
    ):
        run(tmp_path / "out", address, "fine")


def test_nobody_at_the_address_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load_file(HOSTILE)
    monkeypatch.setattr("impbench.executors.dask.cluster.CONNECT_SECONDS", 1)
    with pytest.raises(
        UnavailableError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"
    ):
        run(tmp_path, "tcp://127.0.0.1:9", "fine")
