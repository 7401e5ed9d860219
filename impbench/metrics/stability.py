"""How far an imputation depends on its seed, and on which cells were imputed together.

Arguments are (cells, genes) on the log2(1 + x) scale; sums are float64, in blocks of cells. Two
imputations that are equal in every bit agree perfectly: difference 0, correlation 1.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impbench.metrics import error
from impbench.metrics.blocks import centred_products
from impbench.metrics.correlation import pearson_gene
from impbench.metrics.metric import correlation, loss

Values = NDArray[np.floating[Any]]


@loss(
    title="RMSD, seeds",
    meaning="How much the result changes when only the random seed does.",
    unit="log2",
    reference="√(Σ(x − x′)² / (N G)), two seeds",
    bound="none",
)
def seed_rmsd(imputed: Values, other_seed: Values) -> float:
    """Root mean squared difference between two seeds; 0 for deterministic methods."""
    return math.sqrt(error.mse(imputed, other_seed))


@correlation(
    title="Pearson r, seeds",
    meaning="How alike two results are that differ in the random seed only (correlation).",
    reference="mean over genes of Pearson's r over cells, two seeds",
    bound="none",
)
def seed_pearson(imputed: Values, other_seed: Values) -> float:
    """Mean over genes of the correlation between two seeds; 1 for deterministic methods."""
    return _pearson(other_seed, imputed)


@loss(
    title="RMSD, halves",
    meaning="How much a cell's values change when half of the other cells are missing.",
    unit="log2",
    reference="√(Σ(x − x′)² / (N G)), cells imputed with half of the others or with all",
    bound="none",
)
def half_rmsd(imputed: Values, apart: Values) -> float:
    """Root mean squared difference between imputing a cell with half the others and with all."""
    return math.sqrt(error.mse(imputed, apart))


@correlation(
    title="Pearson r, halves",
    meaning=(
        "How alike a cell's values are with half of the other cells and with all (correlation)."
    ),
    reference="mean over genes of Pearson's r over cells, imputed with half of the others or all",
    bound="none",
)
def half_pearson(imputed: Values, apart: Values) -> float:
    """Mean over genes of the correlation between imputing with half the others and with all."""
    return _pearson(apart, imputed)


@correlation(
    title="Gene–gene r, halves",
    meaning=(
        "Whether two random halves of the cells show the same gene–gene correlations (1: fully)."
    ),
    reference="Pearson's r between the gene–gene correlation matrices of two halves",
    bound="none",
)
def half_correlations(apart: Values, half: NDArray[np.integer[Any]]) -> float:
    """Agreement of the gene-gene correlations in two halves of the cells, imputed apart.

    Pearson's r over all pairs of genes that vary in both halves; NaN for fewer than three of them.
    """
    parts = [apart[half == number] for number in (0, 1)]
    varying = np.all([np.ptp(part, axis=0) > 0 for part in parts], axis=0)
    if varying.sum() < 3:
        return math.nan
    pairs = np.triu_indices(int(varying.sum()), k=1)
    first, second = (_gene_correlations(part[:, varying])[pairs] for part in parts)
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return math.nan
    return float(np.corrcoef(first, second)[0, 1])


def _pearson(x: Values, reference: Values) -> float:
    return 1.0 if np.array_equal(x, reference) else pearson_gene(x, reference)


def _gene_correlations(values: Values) -> NDArray[np.float64]:
    """Pearson's r over cells of every pair of genes, (genes, genes), on and above the diagonal."""
    mean = values.mean(axis=0, dtype=np.float64)
    products = centred_products(values, mean).T
    spread = np.sqrt(np.diag(products))
    return products / spread / spread[:, None]
