"""Define the controls that are handed the truth, and so live in the scoring process only.

They are never ranked: the oracle shows the best score there is, `attainable` the best that filling
zeros with constants can reach.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from impbench import large
from impbench.errors import InputError
from impbench.imputer import Imputed
from impbench.protocols.protocol import Hidden, Problem

_GENES_AT_ONCE = 64


@dataclass(frozen=True)
class TruthControl:
    """A control that sees what no imputer does."""

    name: str
    summary: str
    version: str
    impute: Callable[[Problem], Imputed]
    """Makes the imputation from the whole problem; deterministic."""
    needs_labels: bool = False
    """Whether it exists only where the problem has cell types beside the truth."""

    def exists(self, hidden: Hidden) -> bool:
        """Whether there is what it needs."""
        return hidden.truth_counts is not None and not (self.needs_labels and hidden.labels is None)


def truth_itself(problem: Problem) -> Imputed:
    """Return the truth.

    Raises
    ------
    InputError
        If the problem has none.
    """
    truth = problem.hidden.truth()
    if truth is None:
        raise InputError("a control that sees the truth needs a dataset with truth")
    return truth


def best_constants(problem: Problem) -> Imputed:
    """Keep what was observed; fill zeros with one constant per gene, cell type and batch.

    With x the truth on the log2 scale, and Z the cells of one type and batch in which gene g was
    observed as zero, all of Z take Σ_{i∈Z} x_ig / |Z|: of all constants the one with the least
    squared error. What remains is how single cells of a type differ, and under ``library="own"``
    the error of the observed values, whose cells look smaller than they are (docs/scale.md).

    Returns
    -------
    (cells, genes) float32, log2 scale.

    Raises
    ------
    InputError
        If the problem has no truth, or no cell types.
    """
    truth = truth_itself(problem).values
    expression = large.copy(problem.observed.lognorm)
    groups = list(_alike(problem.hidden))
    # Some genes at a time: a whole group's values, and the truth, would be copied several times.
    for start in range(0, expression.shape[1], _GENES_AT_ONCE):
        genes = slice(start, start + _GENES_AT_ONCE)
        for cells in groups:
            values = expression[cells, genes]
            zero = values == 0
            total = np.where(zero, truth[cells, genes], 0).sum(axis=0, dtype=np.float64)
            constants = total / np.maximum(zero.sum(axis=0), 1)
            expression[cells, genes] = np.where(zero, constants.astype(np.float32), values)
    return Imputed(expression, "lognorm")


def _alike(hidden: Hidden) -> Iterator[NDArray[np.intp]]:
    """Yield the cells of every cell type, batch by batch where there are batches."""
    if hidden.labels is None:
        raise InputError("the control 'attainable' needs cell types")
    of_cell = np.unique(hidden.labels, return_inverse=True)[1]
    if hidden.batch is not None:
        batches, of_batch = np.unique(hidden.batch, return_inverse=True)
        of_cell = of_cell * len(batches) + of_batch
    for group in np.unique(of_cell):
        yield np.flatnonzero(of_cell == group)


ORACLE = TruthControl(
    "oracle",
    "The truth itself: the best score that is possible. Only where a dataset has truth.",
    "1",
    truth_itself,
)

ATTAINABLE = TruthControl(
    "attainable",
    "Observed values kept, zeros filled with the best constant per gene, cell type and batch, "
    "taken from the truth: what a method can hope for. Only where a dataset has truth and labels.",
    "1",
    best_constants,
    needs_labels=True,
)

TRUTH_CONTROLS = {control.name: control for control in (ATTAINABLE, ORACLE)}
