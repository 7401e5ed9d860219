"""A data set as SAVER's regressions see it: genes to predict, and genes to predict them from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from impbench_plugins.saver.passes import Predictors
from impbench_plugins.saver.prediction import (
    N_FOLDS,
    GenePrediction,
    approximate,
    cross_validated,
    largest_correlation,
)
from impbench_plugins.saver.schedule import GeneTask
from impbench_plugins.shared.r_random import folds
from numpy.typing import NDArray

MIN_PREDICTOR_MEAN = 0.1
"""Genes with a lower mean count predict no other gene."""


@dataclass(frozen=True)
class Genes:
    """Counts of a data set and what predicts them.

    Attributes
    ----------
    counts
        (genes, cells) float64, of cells that have counts.
    size_factors
        (cells,) library size / mean library size.
    predictors
        ln((count + 1) / size factor) of the genes expressed enough.
    row
        (genes,) a gene's row among the predictors, or -1.
    """

    counts: NDArray[np.float64]
    size_factors: NDArray[np.float64]
    predictors: Predictors
    row: NDArray[np.int64]

    @classmethod
    def of(cls, cells_by_genes: NDArray[np.float64]) -> Genes:
        """Take counts, (cells, genes) float64, no cell without counts."""
        counts = np.ascontiguousarray(cells_by_genes.T)
        library_sizes = counts.sum(axis=0)
        size_factors = library_sizes / library_sizes.mean()
        able = np.flatnonzero(counts.mean(axis=1) >= MIN_PREDICTOR_MEAN)
        predictors = np.log((counts[able] + 1) / size_factors)
        row = np.full(len(counts), -1)
        row[able] = np.arange(len(able))
        return cls(counts, size_factors, Predictors.of(predictors), row)

    def predict(self, task: GeneTask) -> GenePrediction:
        """Return what the other genes say of `task.gene`, in the way the task asks for."""
        y = self.counts[task.gene] / self.size_factors
        own = self.row[task.gene]
        if task.fold_seed is not None:
            fold = _folds(task.fold_seed, len(y))
            return cross_validated(self.predictors, y, fold, own)
        if task.chosen > 0:
            return approximate(self.predictors, y, own, task.largest, task.chosen)
        return GenePrediction(np.full(len(y), y.mean()), 0.0, 0.0, 0.0)

    def largest_correlation(self, gene: int) -> float:
        """Return the largest absolute correlation of a gene with a predictor other than itself."""
        y = self.counts[gene] / self.size_factors
        return float(largest_correlation(self.predictors, y, self.row[gene]))

    def deviations(self) -> NDArray[np.float64]:
        """Return the standard deviation of each gene's normalised counts, (genes,)."""
        return np.array([(counts / self.size_factors).std() for counts in self.counts])


@lru_cache(maxsize=256)
def _folds(seed: int, n_cells: int) -> NDArray[np.int64]:
    """Return the folds of a seed, which starts anew in every block of genes."""
    return folds(seed, n_cells, N_FOLDS)
