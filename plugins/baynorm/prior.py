"""The prior of a gene: a negative binomial distribution of its original molecules.

Mean and moment size come from the counts divided by β; the size that is used follows from a line
through the sizes under which the counts are most likely (Tang et al. 2020).
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impbench.errors import InputError

from .marginal_size import marginal_size

Floats = NDArray[np.float64]

GENES = 64
"""Genes looked at together: bounds memory."""


@dataclass(frozen=True)
class Prior:
    """The prior of every gene, each (genes,).

    Attributes
    ----------
    means
        μ, original molecules per cell.
    moment_sizes
        μ² / (variance − μ).
    marginal_sizes
        The most likely given the counts; None where they were not asked for.
    sizes
        s, those of the prior.
    """

    means: Floats
    moment_sizes: Floats
    marginal_sizes: Floats | None
    sizes: Floats


def estimate_prior(
    counts: NDArray[Any],
    capture: Floats,
    adjust: bool = True,
    threads: int = 1,
    progress: Callable[[float], None] = lambda part: None,
) -> Prior:
    """Estimate the prior from the cells.

    Parameters
    ----------
    counts
        (cells, genes), whole.
    capture
        (cells,) β.
    adjust
        Correct the sizes by the marginal likelihood; else the moment sizes are the prior's.
    progress
        Is told the share that is done.

    Raises
    ------
    InputError
        If no gene varies more than a Poisson variable would, or too few genes tell the line.
    """
    means, sizes = moments(counts, capture)
    if not adjust:
        return Prior(means, sizes, None, sizes)
    smallest, largest = float(sizes.min()), float(np.ceil(sizes.max()))

    def search(genes: slice) -> list[float]:
        rows = np.ascontiguousarray(counts[:, genes].T, dtype=np.float64)
        return [
            marginal_size(row, mean * capture, start, smallest, largest)
            for row, mean, start in zip(rows, means[genes], sizes[genes].tolist(), strict=True)
        ]

    blocks = [slice(start, start + GENES) for start in range(0, len(means), GENES)]
    found: list[float] = []
    with ThreadPoolExecutor(max(1, threads)) as pool:
        for block in pool.map(search, blocks):
            found += block
            progress(len(found) / len(means))
    marginal = np.array(found)
    return Prior(means, sizes, marginal, adjusted(sizes, marginal))


def moments(counts: NDArray[Any], capture: Floats) -> tuple[Floats, Floats]:
    """Return mean and size of each gene's counts divided by β, (genes,) each.

    A gene that varies no more than a Poisson variable takes the smallest size of the others. The
    order of the sums is the original's, which works on the non-zeros: its last bits matter.
    """
    n_cells, n_genes = counts.shape
    means, variances = np.empty((2, n_genes))
    for start in range(0, n_genes, GENES):
        genes = slice(start, start + GENES)
        molecules = counts[:, genes] / capture[:, None]
        seen = molecules > 0
        mean = means[genes] = _sum_in_order(molecules) / n_cells
        squares = _sum_in_order(np.where(seen, (molecules - mean) ** 2, 0.0))
        squares += (n_cells - seen.sum(axis=0)) * (mean * mean)
        variances[genes] = squares / max(n_cells - 1, 1) * ((n_cells - 1) / n_cells)
    varies = variances > means
    if not varies.any():
        raise InputError(
            "baynorm takes the spread of a gene from those that vary more than a Poisson variable; "
            f"of these {len(means)} genes in {len(capture)} cells none does, and no parameter helps"
        )
    sizes = np.empty_like(means)
    sizes[varies] = means[varies] ** 2 / (variances[varies] - means[varies])
    sizes[~varies] = sizes[varies].min()
    return means, sizes


def _sum_in_order(values: Floats) -> Floats:
    """Return the sums over cells, from the first to the last, (genes,)."""
    total = np.zeros(values.shape[1])
    for row in values:
        total += row
    return total


def adjusted(moment_sizes: Floats, marginal: Floats) -> Floats:
    """Return the sizes on the line of ln marginal on ln moment size, (genes,).

    The line rests on genes strictly between the smallest and the largest marginal size.
    """
    inside = (marginal > marginal.min()) & (marginal < marginal.max())
    x, y = np.log(moment_sizes[inside]), np.log(marginal[inside])
    if len(np.unique(x)) < 2:
        raise InputError(
            "baynorm corrects the sizes by a line through genes whose most likely size is neither "
            f"the smallest nor the largest; of {len(marginal)} genes {len(x)} are left, and two "
            "that differ are needed. Leave the correction out: baynorm[size=moment]"
        )
    centred = x - x.mean()
    slope = float(centred @ y) / float(centred @ centred)
    sizes: Floats = np.exp(y.mean() + slope * (np.log(moment_sizes) - x.mean()))
    return sizes
