"""R's files, written by R: both versions, every compression, every class of matrix."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from impbench.data.formats import open_noted
from impbench.data.read import read_counts_file
from impbench.errors import InputError

pytestmark = pytest.mark.slow

RDS = Path(__file__).parents[1] / "data" / "rds"
"""What ``make.R`` wrote, by R 4.2 with SingleCellExperiment 1.20."""

CLASSES = ["integer", "double", "bare", "dgC", "dge", "dgT", "dgR", "delayed", "frame", "DataFrame"]
FULL = [f"full_{v}_{how}.rds" for v in (2, 3) for how in ("gzip", "xz", "bzip2", "none")]


def counts(folder):
    return pd.read_csv(folder / "counts.csv", index_col=0).to_numpy().T


def dense(matrix):
    return matrix.toarray() if sp.issparse(matrix) else np.asarray(matrix)


def check_full(path):
    data, notes = open_noted(path)
    np.testing.assert_array_equal(dense(data.X), counts(path.parent))
    assert list(data.obs_names) == [f"c{i}" for i in range(1, 7)]
    # Spike-ins stay genes; alternative experiments are none.
    assert list(data.var_names) == [f"g{i}" for i in range(1, 11)]
    assert notes == ("left out the alternative experiments ERCC",)
    assert list(data.obs["cell_type1"].fillna("-")) == ["a", "b", "-", "a", "b", "a"]
    assert list(data.obs["batch"].fillna("-")) == ["x", "y", "x", "y", "-", "x"]
    np.testing.assert_array_equal(data.obs["n"], [1, 2, 3, 4, 5, np.nan])
    assert list(data.obs["run"]) == [1, 1, 2, 2, 3, 3]
    assert (data.obs["sizeFactor"] > 0.5).all()
    assert list(data.var["feature_symbol"]) == [f"S{i}" for i in range(1, 11)]
    return data


def check_class(folder, name):
    for kind in ("sce", "plain"):
        data, notes = open_noted(folder / f"{kind}_{name}.rds")
        np.testing.assert_array_equal(dense(data.X), counts(folder), err_msg=f"{kind} {name}")
        if name != "bare":
            assert list(data.var_names) == [f"g{i}" for i in range(1, 11)]
            assert notes == ()
        else:
            assert "names no cells" in notes[0]


@pytest.mark.parametrize("name", FULL)
def test_every_version_and_compression_is_read(name):
    data = check_full(RDS / name)
    np.testing.assert_allclose(dense(data.layers["logcounts"]), np.log2(counts(RDS) + 1))


def test_object_of_before_2019_is_read():
    check_full(RDS / "full_2_old.rds")


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_of_counts_is_read(name):
    check_class(RDS, name)


def test_assay_that_only_r_can_compute_is_passed_over_aloud():
    data, notes = open_noted(RDS / "sce_odd.rds")
    np.testing.assert_array_equal(dense(data.X), counts(RDS))
    assert notes == ("passed over the assay 'odd', of the unknown class DelayedMatrix",)


def test_missing_label_in_a_factor_leaves_its_cell_out():
    dataset = read_counts_file(RDS / "full_2_gzip.rds", label_key="cell_type1")
    assert dataset.n_cells == 5
    assert list(dataset.labels) == ["a", "b", "a", "b", "a"]
    logs = read_counts_file(RDS / "full_3_xz.rds", layer="logcounts", scale="lognorm")
    np.testing.assert_allclose(dense(logs.counts), counts(RDS), rtol=1e-5)


@pytest.mark.parametrize("name", FULL[:3])
def test_cut_file_is_called_damaged(tmp_path, name):
    content = (RDS / name).read_bytes()
    (tmp_path / "my.rds").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"my\.rds cannot be read as rds.*truncated or damaged"):
        read_counts_file(tmp_path / "my.rds")


def test_other_object_of_r_is_refused_by_its_class():
    with pytest.raises(InputError, match="R object of class lm; expected a SingleCell") as caught:
        read_counts_file(RDS / "lm.rds")
    assert "damaged" not in str(caught.value)


@pytest.fixture
def without_r(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("R_HOME", raising=False)


def test_without_r_what_r_could_read_is_said(without_r):
    with pytest.raises(InputError, match=r"only of DelayedMatrix; R could read it.*apt install"):
        read_counts_file(RDS / "sce_pieces.rds")


def test_class_made_of_singlecellexperiment_needs_no_r(without_r):
    data, notes = open_noted(RDS / "sce_own.rds")
    np.testing.assert_array_equal(dense(data.X), counts(RDS))
    assert list(data.obs["run"]) == [1, 1, 2, 2, 3, 3]
    assert notes == ()


def test_whole_numbers_of_64_bits_are_no_tiny_fractions(without_r):
    data, _ = open_noted(RDS / "sce_long.rds")
    np.testing.assert_array_equal(dense(data.X), counts(RDS))


@pytest.mark.r
def test_counts_that_only_r_can_put_together_are_read_through_r():
    data, notes = open_noted(RDS / "sce_pieces.rds")
    np.testing.assert_array_equal(dense(data.X), counts(RDS))
    assert list(data.obs_names) == [f"c{i}" for i in range(1, 7)]
    assert list(data.var_names) == [f"g{i}" for i in range(1, 11)]
    assert list(data.obs["cell_type1"].fillna("-")) == ["a", "b", "-", "a", "b", "a"]
    assert list(data.var["feature_symbol"]) == [f"S{i}" for i in range(1, 11)]
    # The logs would have to be computed by a function that lies in the file.
    assert notes == (
        "let R compute 'counts', of the class DelayedMatrix",
        "passed over the assay 'logcounts', of the unknown class DelayedMatrix",
    )


def test_no_function_of_a_file_is_run(tmp_path, monkeypatch):
    monkeypatch.setenv("IMPBENCH_WAS_RUN", str(tmp_path / "was run"))
    with pytest.raises(InputError, match="by functions that lie in the file") as caught:
        open_noted(RDS / "sce_coded.rds")
    assert "saveRDS" in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.r
def test_r_that_is_here_writes_what_is_read(tmp_path):
    if shutil.which("Rscript") is None:
        pytest.skip("no Rscript")
    made = subprocess.run(
        ["Rscript", str(RDS / "make.R"), str(tmp_path)], capture_output=True, text=True
    )
    if made.returncode:
        pytest.skip(made.stderr[-300:])
    for name in FULL:
        check_full(tmp_path / name)
    for name in CLASSES:
        check_class(tmp_path, name)
