"""LTMG: tells for every entry which of its gene's expression states it is in (Wan et al. 2019).

A gene's values, on a log scale, are a mixture of normal distributions that is cut off on the left:
what lies below a limit counts as not seen. The states are the components, from the lowest mean on.
This follows scGNNLTMG (commit f62da72), the R program by which scGNN weighs its errors, with its
random numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from impbench_plugins.shared.r_random import Draws
from numpy.typing import NDArray

from .censored_mixture import fit_censored_mixture
from .normal_mixture import fit_normal_mixture

Floats = NDArray[np.float64]

SEED = 123
NOISE = 1e-4
"""Standard deviation of what is added, which keeps equal values apart."""

MOST_COMPONENTS = 5


@dataclass(frozen=True)
class ExpressionStates:
    """What LTMG finds.

    Attributes
    ----------
    states
        (cells, genes) int8; 0 is not expressed.
    limit
        The limit that all genes share, on the scale of ln(value).
    n_states
        (genes,) the number of components, state 0 included; 1 where nothing could be fitted, 0 for
        a gene without a positive value.
    """

    states: NDArray[np.int8]
    limit: float
    n_states: NDArray[np.int64]


def find_states(values: Floats, repaired: bool = False) -> ExpressionStates:
    """Fit gene by gene, in the order of the columns, which the result depends on.

    Parameters
    ----------
    values
        (cells, genes) float64, non-negative; ln(1 + count) in scGNN.
    repaired
        Without two faults of the program: a gene is given no more components than the gene before
        it got, and whether a gene has values below the limit is asked of values that were not
        logged.
    """
    states = np.zeros(values.shape, np.int8)
    n_states = np.zeros(values.shape[1], np.int64)
    cells = np.flatnonzero(values.sum(axis=1) > 0)
    genes = np.flatnonzero(values.sum(axis=0) > 0)
    draws = Draws(SEED)
    smallest = np.where(values > 0, values, np.inf).min(axis=0, initial=np.inf)
    limit = _shared_limit(smallest[genes], draws)
    most = MOST_COMPONENTS
    for gene in genes:
        plain = values[cells, gene]
        with np.errstate(divide="ignore"):
            y = np.log(plain) + NOISE * draws.normals(len(cells))
        own_limit = max(np.log(smallest[gene]), limit)
        seen = y > own_limit
        censored = (y < own_limit).any() if repaired else (plain < limit).any()
        fit = _best_fit(y[seen], len(y) - seen.sum(), own_limit, censored, most, draws)
        n_states[gene] = 1 if fit is None else fit.shape[1]
        if fit is None:
            continue
        states[cells[seen], gene] = np.argmax(_log_densities(y[seen], fit), axis=1)
        if not repaired:
            # The program's loop over the components takes the name of the largest number allowed.
            most = fit.shape[1]
    return ExpressionStates(states, limit, n_states)


def _shared_limit(smallest: Floats, draws: Draws) -> float:
    """Return where two kinds of genes' smallest positive values part, as a log; 0 if nowhere."""
    noisy = smallest + NOISE * draws.normals(len(smallest))
    if not (noisy > 0).all():
        return 0.0
    fit = fit_normal_mixture(np.log(noisy), 2, draws)
    crossing = None if fit is None else fit.crossing()
    return 0.0 if crossing is None else crossing


def _best_fit(
    x: Floats, n_below: int, limit: float, censored: bool, most: int, draws: Draws
) -> Floats | None:
    """Return the fit of least BIC, (3, components), by ascending mean; none if none succeeds.

    Without values below the limit, component 0 is an empty one.
    """
    fits = [
        fit
        for fit in (
            _censored_fits(x, n_below, limit, most) if censored else _whole_fits(x, most, draws)
        )
        if fit is not None
    ]
    if not fits:
        return None
    best = min(fits, key=lambda fit: _bic(x, fit))
    best = best[:, np.argsort(best[1], kind="stable")]
    return best if censored else np.column_stack([[0.0, -np.inf, 1.0], best])


def _censored_fits(x: Floats, n_below: int, limit: float, most: int) -> Iterator[Floats | None]:
    for n_components in range(2, most + 1):
        yield fit_censored_mixture(x, n_below, limit, n_components)


def _whole_fits(x: Floats, most: int, draws: Draws) -> Iterator[Floats | None]:
    if len(x) > 1 and np.ptp(x) > 0:
        yield np.array([[1.0], [x.mean()], [x.std(ddof=1)]])
    for n_components in range(2, most):
        fit = fit_normal_mixture(x, n_components, draws)
        yield None if fit is None else np.array([fit.proportions, fit.means, fit.sds])


def _bic(x: Floats, fit: Floats) -> float:
    """Return (3K − 1) ln n − 2 ln L, both of the n values seen."""
    n_parameters = 3 * fit.shape[1] - 1
    log_likelihood = np.logaddexp.reduce(_log_densities(x, fit), axis=1).sum()
    return float(n_parameters * np.log(len(x)) - 2 * log_likelihood)


def _log_densities(x: Floats, fit: Floats) -> Floats:
    """Return ln(p φ), (values, components); −∞ for the empty component."""
    p, mean, sd = fit
    with np.errstate(divide="ignore"):
        heights = np.log(p) - np.log(sd) - 0.5 * np.log(2 * np.pi)
    return np.asarray(heights - 0.5 * ((x[:, None] - mean) / sd) ** 2)
