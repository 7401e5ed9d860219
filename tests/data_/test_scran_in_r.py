"""Our highly variable genes against those of scran itself, in R."""

import os
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from impbench.data.dataset import Dataset
from impbench.data.genes import expressed_in, highly_variable
from impbench.data.read import read_counts_file
from impbench.data.scenarios import SimUnequal

pytestmark = pytest.mark.r

TOP = 1000


@pytest.fixture(scope="module")
def scran_top():
    """Return a function of counts (cells × genes) giving the indices that scran chooses."""
    robjects = pytest.importorskip("rpy2.robjects", reason="rpy2 is not installed")
    packages = robjects.packages if hasattr(robjects, "packages") else None
    packages = packages or pytest.importorskip("rpy2.robjects.packages")
    for package in ("scran", "scuttle", "SingleCellExperiment"):
        if not packages.isinstalled(package):
            pytest.skip(f"R has no package {package}")
    choose = robjects.r(
        """
        function(values, n_genes, top) {
            suppressMessages({library(SingleCellExperiment); library(scuttle); library(scran)})
            counts <- matrix(values, nrow = n_genes)
            rownames(counts) <- seq_len(n_genes)
            data <- logNormCounts(SingleCellExperiment(list(counts = counts)))
            as.integer(getTopHVGs(modelGeneVar(data), n = top))
        }
        """
    )

    def top(counts: np.ndarray) -> set[int]:
        # Cells × genes by rows is genes × cells by columns, as R fills a matrix.
        values = robjects.FloatVector(np.ascontiguousarray(counts, dtype=float).ravel())
        return {int(i) - 1 for i in choose(values, counts.shape[1], TOP)}

    return top


def shared(dataset: Dataset, scran_top) -> float:
    counts = dataset.counts[:, np.flatnonzero(expressed_in(dataset.counts) >= 3)]
    ours = set(highly_variable(counts, dataset.library_size, TOP, "scran"))
    dense = counts.toarray() if sp.issparse(counts) else np.asarray(counts)
    share = len(ours & scran_top(dense)) / TOP
    print(f"{dataset.name}: {share:.1%} of {TOP} genes shared with scran in R")
    return share


def test_at_least_85_percent_of_the_genes_are_scrans_own_on_simulated_cells(scran_top):
    dataset = SimUnequal(n_cells=300, n_genes=5000).load()
    assert shared(dataset, scran_top) >= 0.85


def test_at_least_85_percent_of_the_genes_are_scrans_own_on_pollen(scran_top):
    path = Path(os.environ.get("IMPBENCH_DATA", ".")) / "pollen.h5ad"
    if not path.is_file():
        pytest.skip("IMPBENCH_DATA names no folder with pollen.h5ad")
    assert shared(read_counts_file(path), scran_top) >= 0.85
