"""SAVER: each entry a weighted average of its count and what the other genes predict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from impbench_plugins.saver.posterior import posterior
from impbench_plugins.saver.prediction import (
    N_FOLDS,
    Prediction,
    approximate,
    cross_validated,
    largest_correlation,
)
from impbench_plugins.saver.r_random import folds, permutation
from impbench_plugins.saver.schedule import Outcome, Task, schedule
from numpy.typing import NDArray

from impbench import Context, Imputed, Imputer, Observed, hookimpl, parameter

__all__ = ["Saver"]

MIN_COUNT = 1e-3
"""Smaller values count as 0."""
MIN_PREDICTOR_MEAN = 0.1
"""Genes with a lower mean count predict no other gene."""


@dataclass(frozen=True)
class Saver(Imputer):
    """Posterior mean under a gamma prior around a Poisson lasso prediction (Huang et al. 2018).

    Follows SAVER 1.1.3 and R's random numbers: with seed s, genes come in the order and cells in
    the folds that the original has after ``set.seed(s)``. Size factors are library size / mean
    library size, whatever `Observed.size_factors` says; estimate and standard deviation are
    rounded up to three decimals on that scale, as the original's, then multiplied by the size
    factor, which makes them counts in the cell's own library size.

    The original drops cells without counts; here they come back as zeros. Genes without counts
    are zeros too. With fewer than five cells, or two predictor genes, every gene is predicted by
    its mean.
    """

    name = "saver"
    summary = "Shrinks counts towards a Poisson lasso prediction from the other genes"
    citation = (
        "Huang et al. (2018), SAVER: gene expression recovery for single-cell RNA sequencing, "
        "Nature Methods 15:539-542"
    )
    version = "1"
    input_scale = "counts"
    stochastic = True

    do_fast: bool = parameter(
        True, "Cross-validate some 200 genes only and derive λ of the others from them."
    )
    null_model: bool = parameter(False, "Predict every gene by its mean, without regressions.")

    def prepare(self, context: Context) -> None:
        """Compile, which takes half a minute the first time."""
        counts = np.random.default_rng(0).poisson(3.0, size=(20, 4))
        self.impute(Observed.from_counts(counts), Context())
        y = counts[:, 0].astype(np.float64)
        approximate(np.log(counts.T + 1.0), y, 0, 1.0, 0.5)

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Predict gene by gene, then weigh prediction against count."""
        filled = np.asarray(observed.dense_counts, dtype=np.float64)
        filled = np.where(filled < MIN_COUNT, 0.0, filled)
        cells = np.flatnonzero(filled.sum(axis=1) > 0)
        expression = np.zeros((observed.n_cells, observed.n_genes), dtype=np.float32)
        std = np.zeros_like(expression)
        if not len(cells):
            return Imputed(expression, "counts", std=std)
        data = _Data.of(filled[cells])
        expressed = np.flatnonzero(data.counts.any(axis=1))
        done = 0

        def impute_gene(task: Task) -> Outcome:
            prediction = data.predict(task)
            estimates = posterior(data.counts[task.gene], prediction.mean, data.size_factors)
            for result, values in zip((expression, std), estimates, strict=True):
                result[cells, task.gene] = np.ceil(values * 1000) / 1000 * data.size_factors
            return Outcome(prediction.largest, prediction.chosen, prediction.gain)

        with ThreadPoolExecutor(context.threads) as pool:

            def run(tasks: Sequence[Task]) -> Iterator[Outcome]:
                nonlocal done
                for outcome in pool.map(impute_gene, tasks):
                    done += 1
                    context.progress(done, len(expressed))
                    yield outcome

            info: dict[str, Any] = {}
            if self.null_model:
                list(run([Task(int(gene)) for gene in expressed]))
            else:
                correlation = np.zeros(observed.n_genes)
                correlation[expressed] = list(pool.map(data.largest_correlation, expressed))
                order = expressed[permutation(context.seed, len(expressed))]
                deviation = (data.counts / data.size_factors).std(axis=1)
                summary = schedule(order, correlation, deviation, run, self.do_fast)
                info = {
                    "predictors": len(data.predictors),
                    "predicted_genes": sum(o.chosen > 0 for o in summary.outcomes.values()),
                    "correlation_cutoff": summary.cutoff,
                    "median_correlation": float(np.median(correlation[expressed])),
                }
        return Imputed(expression, "counts", std=std, info=info)


@dataclass(frozen=True)
class _Data:
    """What all regressions share.

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
    def of(cls, cells_by_genes: NDArray[np.float64]) -> _Data:
        counts = np.ascontiguousarray(cells_by_genes.T)
        library_sizes = counts.sum(axis=0)
        size_factors = library_sizes / library_sizes.mean()
        genes = np.flatnonzero(counts.mean(axis=1) >= MIN_PREDICTOR_MEAN)
        predictors = np.log((counts[genes] + 1) / size_factors)
        norms = np.linalg.norm(predictors - predictors.mean(axis=1, keepdims=True), axis=1)
        row = np.full(len(counts), -1)
        row[genes] = np.arange(len(genes))
        return cls(counts, size_factors, predictors, norms, row)

    def predict(self, task: Task) -> Prediction:
        y = self.counts[task.gene] / self.size_factors
        own = self.row[task.gene]
        if task.fold_seed is not None:
            fold = folds(task.fold_seed, len(y), N_FOLDS)
            return cross_validated(self.predictors, y, fold, own)
        if task.chosen > 0:
            return approximate(self.predictors, y, own, task.largest, task.chosen)
        return Prediction(np.full(len(y), y.mean()), 0.0, 0.0, 0.0)

    def largest_correlation(self, gene: int) -> float:
        y = self.counts[gene] / self.size_factors
        return float(largest_correlation(self.predictors, self.norms, y, self.row[gene]))


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    """Offer SAVER."""
    return [Saver]
