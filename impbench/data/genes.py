"""Gene selection: which genes of a counts matrix carry the most biological variation."""

from __future__ import annotations

from typing import Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from impbench.errors import InputError, UnavailableError
from impbench.scale import Matrix, size_factors, sparse_lognorm

KEEP_ALL = "--genes 0 (in a dataset's brackets: genes=0 or hvg=none)"

HvgMethod = Literal["scran", "scran_fill", "seurat_v3", "dispersion", "none"]


def expressed_in(counts: Matrix) -> NDArray[np.int64]:
    """Return in how many cells each gene has a count, shape (genes,)."""
    return np.asarray((counts > 0).sum(axis=0), dtype=np.int64).ravel()


def highly_variable(
    counts: Matrix, library_size: NDArray[np.float64], genes: int, method: HvgMethod = "scran"
) -> NDArray[np.int64]:
    """Choose the most variable genes.

    Parameters
    ----------
    counts
        (cells, genes) raw counts.
    library_size
        (cells,) total counts over all genes.
    genes
        How many to choose; all when the matrix holds no more.
    method
        ``scran``: residual variance over the mean-variance trend of lognorm values (Lun, McCarthy,
        Marioni, F1000Research 5:2122, 2016), through scranpy; as R's ``getTopHVGs`` chooses: the
        largest, of genes above the trend alone, the first where they tie, which may be fewer than
        `genes`. ``scran_fill``: then also the genes nearest below the trend, up to `genes`.
        ``seurat_v3``: variance of
        standardised counts (Stuart et al., Cell 177:1888, 2019) and ``dispersion``: normalised
        dispersion (Satija et al., Nature Biotechnology 33:495, 2015), both through scanpy.
        ``none``: the first genes are not better than others, so all are kept.

    Returns
    -------
    Indices of the chosen genes in their original order, shape (chosen,).

    Raises
    ------
    UnavailableError
        If `method` is ``seurat_v3`` and scikit-misc is not installed.
    InputError
        If there are too few cells or counts for the method's fit, or no gene lies above the trend.
    """
    n_cells, n_genes = counts.shape
    if method == "none" or n_genes <= genes:
        return np.arange(n_genes)
    if n_cells < 3:
        raise InputError(
            f"{n_cells} cells are too few to rank genes by variance; keep all genes with {KEEP_ALL}"
        )
    rank = {"seurat_v3": _seurat_v3, "dispersion": _dispersion}.get(method, _scran)
    score = rank(counts, size_factors(library_size), genes)
    # A stable order makes ties fall to the gene that comes first, on every machine.
    best = np.argsort(-score, kind="stable")[:genes]
    if method == "scran":
        best = best[score[best] > 0]
    if not len(best):
        raise InputError(
            "no gene varies more than the trend of scran predicts from its mean; keep all genes "
            f"with {KEEP_ALL}"
        )
    return np.sort(best)


def _scran(counts: Matrix, factors: NDArray[np.float64], _: int) -> NDArray[np.float64]:
    import scranpy

    logs = sparse_lognorm(counts, factors)
    logs.eliminate_zeros()
    # scranpy takes genes × cells, as R does.
    try:
        model = scranpy.model_gene_variances(sp.csc_matrix(logs).T.astype(np.float64))
    except RuntimeError as error:
        mean = float(np.asarray(logs.mean(axis=0)).max())
        raise InputError(
            f"scran's trend needs genes of a mean log of 0.1 or more, and the highest here is "
            f"{mean:.2g}: the counts are too shallow to rank genes by variance ({error}); keep all "
            f"genes with {KEEP_ALL}"
        ) from error
    residual = np.asarray(model["statistics"]["residual"], dtype=np.float64)
    # A gene never seen lies on the trend, and would rank above all genes below it.
    return np.where(np.asarray(model["statistics"]["mean"]) > 0, residual, -np.inf)


def _seurat_v3(counts: Matrix, _: NDArray[np.float64], genes: int) -> NDArray[np.float64]:
    import anndata
    import scanpy

    try:
        table = scanpy.pp.highly_variable_genes(
            anndata.AnnData(sp.csr_matrix(counts)),
            flavor="seurat_v3",
            n_top_genes=genes,
            inplace=False,
        )
    except ImportError as error:
        raise UnavailableError(
            "hvg=seurat_v3 fits its trend with scikit-misc, which is not installed: "
            "pip install scikit-misc, or use hvg=scran"
        ) from error
    return np.asarray(table["variances_norm"].fillna(-np.inf), dtype=np.float64)


def _dispersion(counts: Matrix, factors: NDArray[np.float64], genes: int) -> NDArray[np.float64]:
    import anndata
    import scanpy

    # scanpy undoes a natural log before it takes dispersions, so it must be given one.
    natural = sparse_lognorm(counts, factors) * np.float32(np.log(2))
    natural.eliminate_zeros()
    table = scanpy.pp.highly_variable_genes(
        anndata.AnnData(natural), flavor="seurat", n_top_genes=genes, inplace=False
    )
    return np.asarray(table["dispersions_norm"].fillna(-np.inf), dtype=np.float64)
