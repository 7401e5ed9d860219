"""Consensus of several clusterings (Malec et al. 2022, Consensus matrix and Identify dropouts).

Cells with the same label in every clustering (a *profile*) are interchangeable: their weights on
any third cell are equal, and so are the votes on their zeros. Keeping profiles instead of cells is
exact and needs no cells × cells matrix.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BLOCK = 1024
"""Rows of the profiles × profiles agreement that are dense at once."""


@dataclass(frozen=True)
class Consensus:
    """Agreement between profiles; build it with `from_labels`.

    The consensus weight of cell i on another cell j is a_pq / r_p, p and q their profiles: the
    number of clusterings that put them together, 0 below the threshold, over i's total.

    Attributes
    ----------
    profile
        (cells,) profile of each cell.
    agreement
        (profiles, profiles) a_pq, CSR float64 holding whole numbers.
    n_cells
        (profiles,) cells of each.
    n_clusterings
        a_pp.
    """

    profile: NDArray[np.int64]
    agreement: sp.csr_matrix
    n_cells: Floats
    n_clusterings: int

    @classmethod
    def from_labels(cls, labels: NDArray[np.int64], threshold: float) -> Consensus:
        """Build from `labels`, (cells, clusterings), dropping agreements in a smaller share."""
        profiles, profile = np.unique(labels, axis=0, return_inverse=True)
        n_profiles, n_clusterings = profiles.shape
        indicators = np.hstack(
            [(column[:, None] == np.unique(column)).astype(np.float32) for column in profiles.T]
        )
        blocks = []
        for start in range(0, n_profiles, BLOCK):
            agreement = indicators[start : start + BLOCK] @ indicators.T
            agreement[agreement / n_clusterings < threshold] = 0.0
            blocks.append(sp.csr_matrix(agreement, dtype=np.float64))
        profile = profile.ravel()
        n_cells = np.bincount(profile, minlength=n_profiles).astype(np.float64)
        return cls(profile, sp.vstack(blocks, format="csr"), n_cells, n_clusterings)

    @property
    def totals(self) -> Floats:
        """(profiles,) r_p, a cell's agreement with all other cells; 0 where it has none."""
        return np.asarray(self.agreement @ self.n_cells) - self.n_clusterings

    def sums(self, values: NDArray[Any]) -> Floats:
        """Add up `values`, (cells, genes), within each profile: (profiles, genes) float64."""
        n_cells = len(self.profile)
        members = sp.csr_matrix(
            (np.ones(n_cells), (self.profile, np.arange(n_cells))),
            shape=(len(self.n_cells), n_cells),
        )
        return np.asarray(members @ values.astype(np.float64))

    def votes(self, expressed: NDArray[np.bool_]) -> Floats:
        """Vote on the zeros: + for every other cell that expresses the gene, − for the rest.

        Parameters
        ----------
        expressed
            (cells, genes).

        Returns
        -------
        (profiles, genes) float64, the vote on a zero there: a dropout if above 0. Each cell has
        a_pq votes, whole numbers, so a draw is exactly 0.
        """
        n_expressed = self.sums(expressed)
        # A zero votes −1 in its own profile; that vote is taken back.
        votes = self.agreement @ (2 * n_expressed - self.n_cells[:, None]) + self.n_clusterings
        return np.asarray(votes)
