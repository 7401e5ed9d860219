from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from dask_cluster import ELSEWHERE, HOSTILE, scheduler, worker

from impbench.registry import load_file


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A scheduler with two workers, each a process with a folder of its own."""
    distributed = pytest.importorskip("distributed")
    load_file(HOSTILE)
    load_file(ELSEWHERE)
    folder = tmp_path_factory.mktemp("cluster")
    with ExitStack() as stack:
        _, address = stack.enter_context(scheduler(folder))
        for name in ("a", "b"):
            options = ("--memory-limit", "1GB", "--name", name)
            stack.enter_context(worker(address, folder / name, *options))
        with distributed.Client(address, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=40)
        yield address
