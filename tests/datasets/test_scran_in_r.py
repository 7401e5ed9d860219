"""Our highly variable genes against those of scran itself, in R."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from impbench.data.dataset import Dataset
from impbench.data.genes import expressed_in, highly_variable
from impbench.data.read import read_counts_file
from impbench.data.scenarios import SimUnequal
from impbench.external.r import RPackage, RSession

pytestmark = [pytest.mark.r, pytest.mark.slow]

TOP = 1000


CHOOSE = """
function(counts, top) {
    suppressMessages({library(SingleCellExperiment); library(scuttle); library(scran)})
    counts <- t(counts)
    rownames(counts) <- seq_len(nrow(counts))
    data <- logNormCounts(SingleCellExperiment(list(counts = counts)))
    as.integer(getTopHVGs(modelGeneVar(data), n = top))
}
"""


@pytest.fixture(scope="module")
def r(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RSession]:
    packages = [RPackage(name, "Bioconductor") for name in ("scran", "scuttle")]
    if lack := next(filter(None, [package.lack() for package in packages]), None):
        pytest.skip(lack)
    with RSession(tmp_path_factory.mktemp("r")) as session:
        yield session


def shared(dataset: Dataset, r: RSession) -> float:
    counts = dataset.counts[:, np.flatnonzero(expressed_in(dataset.counts) >= 3)]
    ours = set(highly_variable(counts, dataset.library_size, TOP, "scran"))
    dense = counts.toarray() if sp.issparse(counts) else np.asarray(counts)
    scrans = {int(i) - 1 for i in r.call(CHOOSE, {"counts": dense.astype(float), "top": TOP})}
    share = len(ours & scrans) / TOP
    print(f"{dataset.name}: {share:.1%} of {TOP} genes shared with scran in R")
    return share


def test_at_least_85_percent_of_the_genes_are_scrans_own_on_simulated_cells(r: RSession) -> None:
    dataset = SimUnequal(n_cells=300, n_genes=5000).load()
    assert shared(dataset, r) >= 0.85


@pytest.mark.data
def test_at_least_85_percent_of_the_genes_are_scrans_own_on_pollen(r: RSession) -> None:
    path = Path(os.environ.get("IMPBENCH_DATA", ".")) / "pollen.h5ad"
    if not path.is_file():
        pytest.skip("IMPBENCH_DATA names no folder with pollen.h5ad")
    assert shared(read_counts_file(path), r) >= 0.85
