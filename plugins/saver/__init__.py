"""SAVER: each entry a weighted average of its count and what the other genes predict."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from impbench_plugins.saver.genes import Genes
from impbench_plugins.saver.posterior import posterior
from impbench_plugins.saver.prediction import approximate
from impbench_plugins.saver.r_random import permutation
from impbench_plugins.saver.schedule import Outcome, Task, schedule

from impbench import Context, Imputed, Imputer, Observed, hookimpl, parameter

__all__ = ["Saver"]

MIN_COUNT = 1e-3
"""Smaller values count as 0."""


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

        def impute_gene(task: Task) -> Outcome:
            prediction = genes.predict(task)
            estimates = posterior(genes.counts[task.gene], prediction.mean, genes.size_factors)
            for result, values in zip((expression, std), estimates, strict=True):
                result[cells, task.gene] = np.ceil(values * 1000) / 1000 * genes.size_factors
            return Outcome(prediction.largest, prediction.chosen, prediction.gain)

        info: dict[str, Any] = {}
        with _pool(context.threads) as pool:

            def run(tasks: Sequence[Task]) -> Iterator[Outcome]:
                nonlocal done
                for outcome in pool.map(impute_gene, tasks):
                    done += 1
                    context.progress(done, len(expressed))
                    yield outcome

            if self.null_model:
                list(run([Task(int(gene)) for gene in expressed]))
            else:
                correlation = np.zeros(observed.n_genes)
                correlation[expressed] = list(pool.map(genes.largest_correlation, expressed))
                order = expressed[permutation(context.seed, len(expressed))]
                summary = schedule(order, correlation, genes.deviations(), run, self.do_fast)
                info = {
                    "predictors": len(genes.predictors),
                    "predicted_genes": sum(o.chosen > 0 for o in summary.outcomes.values()),
                    "correlation_cutoff": summary.cutoff,
                    "median_correlation": float(np.median(correlation[expressed])),
                }
        return Imputed(expression, "counts", std=std, info=info)


@contextlib.contextmanager
def _pool(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Yield a pool of threads that drops what waits when its user fails or is cancelled."""
    with ThreadPoolExecutor(threads) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    """Offer SAVER."""
    return [Saver]
