"""A data set as SAVER's regressions see it: genes to predict, and genes to predict them from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from impbench_plugins.r_random import folds
from impbench_plugins.saver.prediction import (
    N_FOLDS,
    Prediction,
    approximate,
    cross_validated,
    largest_correlation,
)
from impbench_plugins.saver.schedule import Task
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
    predictors, norms
        (p, cells) ln((count + 1) / size factor) of expressed enough genes; (p,) norms about means.
    row
        (genes,) a gene's row among the predictors, or -1.
    """

    counts: NDArray[np.float64]
    size_factors: NDArray[np.float64]
    predictors: NDArray[np.float64]
    norms: NDArray[np.float64]
    row: NDArray[np.int64]

    @classmethod
    def of(cls, cells_by_genes: NDArray[np.float64]) -> Genes:
        """Take counts, (cells, genes) float64, no cell without counts."""
        counts = np.ascontiguousarray(cells_by_genes.T)
        library_sizes = counts.sum(axis=0)
        size_factors = library_sizes / library_sizes.mean()
        able = np.flatnonzero(counts.mean(axis=1) >= MIN_PREDICTOR_MEAN)
        predictors = np.log((counts[able] + 1) / size_factors)
        norms = np.linalg.norm(predictors - predictors.mean(axis=1, keepdims=True), axis=1)
        row = np.full(len(counts), -1)
        row[able] = np.arange(len(able))
        return cls(counts, size_factors, predictors, norms, row)

    def predict(self, task: Task) -> Prediction:
        """Return what the other genes say of `task.gene`, in the way the task asks for."""
        y = self.counts[task.gene] / self.size_factors
        own = self.row[task.gene]
        if task.fold_seed is not None:
            fold = folds(task.fold_seed, len(y), N_FOLDS)
            return cross_validated(self.predictors, y, fold, own)
        if task.chosen > 0:
            return approximate(self.predictors, y, own, task.largest, task.chosen)
        return Prediction(np.full(len(y), y.mean()), 0.0, 0.0, 0.0)

    def largest_correlation(self, gene: int) -> float:
        """Return the largest absolute correlation of a gene with a predictor other than itself."""
        y = self.counts[gene] / self.size_factors
        return float(largest_correlation(self.predictors, self.norms, y, self.row[gene]))

    def deviations(self) -> NDArray[np.float64]:
        """Return the standard deviation of each gene's normalised counts, (genes,)."""
        return np.array([(counts / self.size_factors).std() for counts in self.counts])
