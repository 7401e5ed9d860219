"""How well molecules set aside are predicted: the denoising scores of Open Problems.

Arguments are (cells, genes) at the depth of the molecules set aside; sums are float64, in blocks of
cells.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from impbench.metrics.blocks import BLOCK, cell_blocks
from impbench.metrics.cells import CellSums, of_cells
from impbench.metrics.metric import loss, metric
from impbench.scale import Matrix

Values = NDArray[np.floating[Any]]
TARGET = 1e4
"""Open Problems scales every cell to this total before the log."""

SMALL = 1e-6
"""What Open Problems adds to a mean before the log."""


def thinned_losses(predicted_test: Values, test_counts: Matrix) -> dict[str, CellSums]:
    """Return every cell's three losses, in one walk: a scoring process asks for it as evidence.

    Few molecules are set aside, so logarithms of theirs are taken of the stored entries alone.

    Parameters
    ----------
    predicted_test
        (cells, genes), non-negative, of any real dtype.
    test_counts
        (cells, genes), molecules set aside.

    Returns
    -------
    Two (cells,) float64 arrays by name, the sum over genes and how many there are: ``squared``,
    ``poisson`` and ``swapped``.
    """
    test = sp.csr_matrix(test_counts)
    if not test.has_canonical_format:
        test = test.copy()
        test.sum_duplicates()
    sums: dict[str, list[NDArray[np.float64]]] = {"squared": [], "poisson": [], "swapped": []}
    start = 0
    # All that a block needs at once then stays in the cache that is next to a core.
    for (predicted,) in cell_blocks(predicted_test, entries=BLOCK // 4):
        cells = test[start : start + len(predicted)]
        start += len(predicted)
        for name, losses in _block_losses(np.ascontiguousarray(predicted), cells).items():
            sums[name].append(losses)
    entries = np.full(test.shape[0], float(test.shape[1]))
    return {name: (np.concatenate([np.zeros(0), *parts]), entries) for name, parts in sums.items()}


def _block_losses(
    predicted: NDArray[np.float64], test: sp.csr_matrix
) -> dict[str, NDArray[np.float64]]:
    """Return the losses of some cells, of the same shape both; `predicted` is used up."""
    n_cells, n_genes = predicted.shape
    cells = np.repeat(np.arange(n_cells), np.diff(test.indptr))
    places = cells * n_genes + test.indices
    found, flat = test.data.astype(np.float64), predicted.ravel()
    expected = flat[places]

    def over_cells(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(cells, values, n_cells).astype(np.float64)

    total, n_found = predicted.sum(axis=1), over_cells(found)
    above_zero = np.log(found + SMALL) - np.log(SMALL)
    losses = {
        "poisson": total - over_cells(found * np.log(expected + SMALL)),
        "swapped": n_found - total * np.log(SMALL) - over_cells(expected * above_zero),
    }
    # ln(1 + x) of both at `TARGET` in all, in the place of `predicted`.
    predicted *= _to_target(total)[:, None]
    np.log1p(predicted, out=predicted)
    flat[places] -= np.log1p(found * _to_target(n_found)[cells])
    return {**losses, "squared": np.einsum("ij,ij->i", predicted, predicted)}


def _to_target(totals: NDArray[np.float64]) -> NDArray[np.float64]:
    return TARGET / np.where(totals > 0, totals, TARGET)


def _score(name: str, predicted_test: Values, test_counts: sp.csr_matrix) -> float:
    return of_cells(thinned_losses(predicted_test, test_counts)[name])


@loss(
    title="Thinned MSE",
    meaning=(
        "How far predictions are from molecules set aside (squared error, log scale); zeros score "
        "well where molecules are few."
    ),
    unit="ln²",
    reference="mean (ln(1 + 10⁴ ŷ / Σŷ) − ln(1 + 10⁴ y / Σy))²; Open Problems denoising",
    bound="none",
    per_cell=lambda thinned_losses: thinned_losses["squared"],
)
def thinned_mse(predicted_test: Values, test_counts: sp.csr_matrix) -> float:
    """Mean squared error after scaling every cell of both to 10⁴ and ln(1 + x).

    A cell without molecules stays 0. Where molecules are few this is far from least for the true
    means: ln(1 + x) of a chance molecule is large, and predicting nothing can score better.
    """
    return _score("squared", predicted_test, test_counts)


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
    per_cell=lambda thinned_losses: thinned_losses["poisson"],
)
def thinned_poisson(predicted_test: Values, test_counts: sp.csr_matrix) -> float:
    """Poisson loss of the prediction, without the part that depends on the data alone.

    Its expectation is least for the true mean of every entry, whatever the depth, so it rewards
    the expression behind the counts. The protocol leads with it.
    """
    return _score("poisson", predicted_test, test_counts)


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
    per_cell=lambda thinned_losses: thinned_losses["swapped"],
)
def openproblems_poisson(predicted_test: Values, test_counts: sp.csr_matrix) -> float:
    """Poisson loss with prediction and molecules in swapped places, as Open Problems computes it.

    For comparison with published numbers only: it is linear in the prediction, and least for one
    that is 0 where no molecule was set aside and without bound where two or more were.
    """
    return _score("swapped", predicted_test, test_counts)
