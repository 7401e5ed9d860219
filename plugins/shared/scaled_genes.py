"""What networks made for clustering see: the most variable genes, each with mean 0 and sd 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from impbench import Observed, scale

FEWEST_CELLS = 3
"""Cells by which genes can be ranked at all."""


@dataclass(frozen=True)
class ScaledGenes:
    """Standardised log values of some genes.

    Attributes
    ----------
    values
        (cells, chosen) float32; 0 throughout of a gene that does not vary.
    genes
        (chosen,) places of the genes, in their own order.
    mean, sd
        (chosen,) float32, log2 scale; sd by n − 1, and 1 of a gene that does not vary.
    """

    values: NDArray[np.float32]
    genes: NDArray[np.int64]
    mean: NDArray[np.float32]
    sd: NDArray[np.float32]


def scaled_genes(observed: Observed, n_genes: int) -> ScaledGenes:
    """Choose genes by normalised dispersion (scanpy's ``seurat``) and standardise each.

    The base of the logarithm cancels, so that log2 values give what natural ones do.

    Parameters
    ----------
    n_genes
        How many to choose; all where there are no more.
    """
    from impbench.data.genes import highly_variable

    genes = highly_variable(observed.counts, observed.size_factors, n_genes, "dispersion")
    logs = scale.lognorm(observed.counts[:, genes], observed.size_factors)
    # Gene by gene in memory, which decides the order of a mean's sum.
    seen = np.asfortranarray(logs)
    mean, sd = seen.mean(axis=0), seen.std(axis=0, ddof=1)
    sd[sd == 0] = 1
    return ScaledGenes((seen - mean) / sd, genes, mean, sd)


@dataclass(frozen=True)
class WithoutEmpty:
    """Counts rounded up to whole numbers, without cells and genes that have none.

    Attributes
    ----------
    observed
        What is left; size factors are its own library sizes over their median.
    cells, genes
        (cells,) and (genes,) of the data: what is left.
    """

    observed: Observed
    cells: NDArray[np.bool_]
    genes: NDArray[np.bool_]

    @classmethod
    def of(cls, observed: Observed) -> WithoutEmpty:
        """Round up, then drop."""
        counts = sp.csr_matrix(observed.counts)
        counts = sp.csr_matrix((np.ceil(counts.data), counts.indices, counts.indptr), counts.shape)
        genes = np.asarray(counts.sum(axis=0)).ravel() > 0
        cells = np.asarray(counts.sum(axis=1)).ravel() > 0
        kept = Observed.from_counts(
            counts[cells][:, genes],
            gene_names=[
                name for name, used in zip(observed.gene_names, genes, strict=True) if used
            ],
            cell_names=[
                name for name, used in zip(observed.cell_names, cells, strict=True) if used
            ],
            n_groups=observed.n_groups,
        )
        return cls(kept, cells, genes)

    def to_all_cells(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Give every cell of the data its row, zeros to those that were left out."""
        whole = np.zeros((len(self.cells), rows.shape[1]), dtype=rows.dtype)
        whole[self.cells] = rows
        return whole
