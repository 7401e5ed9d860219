"""`impbench impute` and `inspect` as a user meets them: files, output and exit status."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import anndata
import numpy as np
import pytest

import impbench

pytestmark = pytest.mark.slow

IMPBENCH = str(Path(sys.executable).with_name("impbench"))


def call(*args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [IMPBENCH, *args], cwd=cwd, capture_output=True, text=True, check=False, timeout=120
    )


def test_impute_adds_a_layer_and_leaves_the_rest_alone(tmp_path: Path) -> None:
    adata = impbench.simulate("sim_equal", n_cells=50, seed=1)
    adata.obsm["X_old"] = np.ones((50, 2))
    adata.write_h5ad(tmp_path / "in.h5ad")
    done = call("impute", "in.h5ad", "-m", "gene-mean", "-o", "out.h5ad", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    after = anndata.read_h5ad(tmp_path / "out.h5ad")
    assert set(after.layers) == {"true_counts", "imputed"}
    assert after.layers["imputed"].dtype == np.float32
    assert np.array_equal(after.X, adata.X)
    assert after.obs.equals(anndata.read_h5ad(tmp_path / "in.h5ad").obs)
    assert (after.obsm["X_old"] == 1).all()
    assert after.uns["imputed"]["imputer"] == "gene-mean"


def test_impute_has_every_flag_that_its_messages_advise(tmp_path: Path) -> None:
    adata = impbench.simulate("sim_equal", n_cells=50, seed=1)
    del adata.layers["true_counts"]
    adata.X = np.log1p(adata.X)
    adata.write_h5ad(tmp_path / "in.h5ad")
    command = ["impute", "in.h5ad", "-m", "gene-mean", "-o", "out.h5ad"]
    done = call(*command, cwd=tmp_path)
    assert done.returncode == 2
    flags = set(re.findall(r"--[a-z-]+", done.stderr))
    assert {"--layer", "--scale"} <= flags
    told = call("impute", "--help", cwd=tmp_path).stdout
    assert all(flag in told for flag in flags | {"--transpose", "--overwrite", "--key-added"})
    assert call(*command, "--scale", "log1p", cwd=tmp_path).returncode == 0
    again = call(*command[:1], "out.h5ad", *command[2:], "--scale", "log1p", cwd=tmp_path)
    assert again.returncode == 2
    assert "layers/imputed and uns/imputed already" in again.stderr
    (tmp_path / "genes.txt").write_text("\n".join(adata.var_names[:3]))
    more = [
        "--scale",
        "log1p",
        "--overwrite",
        "--output-scale",
        "ln",
        "--genes-to-keep",
        "genes.txt",
    ]
    done = call(*command[:1], "out.h5ad", *command[2:], *more, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "holds ln(1 + count / size factor) by gene-mean" in done.stdout
    assert list(anndata.read_h5ad(tmp_path / "out.h5ad").uns["imputed"]["genes"]) == list(
        adata.var_names[:3]
    )


def test_impute_says_what_scanpy_must_be_told(tmp_path: Path) -> None:
    impbench.simulate("sim_equal", n_cells=50, seed=1).write_h5ad(tmp_path / "in.h5ad")
    command = ["impute", "in.h5ad", "-m", "gene-mean", "-o", "out.h5ad"]
    assert "adata.uns['log1p'] = {'base': 2}" in call(*command, cwd=tmp_path).stdout
    natural = call(*command, "--output-scale", "ln", cwd=tmp_path)
    assert natural.returncode == 0
    assert "scanpy" not in natural.stdout


def test_inspect_ends_with_the_command(tmp_path: Path) -> None:
    impbench.simulate("sim_equal", n_cells=50, seed=1).write_h5ad(tmp_path / "in.h5ad")
    done = call("inspect", "in.h5ad", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("impbench run --data in.h5ad")
    missing = call("inspect", "nowhere.h5ad", cwd=tmp_path)
    assert (missing.returncode, missing.stderr) == (2, "impbench: nowhere.h5ad does not exist\n")


def test_impute_writes_all_or_nothing(tmp_path: Path) -> None:
    impbench.simulate("sim_equal", n_cells=50, seed=1).write_h5ad(tmp_path / "in.h5ad")
    done = call("impute", "in.h5ad", "-m", "gene-mean", "-o", "no/where/out.h5ad", cwd=tmp_path)
    assert done.returncode == 2
    assert "cannot write" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["in.h5ad"]
