"""Each batch of one's own data imputed alone, in memory and in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest

import impbench
from impbench.apply.file import impute_file
from impbench.errors import InputError
from impbench.per_batch import alone
from impbench.registry import registry

COUNTS = np.random.default_rng(2).poisson(2.0, (40, 12)).astype(np.float32)
DONOR = np.array(["B", "A", "A", "A"] * 10)


def data() -> anndata.AnnData:
    obs = pd.DataFrame({"donor": DONOR, "same": "only"}, index=[f"c{i}" for i in range(40)])
    obs["missing"] = [None, *DONOR[1:]]
    return anndata.AnnData(COUNTS, obs=obs)


def expected() -> Any:
    """What gene-mean makes of each donor, at the size factors that cells have among all."""
    observed = impbench.Observed.from_counts(COUNTS)
    whole = np.empty_like(observed.lognorm)
    for donor in ("A", "B"):
        cells = np.flatnonzero(donor == DONOR)
        imputer = registry().imputer("gene-mean")
        part = imputer.impute(observed.of_cells(cells), impbench.Context())
        whole[cells] = part.expression
    return whole


def test_each_batch_of_an_anndata_is_imputed_alone() -> None:
    adata = data()
    impbench.impute(adata, "gene-mean", batch_key="donor", per="batch")
    assert np.array_equal(adata.layers["imputed"], expected())
    assert adata.uns["imputed"]["imputer"] == "gene-mean[per=batch]"
    step = "each of 2 batches was imputed alone: A (30 cells), B (10 cells)"
    assert step in list(adata.uns["imputed"]["steps"])


def test_the_spec_of_the_leaderboard_does_the_same_to_a_file(tmp_path: Path) -> None:
    file, out = tmp_path / "my.h5ad", tmp_path / "out.h5ad"
    adata = data()
    del adata.obs["missing"]
    adata.write_h5ad(file)
    impute_file(file, out, "gene-mean[per=batch]", batch_key="donor")
    assert np.array_equal(anndata.read_h5ad(out).layers["imputed"], expected())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"per": "batch"}, "--batch-key"),
        ({"per": "batch", "batch_key": "same"}, "holds one batch, 'only'"),
        ({"per": "batch", "batch_key": "missing"}, "missing for 1 cells"),
        ({"per": "donor", "batch_key": "donor"}, "--per 'donor' does not exist; there are all"),
    ],
)
def test_what_cannot_be_imputed_per_batch_is_refused(options: dict[str, Any], words: str) -> None:
    adata = data()
    with pytest.raises(InputError, match=words):
        impbench.impute(adata, "gene-mean", **options)
    assert not adata.layers


def test_an_imputer_that_is_per_batch_already_needs_the_column_too() -> None:
    with pytest.raises(InputError, match="--batch-key"):
        impbench.impute(data(), alone(registry().imputer("gene-mean")))
