"""How many bad inputs there are in all, and what no input may do even where it is read."""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from strangers import EXAMPLES, harmless

from impbench.data.read import read_counts_file
from impbench.errors import ImpbenchError
from impbench.regress.baseline import read_baseline
from impbench.results.record import Job, Record
from impbench.results.store import Store


def test_at_least_2000_inputs_are_generated() -> None:
    assert sum(EXAMPLES.values()) >= 2000


class Trap:
    """Its unpickling leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


@pytest.fixture
def trap(tmp_path: Path) -> tuple[bytes, Path]:
    sprung = tmp_path / "sprung"
    content = pickle.dumps(Trap(sprung))
    pickle.loads(content)
    assert sprung.is_dir(), "the trap must work for its silence to mean anything"
    sprung.rmdir()
    return content, sprung


def test_nothing_is_unpickled_from_pictures(trap: tuple[bytes, Path], tmp_path: Path) -> None:
    content, sprung = trap
    store = Store.create(tmp_path / "run")
    path = store.folder / "pictures" / "k.npz"
    np.savez(path, map=np.array([Trap(sprung)], dtype=object))
    with harmless(store.folder):
        assert store.picture("k") is None
    path.write_bytes(content)
    with harmless(store.folder):
        assert store.picture("k") is None
    assert not sprung.exists()


@pytest.mark.parametrize("ending", [".h5ad", ".csv", ".tsv", ".h5", ".loom"])
def test_nothing_is_unpickled_from_data(
    trap: tuple[bytes, Path], tmp_path: Path, ending: str
) -> None:
    content, sprung = trap
    path = tmp_path / f"my{ending}"
    path.write_bytes(content)
    # The first call lets libraries load, which itself unpickles; the second is watched.
    for watch in (contextlib.nullcontext(), harmless(tmp_path)):
        with watch, pytest.raises(ImpbenchError):
            read_counts_file(path)
    if ending in (".h5ad", ".h5", ".loom"):
        with h5py.File(path, "w") as file:
            for name in ("X", "matrix", "obs", "uns"):
                file[name] = np.void(content)
                file[name].attrs["encoding-type"] = "pickle"
                file[name].attrs["encoding-version"] = "0.1.0"
        for watch in (contextlib.nullcontext(), harmless(tmp_path)):
            with watch, pytest.raises(ImpbenchError):
                read_counts_file(path)
    assert not sprung.exists()


def test_nothing_is_unpickled_from_records_manifests_and_baselines(
    trap: tuple[bytes, Path], tmp_path: Path
) -> None:
    content, sprung = trap
    store = Store.create(tmp_path / "run")
    for name in ("manifest.json", "records/k.json", "baseline.json"):
        (store.folder / name).write_bytes(content)
    with harmless(store.folder):
        assert store.record("k") is None
        for read in (store.manifest, lambda: read_baseline(store.folder / "baseline.json")):
            with pytest.raises(ImpbenchError):
                read()
    assert not sprung.exists()


def test_a_record_leads_to_no_other_file(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "run")
    job = Job("d", "p", "i", {}, 1)
    store.write_record(Record("a", job, "ok"))
    (store.folder / "records" / "b.json").write_text(Record("../a", job, "ok").to_json())
    assert store.record("a") is not None
    assert store.record("b") is None
    (store.folder / "manifest.json").write_text('{"keys": ["../../secret"]}')
    with pytest.raises(ImpbenchError, match="no key of a record"):
        store.read()


def test_names_that_parquet_cannot_hold_are_stored_all_the_same(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "run")
    store.write_record(Record("a", Job("d\ud800", "p", "i", {}, 1), "ok", scores={"ari": 1.0}))
    store.write_manifest({"keys": ["a"]})
    (record,) = store.read().records
    assert record.job.dataset == "d\ud800"
    store.write_results([record])
    assert (store.folder / "results.parquet").is_file()


@pytest.mark.parametrize("arguments", [["info"], ["run", "--suite"], ["report"], ["data", "info"]])
def test_command_line_shows_no_escape_and_no_traceback(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "impbench.cli", *arguments, "\x1b[31mred\x1b[2J<script>\x9b"],
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    assert b"\x1b" not in done.stderr + done.stdout
    assert b"\xc2\x9b" not in done.stderr + done.stdout
    assert b"Traceback" not in done.stderr
    assert b"impbench: " in done.stderr
