"""Large arrays lie in files, are arrays like any other, and let go of memory behind a walk."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from impbench import large, scale
from impbench.errors import InputError
from impbench.imputer import Imputed, Observed

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")


@pytest.fixture
def all_large(monkeypatch, tmp_path):
    """Let arrays of a kilobyte be large, and walk them a few rows at a time."""
    monkeypatch.setattr(large, "LARGE", 1000)
    monkeypatch.setattr(large, "BLOCK", 2**14)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def in_file(array):
    return large._file_behind(array) is not None


def test_only_large_arrays_lie_in_files(all_large):
    assert not in_file(large.empty((10, 10), np.float64))
    assert in_file(large.empty((10, 100), np.float64))
    assert in_file(large.like(np.zeros((50, 50)))[3:40])


def test_no_file_is_seen_and_none_is_left(all_large, tmp_path):
    array = large.empty((1000, 100))
    assert list(tmp_path.iterdir()) == []
    array[:] = 3
    assert array.sum() == 300_000


def test_walk_covers_every_row_once_and_gives_memory_back(all_large):
    array = large.empty((40_000, 1000))
    before = resident()
    seen = np.zeros(len(array), int)
    for rows in large.some_rows(array):
        seen[rows] += 1
        array[rows] = np.arange(len(array))[rows, None]
        assert resident() - before < 40e6
    assert (seen == 1).all()
    assert (array[:, 0] == np.arange(len(array))).all()
    assert (array[:, -1] == np.arange(len(array))).all()
    assert resident() - before > 100e6
    large.release(array)
    assert resident() - before < 40e6
    assert array[-1, -1] == len(array) - 1


@pytest.mark.parametrize("array", [np.zeros((0, 5)), np.zeros((5, 0)), sp.csr_matrix((7, 3))])
def test_walk_takes_any_matrix(array):
    rows = [i for some in large.some_rows(array) for i in range(array.shape[0])[some]]
    assert rows == list(range(array.shape[0]))


def test_disk_without_room_is_said_before_anything_is_written(all_large):
    with pytest.raises(InputError, match=r"takes 8.19e\+03 GiB of disk, which .* TMPDIR"):
        large.empty((2**31, 2**10))


def test_where_room_cannot_be_reserved_the_file_grows(all_large, monkeypatch):
    monkeypatch.delattr(os, "posix_fallocate")
    array = large.empty((100, 100))
    assert in_file(array)
    array[:] = 2
    assert array.sum() == 20_000


def test_array_in_a_file_is_read_where_it_lies(tmp_path):
    for written in (np.arange(12.0).reshape(3, 4), np.asfortranarray(np.eye(3, 5))):
        np.save(tmp_path / "a.npy", written)
        with (tmp_path / "a.npy").open("rb") as file:
            read = large.map_array(file.fileno())
        assert in_file(read) or read.nbytes < 4096
        assert not read.flags.writeable
        np.testing.assert_array_equal(read, written)


def test_conversions_are_the_same_to_the_last_bit(monkeypatch):
    rng = np.random.default_rng(0)
    counts = rng.poisson(rng.gamma(0.3, 4, (500, 37)))
    factors = rng.uniform(0.3, 3, 500)

    def all_conversions():
        logs = scale.lognorm(counts, factors)
        observed = Observed.from_counts(counts, size_factors=factors)
        yield logs
        yield scale.lognorm(sp.csr_matrix(counts), factors)
        yield scale.normalise(sp.csr_matrix(counts), factors)
        yield scale.counts_from_lognorm(logs - 1, factors)
        yield scale.library_sizes(counts)
        yield Imputed(counts - 0.5, "counts").counts(observed)

    usual = list(all_conversions())
    monkeypatch.setattr(large, "LARGE", 1000)
    monkeypatch.setattr(large, "BLOCK", 2**12)
    for found, expected in zip(all_conversions(), usual, strict=True):
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


@pytest.mark.slow
def test_run_on_large_arrays_gives_the_same_scores(tmp_path):
    scores = []
    for name, size in (("usual", ""), ("large", "1000")):
        words = (
            "run --datasets sim_rare[n_cells=150,n_genes=200] --seeds 1 --no-report --quiet "
            "--protocols simulated-truth,clustering "
            "--imputers maskclass-balanced[epochs=2],alra[k=5],gene-mean "
            f"--out {tmp_path / name}"
        )
        variables = os.environ | ({"IMPBENCH_LARGE": size} if size else {})
        command = [str(Path(sys.executable).with_name("impbench")), *words.split()]
        subprocess.run(command, check=True, env=variables)
        table = pd.read_parquet(tmp_path / name / "results.parquet")
        scores.append(table[~table["metric"].isin(["wall-seconds", "cpu-seconds", "peak-memory"])])
    usual, found = scores
    assert (usual["status"] == "ok").all()
    assert len(usual) > 60
    columns = ["imputer", "protocol", "metric", "value"]
    pd.testing.assert_frame_equal(
        *(table[columns].sort_values(columns).reset_index(drop=True) for table in (usual, found))
    )
