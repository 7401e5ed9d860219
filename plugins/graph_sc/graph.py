"""graph-sc's graph of genes and cells, and the features of its nodes (Ciortan & Defrance 2022).

Every gene that a cell expresses sends to it, and every cell to itself; nothing sends to a gene, and
no cell to another. With x the counts, on the chosen genes,

    X₁ = ln(1 + x) / (1e-6 + Σ_g ln(1 + x))           shares of each cell
    W̃_cg = X₁_cg d_c / Σ_g X₁_cg                       weights of mean 1, d_c expressed genes
    F_g = principal components of the genes over the cells, X₁ standardised gene by gene
    F_c = X₁ F_g
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

FEWEST_COUNTS = 3
"""A gene with fewer, over all cells, is left out."""

PCA_SEED = 1
"""Of the approximate decomposition that scikit-learn takes for large data."""


@dataclass(frozen=True)
class CellGraph:
    """What the network sees.

    Attributes
    ----------
    cells, genes
        Places in the data of the cells that hold counts and of the chosen genes, ascending.
    weights
        W̃, CSR float32, (cells, genes).
    gene_features, cell_features
        F_g and F_c, (genes, components) and (cells, components) float32.
    """

    cells: NDArray[np.intp]
    genes: NDArray[np.intp]
    weights: sp.csr_matrix
    gene_features: NDArray[np.float32]
    cell_features: NDArray[np.float32]


def whole_counts(counts: Any) -> sp.csr_matrix:
    """Round up to whole numbers, as the program does; (cells, genes) CSR float64."""
    matrix = sp.csr_matrix(counts, dtype=np.float64, copy=True)
    np.ceil(matrix.data, out=matrix.data)
    matrix.eliminate_zeros()
    matrix.sort_indices()
    return matrix


def counted(counts: sp.csr_matrix) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the places of the cells and genes that are used: 1 count, 3 counts or more."""
    genes = np.flatnonzero(np.asarray(counts.sum(axis=0)).ravel() >= FEWEST_COUNTS)
    cells = np.flatnonzero(np.asarray(counts[:, genes].sum(axis=1)).ravel() > 0)
    return cells, genes


def variable_genes(counts: sp.csr_matrix, n_genes: int) -> NDArray[np.intp]:
    """Choose genes by normalised dispersion, all where there are no more.

    Parameters
    ----------
    counts
        (cells, genes), every cell with counts.
    n_genes
        How many; more where the last ones tie.

    Returns
    -------
    Places, ascending.
    """
    if counts.shape[1] <= n_genes:
        return np.arange(counts.shape[1])
    import anndata
    import scanpy

    totals = np.asarray(counts.sum(axis=1)).ravel()
    scaled = sp.csr_matrix(sp.diags(np.median(totals) / totals) @ counts)
    logs = scaled.astype(np.float32).log1p()
    with warnings.catch_warnings():
        # Fewer genes than asked may have a dispersion at all: then these are what is taken.
        warnings.filterwarnings("ignore", message=".*n_top_genes.*")
        table = scanpy.pp.highly_variable_genes(
            anndata.AnnData(logs), flavor="seurat", n_top_genes=n_genes, inplace=False
        )
    return np.flatnonzero(table["highly_variable"].to_numpy())


def build_graph(
    counts: sp.csr_matrix,
    cells: NDArray[np.intp],
    genes: NDArray[np.intp],
    n_components: int,
) -> CellGraph:
    """Weigh the edges and make the features; on one thread.

    Parameters
    ----------
    counts
        All of them, as `whole_counts` leaves them.
    cells, genes
        Those in the graph.
    n_components
        At most the smaller of the numbers of cells and genes.
    """
    from sklearn.decomposition import PCA
    from threadpoolctl import threadpool_limits

    logs = sp.csr_matrix(counts[cells][:, genes]).log1p()
    totals = np.asarray(logs.sum(axis=1)).ravel()
    shares = sp.csr_matrix(sp.diags(1 / (totals + 1e-6)) @ logs)
    dense = shares.toarray()
    sd = dense.std(axis=0)
    sd[sd == 0] = 1
    dense -= dense.mean(axis=0)
    dense /= sd
    # Several threads would add in another order.
    with threadpool_limits(1):
        gene_features = PCA(n_components, random_state=PCA_SEED).fit_transform(dense.T)
    expressed = np.diff(logs.indptr)
    own = np.asarray(shares.sum(axis=1)).ravel()
    scales = np.divide(expressed, own, out=np.zeros_like(own), where=own > 0)
    return CellGraph(
        cells,
        genes,
        sp.csr_matrix(sp.diags(scales) @ shares, dtype=np.float32),
        np.asarray(gene_features, dtype=np.float32),
        np.asarray(shares @ gene_features, dtype=np.float32),
    )
