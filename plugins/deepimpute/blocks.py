"""Which genes DeepImpute predicts, and from which (Arisdakessian et al. 2019, Methods)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Genes = NDArray[np.int64]


@dataclass(frozen=True)
class GeneBlock:
    """What one network predicts from what, as positions of genes.

    Attributes
    ----------
    predictors
        (inputs,), each gene once.
    targets
        (outputs,); a gene may stand more than once where there are too few to fill the block.
    """

    predictors: Genes
    targets: Genes


def dispersion(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Return variance / (1 + mean) of each gene, (genes,), from raw counts, (cells, genes)."""
    if len(counts) < 2:
        return np.zeros(counts.shape[1])
    variance = counts.var(axis=0, ddof=1, dtype=np.float64)
    return np.asarray(variance / (1 + counts.mean(axis=0, dtype=np.float64)))


def choose_blocks(
    counts: NDArray[Any],
    min_dispersion: float,
    size: int,
    n_predictors: int,
    rng: np.random.Generator,
) -> list[GeneBlock]:
    """Choose the genes to impute, deal them out at random, and find the predictors of each block.

    The genes with a dispersion above `min_dispersion` are rounded up to whole blocks by the next
    most variable ones; where the varying genes run out, by genes drawn again. The predictors of a
    block are those `n_predictors` varying genes outside it that correlate most with each of its
    genes, by the size of Pearson's correlation of raw counts. Where the block holds all genes, its
    own genes are the candidates, and each is then its own best predictor, as published.

    Parameters
    ----------
    counts
        (cells, genes) raw.
    """
    values = dispersion(counts)
    falling = np.argsort(-values, kind="stable")
    varying = falling[values[falling] > 0]
    n_blocks = -(-int((values > min_dispersion).sum()) // size)
    chosen = varying[: n_blocks * size]
    again = rng.choice(varying, n_blocks * size - len(chosen))
    dealt = rng.permutation(np.concatenate([chosen, again])).reshape(n_blocks, size)
    unit = _unit_columns(counts)
    candidates = np.sort(varying)
    blocks = []
    for targets in dealt:
        outside = np.setdiff1d(candidates, targets)
        if len(outside) == 0:
            outside = candidates
        members = np.unique(targets)
        correlation = np.abs(unit[:, members].T @ unit[:, outside])
        nearest = np.argsort(-correlation, axis=1, kind="stable")[:, :n_predictors]
        blocks.append(GeneBlock(np.unique(outside[nearest]), targets))
    return blocks


def _unit_columns(counts: NDArray[Any]) -> NDArray[np.float32]:
    """Centre and scale each gene so that products are correlations; constant genes become 0."""
    centred = (counts - counts.mean(axis=0, dtype=np.float64)).astype(np.float32)
    lengths = np.sqrt(np.einsum("ij,ij->j", centred, centred, dtype=np.float64))
    centred /= np.where(lengths > 0, lengths, 1.0).astype(np.float32)
    return np.asarray(centred)
