"""Which genes cnnImpute predicts together, and from which others, in which order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Genes = NDArray[np.intp]
Bools = NDArray[np.bool_]
PADDED_TARGET = -1.0
SHORTEST_INPUT = 10
"""What two convolutions and two poolings need."""


@dataclass(frozen=True)
class ConvolutionBlock:
    """Genes to predict with one network, and the genes to predict them from.

    Attributes
    ----------
    targets, inputs
        Indices of genes; no gene is in both.
    size
        Targets that a full block has.
    inputs_per_target
        How many of the inputs each target may name.
    """

    targets: Genes
    inputs: Genes
    size: int
    inputs_per_target: int

    @property
    def input_length(self) -> int:
        """Length of the network's input, as if every target of a full block named other genes."""
        return max(self.size * self.inputs_per_target, SHORTEST_INPUT)

    def input_values(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Return the inputs in order, (cells, input_length), zeros after the last."""
        padded = np.zeros((len(values), self.input_length), dtype=np.float32)
        padded[:, : len(self.inputs)] = values[:, self.inputs]
        return padded

    def target_values(self, values: NDArray[Any], missing: Bools) -> NDArray[np.float32]:
        """Return the targets in order, (cells, size), −1 where missing and after the last."""
        padded = np.full((len(values), self.size), PADDED_TARGET, dtype=np.float32)
        known = np.where(missing[:, self.targets], PADDED_TARGET, values[:, self.targets])
        padded[:, : len(self.targets)] = known
        return padded


def make_blocks(
    values: NDArray[Any], missing: Bools, size: int, inputs_per_target: int, max_missing: float
) -> list[ConvolutionBlock]:
    """Divide the target genes into blocks and choose the inputs of each.

    A target is a gene with a missing value. Inputs are, for one target after the other, the genes
    of highest Pearson correlation with it, none of this block, none missing in more than a share
    `max_missing` of the cells; a gene that came before is not repeated. Targets keep their order.
    Where a block leaves no gene to predict it from, all blocks are made half as large, as often as
    it takes.

    Parameters
    ----------
    values
        (cells, genes).
    missing
        (cells, genes), which values are to be imputed.
    size
        Targets per block.

    Returns
    -------
    The blocks, empty only if no value is missing or no gene can be an input to another.
    """
    targets = np.flatnonzero(missing.any(axis=0))
    allowed = np.flatnonzero((missing.mean(axis=0) <= max_missing) & (np.ptp(values, axis=0) > 0))
    if not len(targets) or not len(allowed):
        return []
    while size > 1 and any(_alone(allowed, part) for part in _parts(targets, size)):
        size = min(-(-size // 2), max(-(-len(targets) // 2), 1))
    parts = [part for part in _parts(targets, size) if not _alone(allowed, part)]
    standard = _standardised(values)
    return [
        ConvolutionBlock(
            part, _inputs(standard, part, allowed, inputs_per_target), size, inputs_per_target
        )
        for part in parts
    ]


def _parts(targets: Genes, size: int) -> list[Genes]:
    return [targets[start : start + size] for start in range(0, len(targets), size)]


def _alone(allowed: Genes, targets: Genes) -> bool:
    """Tell whether every allowed gene is one of the targets."""
    return bool(np.isin(allowed, targets).all())


def _inputs(standard: NDArray[np.float64], targets: Genes, allowed: Genes, n: int) -> Genes:
    """Return the inputs of a block, the best for the first target first, without repetition."""
    outside = allowed[~np.isin(allowed, targets)]
    correlation = standard[:, targets].T @ standard[:, outside]
    ranked = np.argsort(-correlation, axis=1, kind="stable")[:, :n]
    named = outside[ranked].ravel()
    return named[np.sort(np.unique(named, return_index=True)[1])]


def _standardised(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return columns of mean 0 and length 1, whose products are correlations; constant ones 0."""
    centred = values - values.mean(axis=0, dtype=np.float64)
    length = np.linalg.norm(centred, axis=0)
    return np.asarray(centred / np.where(length > 0, length, 1))
