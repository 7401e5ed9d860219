"""Drawn votes, decided as the original program decides them: by its rounding.

A vote on a zero is a sum of weights, + for cells that express the gene and − for the others. Most
draws come out as 0 or just below, which is no dropout, but some as 1e-17, which is one; and the
dropouts of a gene are solved for together, so each counts. The original's sums depend on the order
of the cells, and so do these.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from impbench_plugins.shared.compiled import njit
from numpy.typing import NDArray

from .consensus import Consensus, Floats


def drawn_dropouts(
    consensus: Consensus, expressed: NDArray[np.bool_], drawn: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Add up drawn votes in float64, cell after cell.

    Parameters
    ----------
    expressed
        (cells, genes).
    drawn
        (cells, genes), zeros whose exact vote is 0.

    Returns
    -------
    (cells, genes), the drawn zeros whose rounded vote is above 0.
    """
    called = np.zeros_like(drawn)
    cells, genes = np.nonzero(drawn)
    profile = consensus.profile[cells]
    order = np.argsort(profile, kind="stable")
    starts = np.flatnonzero(np.diff(profile[order], prepend=-1))
    by_gene = np.ascontiguousarray(expressed.T)
    for voted in np.split(order, starts[1:]) if len(order) else []:
        weight = _weights(consensus, int(profile[voted[0]]))[consensus.profile]
        neighbours = np.flatnonzero(weight)
        c, g = cells[voted], genes[voted]
        called[c, g] = _votes(by_gene, c, g, neighbours, weight[neighbours]) > 0
    return called


def _weights(consensus: Consensus, profile: int) -> Floats:
    """Return the weight of a cell of each profile on one of `profile`, (profiles,), rounded.

    The original adds up the shares of agreeing clusterings in 80 bits, which is exact for fewer
    than 2048 neighbours, before it rounds their sum; fractions are exact for any number.
    """
    agreement = consensus.agreement
    row = slice(agreement.indptr[profile], agreement.indptr[profile + 1])
    others, together = agreement.indices[row], agreement.data[row].astype(np.int64)
    n_cells = np.bincount(together, weights=consensus.n_cells[others])
    n_cells[consensus.n_clusterings] -= 1  # the cell itself
    total = sum(
        int(n_cells[k]) * Fraction(k / consensus.n_clusterings) for k in np.flatnonzero(n_cells)
    )
    weights = np.zeros(len(consensus.n_cells))
    if total:
        weights[others] = together / consensus.n_clusterings / float(total)
    return weights


@njit(nogil=True)
def _votes(
    expressed: NDArray[np.bool_],
    cells: NDArray[np.int64],
    genes: NDArray[np.int64],
    neighbours: NDArray[np.int64],
    weight: Floats,
) -> Floats:
    """Return the rounded votes on zeros of like cells; `expressed` is (genes, cells)."""
    votes = np.zeros(len(cells))
    for vote in range(len(cells)):
        cell, gene = cells[vote], genes[vote]
        for j in range(len(neighbours)):
            if neighbours[j] != cell:
                votes[vote] += weight[j] if expressed[gene, neighbours[j]] else -weight[j]
    return votes
