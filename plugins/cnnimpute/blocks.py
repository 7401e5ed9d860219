"""Which genes cnnImpute predicts together, and from which others, in which order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impbench.errors import InputError

Genes = NDArray[np.intp]
Bools = NDArray[np.bool_]
PADDED_TARGET = -1.0


@dataclass(frozen=True)
class BlockRules:
    """How targets are divided and inputs chosen; see the imputer's parameters."""

    n_correlated: int
    block_size: int
    max_missing: float
    repeats: bool
    halve: bool


@dataclass(frozen=True)
class ConvolutionBlock:
    """Genes to predict at once, and the genes to predict them from.

    Attributes
    ----------
    targets, inputs
        Indices of genes; no gene is in both. An input may stand there more than once.
    """

    targets: Genes
    inputs: Genes

    def input_values(self, values: NDArray[Any], length: int) -> NDArray[np.float32]:
        """Return the inputs in order, (cells, length), zeros after the last."""
        padded = np.zeros((len(values), length), dtype=np.float32)
        padded[:, : len(self.inputs)] = values[:, self.inputs]
        return padded

    def target_values(self, values: NDArray[Any], missing: Bools, size: int) -> NDArray[np.float32]:
        """Return the targets in order, (cells, size), −1 where missing and after the last."""
        padded = np.full((len(values), size), PADDED_TARGET, dtype=np.float32)
        known = np.where(missing[:, self.targets], PADDED_TARGET, values[:, self.targets])
        padded[:, : len(self.targets)] = known
        return padded


def make_blocks(values: NDArray[Any], missing: Bools, rules: BlockRules) -> list[ConvolutionBlock]:
    """Divide the target genes into blocks and choose the inputs of each.

    A target is a gene with a missing value. Inputs are, for one target after the other, the genes
    of highest Pearson correlation with it, none of this block, none missing in more than a share
    `max_missing` of the cells. Targets keep their order. A block that holds every gene that could
    be an input has none; with `halve`, blocks are made half as large, as often as it takes.

    Parameters
    ----------
    values
        (cells, genes).
    missing
        (cells, genes), which values are to be imputed.

    Raises
    ------
    InputError
        If a full block has fewer possible inputs than each target should name, where the
        program's input has the wrong length.
    """
    targets = np.flatnonzero(missing.any(axis=0))
    allowed = np.flatnonzero((missing.mean(axis=0) <= rules.max_missing) & (np.ptp(values, 0) > 0))
    size = rules.block_size
    while rules.halve and size > 1 and any(_alone(allowed, p) for p in _parts(targets, size)):
        size = min(-(-size // 2), max(-(-len(targets) // 2), 1))
    standard = _standardised(values)
    blocks = []
    for part in _parts(targets, size):
        outside = allowed[~np.isin(allowed, part)]
        if rules.repeats and not rules.halve and len(part) == size:
            _must_suffice(len(outside), rules)
        blocks.append(ConvolutionBlock(part, _inputs(standard, part, outside, rules)))
    return blocks


def _parts(targets: Genes, size: int) -> list[Genes]:
    return [targets[start : start + size] for start in range(0, len(targets), size)]


def _alone(allowed: Genes, targets: Genes) -> bool:
    """Tell whether every allowed gene is one of the targets."""
    return bool(np.isin(allowed, targets).all())


def _must_suffice(n_outside: int, rules: BlockRules) -> None:
    if n_outside < rules.n_correlated:
        raise InputError(
            f"cnnimpute: a block of {rules.block_size} genes has {n_outside} outside to be "
            f"predicted from, and the published program needs {rules.n_correlated} for a full "
            "block; pass a smaller block_size or n_correlated, halve=true or repeats=false"
        )


def _inputs(
    standard: NDArray[np.float64], targets: Genes, outside: Genes, rules: BlockRules
) -> Genes:
    """Return the inputs of a block, the best for the first target first."""
    correlation = standard[:, targets].T @ standard[:, outside]
    ranked = np.argsort(-correlation, axis=1, kind="stable")[:, : rules.n_correlated]
    named = outside[ranked].ravel()
    if rules.repeats:
        return named
    return named[np.sort(np.unique(named, return_index=True)[1])]


def _standardised(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return columns of mean 0 and length 1, whose products are correlations; constant ones 0."""
    centred = values - values.mean(axis=0, dtype=np.float64)
    length = np.linalg.norm(centred, axis=0)
    return np.asarray(centred / np.where(length > 0, length, 1))
