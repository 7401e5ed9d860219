"""What a worker is shown, as files: the same values for all, each worker's own to write on."""

import os
import tempfile

import numpy as np
import pytest
import scipy.sparse as sp

from impbench import large
from impbench.imputer import Observed
from impbench.worker.exchange import (
    LOGS,
    map_observed,
    read_observed,
    save_logs,
    save_observed,
)


def counts(kind):
    return kind(np.random.default_rng(0).poisson(0.7, (900, 500)).astype(np.float32))


def opened(folder):
    return {path.name: os.open(path, os.O_RDONLY) for path in folder.iterdir()}


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_matrix])
def test_logs_of_a_view_are_those_that_every_reader_would_compute(tmp_path, kind):
    observed = Observed.from_counts(counts(kind))
    save_observed(tmp_path, observed)
    alone = read_observed(opened(tmp_path)).lognorm
    save_logs(tmp_path, observed)
    for shown in (read_observed(opened(tmp_path)), map_observed(tmp_path)):
        assert "lognorm" in vars(shown), "nobody computes it again"
        assert shown.lognorm.dtype == np.float32
        np.testing.assert_array_equal(shown.lognorm, alone)
    np.testing.assert_array_equal(alone, observed.lognorm)


def test_logs_are_written_some_cells_at_a_time(tmp_path, monkeypatch):
    observed = Observed.from_counts(counts(sp.csr_matrix))
    monkeypatch.setattr(large, "BLOCK", 2**14)
    save_logs(tmp_path, observed)
    np.testing.assert_array_equal(np.load(tmp_path / LOGS), observed.lognorm)


def test_a_worker_may_write_on_its_own_and_no_other_sees_it(tmp_path, monkeypatch):
    observed = Observed.from_counts(counts(np.asarray))
    save_observed(tmp_path, observed)
    save_logs(tmp_path, observed)
    mine = read_observed(opened(tmp_path))
    mine.counts[:] = 7
    mine.lognorm[:] = 7
    monkeypatch.setattr(large, "SMALL", 0)
    for _ in large.some_rows(mine.counts, mine.lognorm):
        pass
    assert (mine.counts == 7).all(), "letting go of memory must not undo what was written"
    assert (mine.lognorm == 7).all()
    np.testing.assert_array_equal(read_observed(opened(tmp_path)).counts, observed.counts)
    np.testing.assert_array_equal(np.load(tmp_path / LOGS), observed.lognorm)


def test_large_ones_are_read_only_and_let_go_of(tmp_path, monkeypatch):
    monkeypatch.setattr(large, "LARGE", 2**20)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    view = tmp_path / "view"
    view.mkdir()
    observed = Observed.from_counts(counts(np.asarray))
    save_observed(view, observed)
    save_logs(view, observed)
    shown = read_observed(opened(view))
    for array in (shown.counts, shown.lognorm):
        assert large._file_behind(array) is not None
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 7
