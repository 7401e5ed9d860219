"""Sums over cells, in blocks."""

import numpy as np
import pytest
import scipy.sparse as sp

from impbench.metrics.blocks import BLOCK, centred_products


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_matrix])
@pytest.mark.parametrize("n_genes", [1, 60, 700])
def test_products_of_centred_genes_are_those_of_one_product(kind, n_genes):
    n_cells = 2 * BLOCK // n_genes + 3  # Two full blocks and a part of one.
    values = np.random.default_rng(2).random((n_cells, n_genes), dtype=np.float32)
    mean = values.mean(axis=0, dtype=np.float64)
    centred = values - mean
    found = centred_products(kind(values), mean)
    np.testing.assert_allclose(found, np.tril(centred.T @ centred), rtol=1e-9, atol=1e-9)
