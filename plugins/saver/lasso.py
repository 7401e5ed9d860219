"""The Poisson lasso along a path of penalties, by the algorithm of glmnet, one step at a time.

Minimises Σ qᵢ (exp(ηᵢ) − yᵢ ηᵢ) + λ Σ |βₖ| with ηᵢ = β₀ + Σₖ βₖ zᵢₖ, where q are cell weights that
sum to 1 and z the predictors standardised under q: an outer loop approximates the likelihood by a
weighted quadratic, an inner loop descends along one coordinate after the other, over the
predictors that the sequential strong rule lets through first (Friedman, Hastie & Tibshirani 2010,
J. Stat. Softw. 33:1; Tibshirani et al. 2012, J. R. Stat. Soc. B 74:245). The order of updates and
the stopping rules are glmnet's, so the solutions are equal to its solutions far below their own
tolerance.

A cross-validation fold is a fit in which the held-out cells weigh 0. All folds of all genes then
share one matrix of predictors, and a fold's η already holds the predictions for its held-out cells.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from impbench_plugins.saver.passes import (
    Moments,
    Predictors,
    Vector,
    add_rows,
    add_vector,
    curve,
    dot_rounded,
    dot_row,
    take_from_residual,
)
from impbench_plugins.shared.compiled import njit, njit_unkept
from numpy.typing import NDArray

TOLERANCE = 1e-7
"""Convergence: no update may change the objective by more than this share of the null deviance."""
MAX_PASSES = 100_000
MIN_STEPS, MIN_GAIN, MAX_EXPLAINED = 5, 1e-5, 0.999
"""The path ends where the last steps gained less than this share of the deviance, or nearly all."""
MAX_ETA = 250.0

ADVANCED, PATH_ENDS, FAILED = 0, 1, 2

# Places in `LassoFit.number` and `.counter`: numba's tuples are immutable, so scalars live in
# arrays.
INTERCEPT, CURVATURE, SUM_RESIDUAL, SATURATED, NULL_DEVIANCE, PENALTY = range(6)
N_ACTIVE, N_PASSES, N_STEPS = range(3)


class LassoFit(NamedTuple):
    """One regression on its way along the path; arrays over cells (n,) or predictors (p,).

    Attributes
    ----------
    predictors
        p predictors of n cells, shared between fits.
    weight, response
        (n,) q, and q · y.
    centre, spread
        (p,) mean and standard deviation of each predictor under q.
    usable
        (p,) False where a predictor is left out or constant.
    coefficient, before
        (p,) on standardised predictors; before: at the last quadratic approximation.
    eta, working, residual
        (n,) linear predictor, w = q exp(η), and what the quadratic leaves of q y − w.
    checked, gradient, computed
        (n,) residual at the last check of the predictors outside `strong`, (p,) upper bounds
        of their absolute gradients then, and (p,) whether these were computed for that residual.
    curvature, tilt
        (p,) Σ w z² and Σ w z of the quadratic.
    strong, entered, active
        (p,) predictors let through by the strong rule; whether ever non-zero; those, in order.
    explained
        (steps,) share of the null deviance explained, one entry per step made.
    number, counter
        Scalars, see the names above.
    """

    predictors: Predictors
    weight: Vector
    response: Vector
    centre: Vector
    spread: Vector
    usable: NDArray[np.bool_]
    coefficient: Vector
    before: Vector
    eta: Vector
    working: Vector
    residual: Vector
    checked: Vector
    gradient: Vector
    computed: NDArray[np.bool_]
    curvature: Vector
    tilt: Vector
    strong: NDArray[np.bool_]
    entered: NDArray[np.bool_]
    active: NDArray[np.int64]
    explained: Vector
    number: Vector
    counter: NDArray[np.int64]


@njit(nogil=True)
def start(
    predictors: Predictors,
    over_used: Moments,
    y: Vector,
    used: NDArray[np.bool_],
    left_out: int,
    n_steps: int,
) -> LassoFit:
    """Fit the null model, at the smallest λ that keeps every coefficient at 0: `number[PENALTY]`.

    Parameters
    ----------
    predictors
        p predictors of n cells.
    over_used
        Their moments over the used cells.
    y
        (n,) float64, non-negative, not all 0 over the used cells.
    used
        (n,) the cells to learn from, all with the same weight.
    left_out
        A predictor that must not be used, or -1.
    n_steps
        Most steps that will be made.
    """
    p, n = predictors.values.shape
    weight = used / used.sum()
    response = weight * y
    usable = over_used.varies.copy()
    if left_out >= 0:
        usable[left_out] = False
    mean = response.sum()
    eta = np.full(n, math.log(mean))
    working = weight * mean
    residual = response - working
    number = np.zeros(6)
    number[INTERCEPT] = math.log(mean)
    number[CURVATURE] = mean
    number[SUM_RESIDUAL] = residual.sum()
    number[SATURATED] = mean * (math.log(mean) - 1.0)
    null = -mean - number[SATURATED]
    for i in range(n):
        if response[i] > 0.0:
            null += response[i] * math.log(y[i])
    number[NULL_DEVIANCE] = null
    fit = LassoFit(
        predictors=predictors,
        weight=weight,
        response=response,
        centre=over_used.centre,
        spread=over_used.spread,
        usable=usable,
        coefficient=np.zeros(p),
        before=np.zeros(p),
        eta=eta,
        working=working,
        residual=residual,
        checked=residual.copy(),
        gradient=np.zeros(p),
        computed=np.ones(p, dtype=np.bool_),
        curvature=np.zeros(p),
        tilt=np.zeros(p),
        strong=np.zeros(p, dtype=np.bool_),
        entered=np.zeros(p, dtype=np.bool_),
        active=np.zeros(p, dtype=np.int64),
        explained=np.zeros(n_steps),
        number=number,
        counter=np.zeros(3, dtype=np.int64),
    )
    for k in range(p):
        if usable[k]:
            fit.gradient[k] = _gradient(fit, k)
    number[PENALTY] = fit.gradient.max()
    fit.counter[N_STEPS] = 1
    return fit


@njit(nogil=True)
def advance(fit: LassoFit, penalty: float, max_nonzero: int) -> int:
    """Move the solution to the next λ of the path.

    Returns
    -------
    ADVANCED, or PATH_ENDS if glmnet would end a path of its own choice with this solution, or
    FAILED if more than twice `max_nonzero` + 20 predictors entered on the way or too many passes
    were needed: the solution is then unusable and the path ended one step earlier.
    """
    number, counter = fit.number, fit.counter
    tolerance = TOLERANCE * number[NULL_DEVIANCE]
    threshold = 2.0 * penalty - number[PENALTY]
    number[PENALTY] = penalty
    _let_in_above(fit, threshold)
    while True:
        intercept_before = number[INTERCEPT]
        for a in range(counter[N_ACTIVE]):
            k = fit.active[a]
            fit.before[k] = fit.coefficient[k]
        if not _minimise_quadratic(fit, penalty, tolerance, 2 * max_nonzero + 20):
            return FAILED
        _renew_quadratic(fit, intercept_before)
        moved = number[CURVATURE] * (number[INTERCEPT] - intercept_before) ** 2 >= tolerance
        for a in range(counter[N_ACTIVE]):
            k = fit.active[a]
            change = fit.coefficient[k] - fit.before[k]
            moved |= fit.curvature[k] * change**2 >= tolerance
        if not moved and not _let_in_above(fit, penalty):
            return _record(fit, max_nonzero)


@njit_unkept(nogil=True, error_model="numpy")
def _minimise_quadratic(fit: LassoFit, penalty: float, tolerance: float, max_active: int) -> bool:
    """Descend along the coordinates until a pass over all strong predictors changes nothing.

    The arrays are taken out of the tuple once: passing the tuple on costs more than an update.
    """
    number, counter = fit.number, fit.counter
    predictors, working, residual = fit.predictors.values, fit.working, fit.residual
    centre, spread, coefficient = fit.centre, fit.spread, fit.coefficient
    curvature, tilt = fit.curvature, fit.tilt
    entered, active = fit.entered, fit.active
    visits = np.flatnonzero(fit.strong)
    only_active, first = False, True
    while True:
        counter[N_PASSES] += 1
        if counter[N_PASSES] > MAX_PASSES:
            return False
        largest = 0.0
        order = active[: counter[N_ACTIVE]] if only_active else visits
        product = dot_row(predictors, order[0], residual) if len(order) else 0.0
        for visit in range(len(order)):
            k = order[visit]
            following = order[visit + 1] if visit + 1 < len(order) else k
            if first:  # Now that the predictor is at hand.
                linear, square = curve(predictors, k, working, centre[k])
                tilt[k] = linear / spread[k]
                curvature[k] = square / spread[k] ** 2
            old = coefficient[k]
            slope = product - centre[k] * number[SUM_RESIDUAL]
            u = slope / spread[k] + curvature[k] * old
            size = abs(u) - penalty
            new = math.copysign(size, u) / curvature[k] if size > 0.0 else 0.0
            if new == old:
                product = dot_row(predictors, following, residual)
                continue
            if not entered[k]:
                if counter[N_ACTIVE] == max_active:
                    return False
                entered[k] = True
                active[counter[N_ACTIVE]] = k
                counter[N_ACTIVE] += 1
            change = new - old
            coefficient[k] = new
            step = change / spread[k]
            product = take_from_residual(
                residual, working, predictors, k, step, -step * centre[k], following
            )
            number[SUM_RESIDUAL] -= change * tilt[k]
            largest = max(largest, curvature[k] * change * change)
        first = False
        change = number[SUM_RESIDUAL] / number[CURVATURE]
        number[INTERCEPT] += change
        number[SUM_RESIDUAL] = 0.0
        add_vector(-change, working, residual)
        largest = max(largest, number[CURVATURE] * change * change)
        if largest >= tolerance:
            only_active = True
        elif only_active:
            only_active = False
        else:
            return True


@njit_unkept(nogil=True)
def _renew_quadratic(fit: LassoFit, intercept_before: float) -> None:
    """Bring η up to date, then weights and residuals of the next quadratic."""
    number, eta = fit.number, fit.eta
    offset = number[INTERCEPT] - intercept_before
    # Four rows at a time: η passes through memory once for them.
    rows, changes, filled = np.zeros(4, dtype=np.int64), np.zeros(4), 0
    for a in range(fit.counter[N_ACTIVE]):
        k = fit.active[a]
        change = (fit.coefficient[k] - fit.before[k]) / fit.spread[k]
        if change != 0.0:
            offset -= change * fit.centre[k]
            rows[filled], changes[filled] = k, change
            filled += 1
            if filled == 4:
                add_rows(changes, fit.predictors.values, rows, eta)
                filled = 0
    if filled:
        changes[filled:] = 0.0
        add_rows(changes, fit.predictors.values, rows, eta)
    total = 0.0
    leftover = 0.0
    for i in range(len(eta)):
        eta[i] += offset
        w = fit.weight[i]
        if w > 0.0:
            w *= math.exp(max(-MAX_ETA, min(MAX_ETA, eta[i])))
        fit.working[i] = w
        fit.residual[i] = fit.response[i] - w
        total += w
        leftover += fit.residual[i]
    number[CURVATURE] = total
    number[SUM_RESIDUAL] = leftover


@njit(nogil=True)
def _let_in_above(fit: LassoFit, bound: float) -> bool:
    """Let the predictors with a gradient above `bound` into the strong set; say if there are any.

    Most are settled without a pass over all cells in double precision. A standardised predictor
    has length 1 under q, so no gradient changes by more than the residual moves. And single
    precision gives the gradient up to an error that is known: a sum of n products, in any order,
    is off by less than n 2⁻²³ times the lengths of the two vectors.
    """
    residual, checked, weight = fit.residual, fit.checked, fit.weight
    gradient, computed, strong, usable = fit.gradient, fit.computed, fit.strong, fit.usable
    centre, spread, rounded = fit.centre, fit.spread, fit.predictors.rounded
    over_all, leftover = fit.predictors.over_all, fit.number[SUM_RESIDUAL]
    n = len(residual)
    distance, square = 0.0, 0.0
    for i in range(n):
        square += residual[i] ** 2
        if weight[i] > 0.0:
            distance += (residual[i] - checked[i]) ** 2 / weight[i]
    distance = math.sqrt(distance)
    if distance > 0.0:
        computed[:] = False
        checked[:] = residual
    length = max(math.sqrt(square), 1e-300)
    direction = (residual / length).astype(np.float32)
    error = length * math.sqrt(n) * n * 2.0**-23
    found = False
    for k in range(len(gradient)):
        if not usable[k] or strong[k]:
            continue
        gradient[k] += distance
        if gradient[k] <= bound:
            continue
        if not computed[k]:
            computed[k] = True
            own, shift = over_all.spread[k], over_all.centre[k] - centre[k]
            slope = own * length * dot_rounded(rounded, k, direction) + shift * leftover
            gradient[k] = (abs(slope) + own * error) / spread[k]
        if gradient[k] > bound:
            gradient[k] = _gradient(fit, k)
            if gradient[k] > bound:
                strong[k] = True
                found = True
    return found


@njit_unkept(nogil=True)
def _gradient(fit: LassoFit, k: int) -> float:
    slope = (
        dot_row(fit.predictors.values, k, fit.residual) - fit.centre[k] * fit.number[SUM_RESIDUAL]
    )
    return float(abs(slope / fit.spread[k]))


@njit_unkept(nogil=True)
def _record(fit: LassoFit, max_nonzero: int) -> int:
    """Note the deviance explained; say whether the path ends here."""
    number, step = fit.number, fit.counter[N_STEPS]
    likelihood = np.dot(fit.response, fit.eta) - number[CURVATURE] - number[SATURATED]
    explained = likelihood / number[NULL_DEVIANCE]
    fit.explained[step] = explained
    fit.counter[N_STEPS] = step + 1
    if step + 1 < MIN_STEPS:
        return ADVANCED
    gain = explained - fit.explained[step + 1 - MIN_STEPS]
    nonzero = np.count_nonzero(fit.coefficient)
    if nonzero > max_nonzero or gain < MIN_GAIN * explained or explained > MAX_EXPLAINED:
        return PATH_ENDS
    return ADVANCED
