"""Squared error against the truth: over all entries, and over each kind of entry apart.

All arguments are (cells, genes) on the log2(1 + x) scale; sums are float64, in blocks of cells. A
score over no entries at all is NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impbench.metrics.blocks import BLOCK, cell_blocks
from impbench.metrics.cells import CellSums, of_cells, stacked
from impbench.metrics.metric import loss

Values = NDArray[np.floating[Any]]
Block = NDArray[np.float64]

KINDS: Mapping[str, Callable[[Block, Block], NDArray[np.bool_]] | None] = {
    "all": None,
    "biozero": lambda true, seen: true == 0,
    "dropout": lambda true, seen: (seen == 0) & (true > 0),
    "nonzero": lambda true, seen: seen > 0,
}
"""Which entries count, from the truth and from what was observed; None: all of them."""


def squared_errors(
    imputed: Values, truth: Values, observed: Values, kinds: tuple[str, ...] = tuple(KINDS)
) -> dict[str, CellSums]:
    """Return, by kind of entry, every cell's squared errors and number of entries.

    One walk over the matrices serves all kinds: a scoring process asks for it once, as evidence.

    Parameters
    ----------
    imputed, truth, observed
        (cells, genes), log2(1 + x) scale, of any real dtype.
    kinds
        Those of `KINDS` that are wanted.

    Returns
    -------
    Two (cells,) float64 arrays by kind: the sum of squared errors, log2², and how many entries it
    is of.
    """
    found: dict[str, list[CellSums]] = {kind: [] for kind in kinds}
    # All that a block needs at once then stays in the cache that is next to a core.
    for errors, true, seen in cell_blocks(imputed, truth, observed, entries=BLOCK // 4):
        errors -= true
        for kind in kinds:
            found[kind].append(_block_sums(errors, KINDS[kind], true, seen))
    return {kind: stacked(sums) for kind, sums in found.items()}


def _block_sums(
    errors: Block,
    which: Callable[[Block, Block], NDArray[np.bool_]] | None,
    true: Block,
    seen: Block,
) -> CellSums:
    if which is None:
        return np.einsum("ij,ij->i", errors, errors), np.full(len(errors), float(errors.shape[1]))
    counts = which(true, seen)
    # Several times faster than taking the entries out, and than counting booleans.
    counted = errors * counts
    entries = counts.view(np.uint8).sum(axis=1, dtype=np.uint32).astype(np.float64)
    return np.einsum("ij,ij->i", counted, counted), entries


def _score(kind: str, imputed: Values, truth: Values, observed: Values) -> float:
    """Score one kind of entry; for those that ask the truth alone, `observed` can be any values."""
    return of_cells(squared_errors(imputed, truth, observed, (kind,))[kind])


@loss(
    title="MSE",
    meaning=(
        "How far imputed values are from the true ones, all genes and cells together (squared "
        "error, log2)."
    ),
    unit="log2²",
    reference="MaskClass, section 2.8 (i)",
    bound="attainable",
    per_cell=lambda squared_errors: squared_errors["all"],
)
def mse(imputed: Values, truth: Values) -> float:
    """Mean squared error over all entries."""
    return _score("all", imputed, truth, truth)


@loss(
    title="Biozero MSE",
    meaning="How much is filled in where a gene truly is off (squared error, log2).",
    unit="log2²",
    reference="MaskClass, section 2.8 (i): entries with x* = 0",
    per_cell=lambda squared_errors: squared_errors["biozero"],
)
def biozero_mse(imputed: Values, truth: Values) -> float:
    """Mean squared error over biozeros: entries whose truth is zero."""
    return _score("biozero", imputed, truth, truth)


@loss(
    title="Dropout MSE",
    meaning=(
        "How far values are from the truth where a gene is on but was counted as zero (squared "
        "error, log2)."
    ),
    unit="log2²",
    reference="MaskClass, section 2.8 (i): entries with x = 0 and x* > 0",
    per_cell=lambda squared_errors: squared_errors["dropout"],
)
def dropout_mse(imputed: Values, truth: Values, observed: Values) -> float:
    """Mean squared error over dropouts: entries observed as zero whose truth is above zero."""
    return _score("dropout", imputed, truth, observed)


@loss(
    title="Non-zero MSE",
    meaning="How far values are from the truth where something was counted (squared error, log2).",
    unit="log2²",
    reference="MSE as in MaskClass, section 2.8 (i), over entries with x > 0",
    per_cell=lambda squared_errors: squared_errors["nonzero"],
)
def nonzero_mse(imputed: Values, truth: Values, observed: Values) -> float:
    """Mean squared error over entries observed above zero: what a method does to seen values."""
    return _score("nonzero", imputed, truth, observed)
