"""The names Python users rely on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

import impbench
from impbench.errors import InputError, NotFoundError


def test_public_names_exist_and_load_on_first_use() -> None:
    for name in impbench.__all__:
        assert getattr(impbench, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = impbench.nonsense


def test_get_imputer_impute_and_both_scales() -> None:
    counts = np.random.default_rng(0).poisson(2.0, (30, 20))
    observed = impbench.Observed.from_counts(counts, n_groups=2)
    imputer = impbench.get_imputer("gene-mean")
    imputed = imputer.impute(observed, impbench.Context(seed=1, device="cpu", threads=1))
    assert imputed.lognorm(observed).dtype == np.float32
    assert imputed.lognorm(observed).shape == (30, 20)
    kept = counts > 0
    assert np.allclose(imputed.counts(observed)[kept], counts[kept], rtol=1e-4)


def test_unknown_imputer_suggests_the_nearest() -> None:
    with pytest.raises(NotFoundError, match="did you mean magic"):
        impbench.get_imputer("magci")


def test_simulate_is_an_anndata_with_truth_and_reproducible() -> None:
    one = impbench.simulate("sim_rare", n_cells=80, seed=3)
    two = impbench.simulate("sim_rare", n_cells=80, seed=3)
    assert one.shape[0] == 80
    assert (one.layers["true_counts"] >= one.X).all()
    assert np.array_equal(one.X, two.X)
    assert one.obs["cell_type"].nunique() == 4


def test_impute_works_in_place_or_on_a_copy() -> None:
    adata = impbench.simulate("sim_equal", n_cells=40)
    adata.layers["counts"] = sp.csr_matrix(adata.X)
    adata.X = np.log1p(adata.X)
    copy = impbench.impute(adata, "no-imputation", layer="counts", copy=True)
    assert copy is not None
    assert "imputed" in copy.layers
    assert "imputed" not in adata.layers
    assert impbench.impute(adata, "no-imputation", layer="counts", key_added="same") is None
    assert np.allclose(adata.layers["same"], copy.layers["imputed"])


def test_inspect_says_what_the_data_are() -> None:
    adata = impbench.simulate("sim_equal", n_cells=40)
    adata.obs["donor"] = ["x", "y"] * 20
    found = impbench.inspect(adata)
    assert found.matrices[0].values.are_counts
    assert found.line == "impbench run --data my.h5ad --label-key cell_type --batch-key donor"
    assert str(found).endswith(found.line)


def test_impute_refuses_normalised_values() -> None:
    adata = impbench.simulate("sim_equal", n_cells=40)
    adata.X = np.log1p(adata.X)
    with pytest.raises(InputError, match="layer"):
        impbench.impute(adata, "no-imputation")


@pytest.mark.slow
def test_run_returns_tidy_scores(tmp_path: Path) -> None:
    results = impbench.run(
        "default",
        out=tmp_path,
        imputers=["no-imputation"],
        datasets=["sim_equal[n_cells=60,n_genes=80]"],
        seeds=1,
    )
    table = results.scores
    assert {"dataset", "protocol", "imputer", "params", "seed", "metric", "value", "status"} <= set(
        table.columns
    )
    assert results.report == tmp_path / "report.html"
    assert results.report.exists()
