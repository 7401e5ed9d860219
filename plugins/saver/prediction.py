"""One gene's expected expression from the other genes: a Poisson lasso and the choice of its λ.

`cross_validated` gives what cv.glmnet gives with five folds and its defaults: a path of 100 λ, each
fold on a path of its own, deviance of the held-out cells, λ of least deviance.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from impbench_plugins.saver import lasso
from impbench_plugins.saver.lasso import LassoFit
from impbench_plugins.saver.passes import Predictors, Vector, dot_row, moments
from impbench_plugins.shared.compiled import njit, njit_unkept
from numpy.typing import NDArray

N_FOLDS = 5
N_STEPS = 100
MAX_NONZERO = 300
APPROXIMATE_STEP = math.exp(-0.2)

# cv.glmnet walks the folds to the end of the path; most of its time goes past the minimum. We stop
# once the curve stands half a standard error above its minimum, at least 5 steps behind it, or λ
# has fallen to a tenth of that of the minimum. None of 949 curves of the reference data loses its
# minimum by that; the highest rise before a later minimum was 0.34 standard errors, and the
# longest way to one a factor of 5 in λ.
RISE, STEPS_AFTER, FALL = 0.5, 5, 0.1


class GenePrediction(NamedTuple):
    """What the other genes say of one gene.

    Attributes
    ----------
    mean
        (cells,) expected normalised counts.
    largest, chosen
        λ: the smallest without any predictor, and the one used; both 0 without a regression.
    gain
        (deviance at `largest` − at `chosen`) / standard error at `chosen`, by cross-validation.
    """

    mean: Vector
    largest: float
    chosen: float
    gain: float


@njit(nogil=True)
def cross_validated(
    predictors: Predictors,
    y: Vector,
    fold: NDArray[np.int64],
    left_out: int,
) -> GenePrediction:
    """Regress `y` on the predictors with the λ of least cross-validated deviance.

    Parameters
    ----------
    predictors
        p predictors of all cells.
    y
        (cells,) float64, non-negative.
    fold
        (cells,) 0 to 4.
    left_out
        The predictor that is the gene itself, or -1.

    Returns
    -------
    The prediction, which is the mean of `y` where there is nothing to regress: fewer than two
    predictors, or a fold without cells or whose other cells do not vary.
    """
    n = len(y)
    n_predictors = len(predictors.values) - (left_out >= 0)
    nothing = GenePrediction(np.full(n, y.mean()), 0.0, 0.0, 0.0)
    everything = np.ones(n, dtype=np.bool_)
    if n_predictors < 2 or not _can_learn(y, everything):
        return nothing
    for f in range(N_FOLDS):
        if not (fold == f).any() or not _can_learn(y, fold != f):
            return nothing
    fit = lasso.start(predictors, predictors.over_all, y, everything, left_out, N_STEPS)
    largest = fit.number[lasso.PENALTY]
    penalties = largest * _step(n, n_predictors) ** np.arange(N_STEPS)
    deviance, error = _curve(predictors, y, fold, left_out, penalties)
    best = np.argmin(deviance)
    made = _walk(fit, penalties[: best + 1])
    if made <= best:
        # The path over all cells ends before the minimum: choose among the steps it makes.
        best = np.argmin(deviance[:made])
        fit = lasso.start(predictors, predictors.over_all, y, everything, left_out, N_STEPS)
        _walk(fit, penalties[: best + 1])
    gain = (deviance[0] - deviance[best]) / error[best] if best > 0 else 0.0
    return GenePrediction(np.exp(fit.eta), largest, penalties[best], gain)


@njit_unkept(nogil=True)
def _walk(fit: LassoFit, penalties: Vector) -> int:
    """Move a fit from the first λ to the last; return the number of λ before the path ended."""
    for k in range(1, len(penalties)):
        status = lasso.advance(fit, penalties[k], MAX_NONZERO)
        if status == lasso.FAILED:
            return k
        if status == lasso.PATH_ENDS:
            return k + 1
    return len(penalties)


@njit_unkept(nogil=True)
def _curve(
    predictors: Predictors,
    y: Vector,
    fold: NDArray[np.int64],
    left_out: int,
    penalties: Vector,
) -> tuple[Vector, Vector]:
    """Return the deviance at each λ and its standard error; infinite where not computed."""
    n = len(y)
    paths = [_start_path(predictors, y, fold, f, left_out) for f in range(N_FOLDS)]
    deviance, error = np.full(N_STEPS, np.inf), np.full(N_STEPS, np.inf)
    best = 0
    # With fewer than 3 cells in a fold, cv.glmnet takes each cell as a fold of its own.
    grouped = n / N_FOLDS >= 3
    for k in range(N_STEPS):
        losses = np.zeros(n)
        for path in paths:
            _predict(path, penalties[k], y, losses)
        if grouped:
            sums, sizes = np.zeros(N_FOLDS), np.zeros(N_FOLDS)
            for i in range(n):
                sums[fold[i]] += losses[i]
                sizes[fold[i]] += 1.0
            losses = sums / sizes
        else:
            sizes = np.ones(n)
        deviance[k] = (sizes * losses).sum() / n
        spread = (sizes * (losses - deviance[k]) ** 2).sum() / n
        error[k] = math.sqrt(spread / (len(losses) - 1))
        if deviance[k] < deviance[best]:
            best = k
        risen = deviance[k] - deviance[best] >= RISE * error[best]
        if (risen and k - best >= STEPS_AFTER) or penalties[k] < FALL * penalties[best]:
            break
    return deviance, error


class _Path(NamedTuple):
    """A fold's fit and its last two solutions, between which η of held-out cells is interpolated.

    `penalty` holds the λ at the start of the path, of the solution before, and of the last one;
    `ended` one truth value.
    """

    fit: LassoFit
    held_out: NDArray[np.int64]
    step: float
    eta_before: Vector
    eta: Vector
    penalty: Vector
    ended: NDArray[np.bool_]


@njit_unkept(nogil=True)
def _start_path(
    predictors: Predictors, y: Vector, fold: NDArray[np.int64], f: int, left_out: int
) -> _Path:
    used = fold != f
    fit = lasso.start(predictors, moments(predictors.values, used), y, used, left_out, N_STEPS)
    largest = fit.number[lasso.PENALTY]
    step = _step(used.sum(), len(predictors.values) - (left_out >= 0))
    penalty = np.full(3, largest)
    held_out = np.flatnonzero(fold == f)
    eta = fit.eta[held_out]
    return _Path(fit, held_out, step, eta.copy(), eta, penalty, np.zeros(1, dtype=np.bool_))


@njit_unkept(nogil=True)
def _predict(path: _Path, penalty: float, y: Vector, losses: Vector) -> None:
    """Write the deviance of the held-out cells at a λ below those asked for before."""
    largest, before, now = path.penalty
    while now > penalty and not path.ended[0]:
        made = path.fit.counter[lasso.N_STEPS]
        lower = largest * path.step**made
        status = lasso.advance(path.fit, lower, MAX_NONZERO)
        path.ended[0] = status != lasso.ADVANCED or made + 1 == N_STEPS
        if status != lasso.FAILED:
            path.eta_before[:] = path.eta
            path.eta[:] = path.fit.eta[path.held_out]
            before, now = now, lower
    path.penalty[1:] = before, now
    share = min(1.0, max(0.0, (before - penalty) / (before - now))) if before > now else 1.0
    for j in range(len(path.held_out)):
        i = path.held_out[j]
        eta = path.eta_before[j] + share * (path.eta[j] - path.eta_before[j])
        saturated = y[i] * math.log(y[i]) - y[i] if y[i] > 0.0 else 0.0
        losses[i] = 2.0 * (saturated - y[i] * eta + math.exp(eta))


@njit(nogil=True)
def approximate(
    predictors: Predictors,
    y: Vector,
    left_out: int,
    largest: float,
    chosen: float,
) -> GenePrediction:
    """Regress `y` on the predictors at λ `chosen`, reached in steps of e^−0.2 from `largest`."""
    nothing = GenePrediction(np.full(len(y), y.mean()), 0.0, 0.0, 0.0)
    everything = np.ones(len(y), dtype=np.bool_)
    if len(predictors.values) - (left_out >= 0) < 2 or not _can_learn(y, everything):
        return nothing
    n_between = int(math.log(largest / chosen) / -math.log(APPROXIMATE_STEP))
    fit = lasso.start(predictors, predictors.over_all, y, everything, left_out, n_between + 2)
    eta = fit.eta.copy()
    for k in range(1, n_between + 2):
        penalty = largest * APPROXIMATE_STEP**k if k <= n_between else chosen
        if lasso.advance(fit, penalty, MAX_NONZERO) == lasso.FAILED:
            break
        eta[:] = fit.eta
    return GenePrediction(np.exp(eta), largest, chosen, 0.0)


@njit(nogil=True)
def largest_correlation(predictors: Predictors, y: Vector, left_out: int) -> float:
    """Return the largest absolute Pearson correlation of `y` with a predictor, 0 without any."""
    centred = y - y.mean()
    norm = math.sqrt((centred**2).sum() * len(y))
    over_all, largest = predictors.over_all, 0.0
    if norm > 0.0:
        for k in range(len(predictors.values)):
            if k != left_out and over_all.varies[k]:
                product = abs(dot_row(predictors.values, k, centred))
                largest = max(largest, product / (norm * over_all.spread[k]))
    return largest


@njit_unkept(nogil=True)
def _can_learn(y: Vector, used: NDArray[np.bool_]) -> bool:
    """Whether the used cells exist and their values are not all the same."""
    low, high = np.inf, -np.inf
    for i in range(len(y)):
        if used[i]:
            low, high = min(low, y[i]), max(high, y[i])
    return high > low


@njit_unkept(nogil=True)
def _step(n_cells: int, n_predictors: int) -> float:
    """Return the factor from one λ to the next on a path of glmnet's choice."""
    last = 0.01 if n_cells < n_predictors else 1e-4
    return float(last ** (1.0 / (N_STEPS - 1)))
