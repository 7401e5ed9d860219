"""How well molecules set aside are predicted: the denoising scores of Open Problems.

Arguments are (cells, genes) at the depth of the molecules set aside; sums are float64, in blocks of
cells.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from impbench.metrics.blocks import cell_blocks
from impbench.metrics.cells import CellSums, of_cells, stacked
from impbench.metrics.metric import loss, metric

Values = NDArray[np.floating[Any]]
TARGET = 1e4
"""Open Problems scales every cell to this total before the log."""


def _squares(predicted_test: Values, test_counts: sp.csr_matrix) -> CellSums:
    n_genes = float(predicted_test.shape[1])
    return stacked(
        (np.square(_logs(predicted) - _logs(test)).sum(axis=1), np.full(len(test), n_genes))
        for predicted, test in cell_blocks(predicted_test, test_counts)
    )


def _logs(values: NDArray[np.float64]) -> NDArray[np.float64]:
    totals = values.sum(axis=1, keepdims=True)
    return np.log1p(values * (TARGET / np.where(totals > 0, totals, TARGET)))


def _losses(predicted_test: Values, test_counts: sp.csr_matrix) -> CellSums:
    return _poisson(predicted_test, test_counts)


def _swapped_losses(predicted_test: Values, test_counts: sp.csr_matrix) -> CellSums:
    return _poisson(test_counts, predicted_test)


def _poisson(mean: Values | sp.csr_matrix, counts: Values | sp.csr_matrix) -> CellSums:
    """Add up mean - counts · ln(mean + 10⁻⁶) over each cell."""
    n_genes = float(mean.shape[1])
    return stacked(
        (
            (expected - found * np.log(expected + 1e-6)).sum(axis=1),
            np.full(len(expected), n_genes),
        )
        for expected, found in cell_blocks(mean, counts)
    )


@loss(
    title="Thinned MSE",
    meaning=(
        "How far predictions are from molecules set aside (squared error, log scale); zeros score "
        "well where molecules are few."
    ),
    unit="ln²",
    reference="mean (ln(1 + 10⁴ ŷ / Σŷ) − ln(1 + 10⁴ y / Σy))²; Open Problems denoising",
    bound="none",
    per_cell=_squares,
)
def thinned_mse(predicted_test: Values, test_counts: sp.csr_matrix) -> float:
    """Mean squared error after scaling every cell of both to 10⁴ and ln(1 + x).

    A cell without molecules stays 0. Where molecules are few this is far from least for the true
    means: ln(1 + x) of a chance molecule is large, and predicting nothing can score better.
    """
    return of_cells(_squares(predicted_test, test_counts))


@metric(
    title="Thinned Poisson",
    meaning=(
        "How well molecules that were set aside are predicted, judged as counting chance "
        "(Poisson) demands."
    ),
    direction="min",
    reference="mean ŷ − y ln(ŷ + 10⁻⁶), ŷ the prediction, y the molecules set aside",
    bound="none",
    comparable=False,
    per_cell=_losses,
)
def thinned_poisson(predicted_test: Values, test_counts: sp.csr_matrix) -> float:
    """Poisson loss of the prediction, without the part that depends on the data alone.

    Its expectation is least for the true mean of every entry, whatever the depth, so it rewards
    the expression behind the counts. The protocol leads with it.
    """
    return of_cells(_losses(predicted_test, test_counts))


@metric(
    title="Open Problems Poisson",
    meaning=(
        "The same with prediction and molecules in swapped places, as the Open Problems benchmark "
        "does; to compare with its numbers only."
    ),
    direction="min",
    reference="mean y − ŷ ln(y + 10⁻⁶): Open Problems' published code, version 1",
    bound="none",
    comparable=False,
    per_cell=_swapped_losses,
)
def openproblems_poisson(predicted_test: Values, test_counts: sp.csr_matrix) -> float:
    """Poisson loss with prediction and molecules in swapped places, as Open Problems computes it.

    For comparison with published numbers only: it is linear in the prediction, and least for one
    that is 0 where no molecule was set aside and without bound where two or more were.
    """
    return of_cells(_swapped_losses(predicted_test, test_counts))
