"""bayNorm from counts to posterior: which cells share β and prior, and on what scale it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from impbench import Context, Imputed, Observed
from impbench.errors import InputError

from .capture import from_totals, given, steady_genes
from .posterior import (
    mean_of_draws,
    missed,
    posterior_deviation,
    posterior_mean,
    posterior_mode,
)
from .prior import GENES, Floats, Prior, estimate_prior

Estimate = Literal["mean", "mode", "draws"]


@dataclass(frozen=True)
class BayNormSettings:
    """The parameters of `BayNorm`, by the same names."""

    estimate: Estimate = "mean"
    n_draws: int = 20
    capture: float | tuple[float, ...] | None = None
    mean_capture: float = 0.06
    capture_from: Literal["library", "steady-genes"] = "library"
    prior: Literal["shared", "batch"] = "shared"
    size: Literal["adjusted", "moment"] = "adjusted"
    divide_by: float | None = None


def impute(observed: Observed, context: Context, settings: BayNormSettings) -> Imputed:
    """Estimate β and the prior, then each entry's posterior.

    A cell's expected counts are β times its original molecules, and so is their deviation.
    """
    counts = whole_counts(observed.dense_counts, settings.divide_by)
    capture = capture_of(counts, settings)
    companies = _companies(observed, settings.prior)
    context.progress(0, 100)
    expression = np.empty(counts.shape, dtype=np.float32)
    std = np.empty_like(expression)
    rng = np.random.default_rng(context.seed)
    back = capture * (settings.divide_by or 1.0)
    for place, cells in enumerate(companies):
        shown, beta = counts[cells], capture[cells]

        def tell(part: float, place: int = place) -> None:
            context.progress(int(90 * (place + part) / len(companies)), 100)

        prior = estimate_prior(shown, beta, settings.size == "adjusted", context.threads, tell)
        for start in range(0, counts.shape[1], GENES):
            genes = slice(start, start + GENES)
            block = shown[:, genes]
            molecules, deviation = posterior(
                block, beta, prior, genes, settings.estimate, settings.n_draws, rng
            )
            expression[cells, genes] = molecules * back[cells, None]
            std[cells, genes] = deviation * back[cells, None]
    context.progress(100, 100)
    info = {"mean_capture": float(capture.mean()), "priors": len(companies)}
    return Imputed(expression, "counts", std=std, info=info)


def posterior(
    counts: NDArray[Any],
    capture: Floats,
    prior: Prior,
    genes: slice,
    estimate: Estimate,
    n_draws: int,
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    """Return estimate and deviation of the original molecules of some genes, (cells, genes)."""
    shape, mean = missed(counts, capture, prior.means[genes], prior.sizes[genes])
    if estimate == "mean":
        molecules = posterior_mean(counts, shape, mean)
    elif estimate == "mode":
        molecules = posterior_mode(counts, shape, mean)
    else:
        molecules = mean_of_draws(counts, shape, mean, n_draws, rng)
    return molecules, posterior_deviation(shape, mean)


def whole_counts(counts: NDArray[Any], divide_by: float | None) -> NDArray[Any]:
    """Return counts of molecules, (cells, genes): divided and rounded where they are reads.

    Raises
    ------
    InputError
        If there are fractions and nothing was said of dividing.
    """
    if divide_by is not None:
        return np.rint(counts / divide_by)
    fractions = counts != np.rint(counts) if counts.dtype.kind == "f" else np.zeros(1, dtype=bool)
    if fractions.any():
        raise InputError(
            f"baynorm's likelihood is one of whole molecules; {int(fractions.sum())} counts have "
            "fractions. Counts of reads are divided and rounded with baynorm[divide_by=10], say"
        )
    return counts


def capture_of(counts: NDArray[Any], settings: BayNormSettings) -> Floats:
    """Return β as the parameters have it, (cells,)."""
    if settings.capture is not None:
        return given(settings.capture, len(counts))
    if settings.capture_from == "steady-genes":
        steady = steady_genes(counts)
        if not steady.any():
            raise InputError(
                "baynorm: no gene has fewer than 35 % zeros and no outlying cell, as "
                "capture_from=steady-genes asks; leave it out to use library sizes"
            )
        counts = counts[:, steady]
    return from_totals(counts.sum(axis=1, dtype=np.float64), settings.mean_capture)


def _companies(observed: Observed, prior: Literal["shared", "batch"]) -> list[NDArray[np.intp]]:
    """Return the cells that share a prior, group by group."""
    if prior == "shared":
        return [np.arange(observed.n_cells)]
    if observed.batch is None:
        raise InputError(
            "baynorm[prior=batch] estimates a prior for each batch, but the data hold no batches: "
            "name their column with --batch-key (batch_key)"
        )
    return [np.flatnonzero(observed.batch == name) for name in np.unique(observed.batch)]
