"""SAVER from counts to posterior: which cells and genes take part, and in what order."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from impbench_plugins.shared.r_random import permutation

from impbench import Context, Imputed, Observed

from .genes import Genes
from .posterior import posterior
from .prediction import approximate
from .schedule import GeneOutcome, GeneTask, schedule

MIN_COUNT = 1e-3
"""Smaller values count as 0."""


def impute(observed: Observed, context: Context, do_fast: bool, null_model: bool) -> Imputed:
    """Predict gene by gene, then weigh prediction against count; see `Saver` for the scale."""
    counts = np.array(observed.dense_counts, dtype=np.float64)
    counts[counts < MIN_COUNT] = 0.0
    cells = np.flatnonzero(counts.any(axis=1))
    expression = np.zeros((observed.n_cells, observed.n_genes), dtype=np.float32)
    std = np.zeros_like(expression)
    if not len(cells):
        return Imputed(expression, "counts", std=std)
    genes = Genes.of(counts[cells])
    del counts
    expressed = np.flatnonzero(genes.counts.any(axis=1))
    done = 0

    def impute_gene(task: GeneTask) -> GeneOutcome:
        prediction = genes.predict(task)
        estimates = posterior(genes.counts[task.gene], prediction.mean, genes.size_factors)
        for result, values in zip((expression, std), estimates, strict=True):
            result[cells, task.gene] = np.ceil(values * 1000) / 1000 * genes.size_factors
        return GeneOutcome(prediction.largest, prediction.chosen, prediction.gain)

    info: dict[str, Any] = {}
    with _pool(context.threads) as pool:

        def run(tasks: Sequence[GeneTask]) -> Iterator[GeneOutcome]:
            nonlocal done
            for outcome in pool.map(impute_gene, tasks):
                done += 1
                context.progress(done, len(expressed))
                yield outcome

        if null_model:
            list(run([GeneTask(int(gene)) for gene in expressed]))
        else:
            correlation = np.zeros(observed.n_genes)
            correlation[expressed] = list(pool.map(genes.largest_correlation, expressed))
            order = expressed[permutation(context.seed, len(expressed))]
            summary = schedule(order, correlation, genes.deviations(), run, do_fast)
            info = {
                "predictors": len(genes.predictors.values),
                "predicted_genes": sum(o.chosen > 0 for o in summary.outcomes.values()),
                "correlation_cutoff": summary.cutoff,
                "median_correlation": float(np.median(correlation[expressed])),
            }
    return Imputed(expression, "counts", std=std, info=info)


def compile_kernels() -> None:
    """Compile everything that `impute` runs, by running it on a few cells."""
    counts = np.random.default_rng(0).poisson(3.0, size=(20, 4))
    impute(Observed.from_counts(counts), Context(), do_fast=True, null_model=False)
    genes = Genes.of(counts.astype(np.float64))
    approximate(genes.predictors, genes.counts[0], 0, 1.0, 0.5)


@contextlib.contextmanager
def _pool(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Yield a pool of threads that drops what waits when its user fails or is cancelled."""
    with ThreadPoolExecutor(threads) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
