"""SCORED: the authors' package, SimRank and a random walk with restart over a cell graph."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from impbench import Context, Imputed, Imputer, Observed, parameter
from impbench.errors import InputError

PER_CELL = 1e4
"""Counts that a cell is normalised to; the package's default."""


@dataclass(frozen=True)
class ScoredOriginal(Imputer):
    """The package SCORED 0.1.0 through its own function.

    It takes cells × genes, normalises cells to 10⁴ counts, and averages them with the weights of a
    random walk. It transposes the walk's matrix for that, so that a cell's weights do not add up to
    1: cells of 10⁴ come back with other totals (5 900 to 17 700 on 200 cells). That is left as it
    is; values times library size / 10⁴ are the counts returned. Genes in fewer than
    `filter_min_cells` cells, which it drops, keep the counts observed, as it says nothing of them.
    Cells with counts in no other gene make it fail, so they take no part and keep theirs, too.
    There is nothing random that a seed would change. It also computes a UMAP and never uses it.
    """

    name = "scored-original"
    summary = "SCORED by its authors' own package: a random walk over similar cells, on PyTorch"
    citation = "SCORED 0.1.0: imputation by SimRank and random walk with restart, PyPI"
    version = "0.1.0"
    packages = ("scored", "scanpy", "scikit-learn", "torch", "umap-learn")
    # No newer torch than the one tried; the lockfile holds the rest.
    requires = ("SCORED==0.1.0", "torch<2.14")
    requires_python = ">=3.11,<3.14"
    lockfile = "locks/scored.txt"

    filter_min_cells: int = parameter(
        3, "Genes in fewer cells take no part; they come back as observed.", min=1
    )
    n_neighbors: int = parameter(60, "Neighbours of a cell in the graph.", min=2)
    n_pcs: int = parameter(
        40,
        "Principal components of the variable genes that the graph is built from, where more than "
        "50 genes take part.",
        min=1,
    )
    k: int = parameter(30, "Most similar cells by SimRank that keep a weight.", min=1)
    simrank_decay: float = parameter(0.8, "SimRank's decay.", min=0, max=1)
    rwr_alpha: float = parameter(0.3, "Chance that the walk starts again.", min=0, max=1)

    def prepare(self, context: Context) -> None:
        """Import PyTorch and scanpy, and compile the UMAP on a few cells."""
        if context.scratch is not None:
            os.environ["MPLCONFIGDIR"] = str(context.scratch)
            os.environ["NUMBA_CACHE_DIR"] = str(context.scratch)
        counts = np.random.default_rng(0).poisson(2, (12, 10)) + 1
        ScoredOriginal().impute(Observed.from_counts(counts), Context())

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Call ``scored.SCORED`` on an AnnData of the counts, without conditions.

        Raises
        ------
        InputError
            If there are too few cells, or too few genes expressed in enough of them.
        """
        counts = observed.dense_counts
        genes = np.count_nonzero(counts, axis=0) >= self.filter_min_cells
        cells = counts[:, genes].any(axis=1)
        n_cells, n_genes = int(cells.sum()), int(genes.sum())
        if n_cells < 4:
            raise InputError(
                f"{self.name} needs at least 4 cells with counts in genes that "
                f"{self.filter_min_cells} cells express (filter_min_cells); got {n_cells}"
            )
        context.need_memory(
            6 * 4 * n_cells**2, f"graph, SimRank and walk between all pairs of {n_cells} cells"
        )
        values = self._call(counts[cells], context)
        if values.shape != (n_cells, n_genes):
            raise InputError(
                f"{self.name} returned {values.shape}, expected {n_cells} cells × {n_genes} genes"
            )
        library = counts[np.ix_(cells, genes)].sum(axis=1, dtype=np.float64)
        expression = np.array(counts, dtype=np.float32)
        expression[np.ix_(cells, genes)] = values * (library / PER_CELL)[:, None]
        return Imputed(expression, "counts")

    def _call(self, counts: Any, context: Context) -> Any:
        import anndata
        import torch
        from scored import SCORED

        torch.set_num_threads(context.threads)
        try:
            return SCORED(
                anndata.AnnData(np.array(counts, dtype=np.float32)),
                filter_min_cells=self.filter_min_cells,
                target_sum=PER_CELL,
                n_neighbors=self.n_neighbors,
                n_pcs=self.n_pcs,
                k=self.k,
                simrank_decay=self.simrank_decay,
                rwr_alpha=self.rwr_alpha,
                device="cpu",
            )
        except ValueError as error:
            if not re.search(r"n_components|0 feature", str(error)):
                raise
            raise InputError(
                f"{self.name}: its graph takes n_pcs={self.n_pcs} principal components of the "
                "highly variable genes, so it needs more cells and more such genes than that; got "
                f"{len(counts)} cells. scanpy says: {error}. Lower n_pcs"
            ) from error
