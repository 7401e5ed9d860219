"""Non-negative least squares: min ‖A b − y‖² over b ≥ 0 (Lawson and Hanson 1974)."""

from __future__ import annotations

import numpy as np
from impbench_plugins.shared.compiled import njit, njit_unkept
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@njit(nogil=True)
def nnls(gram: Floats, product: Floats) -> Floats:
    """Solve by active sets, on inner products only (Bro and de Jong 1997).

    Parameters
    ----------
    gram
        (n, n) AᵀA. Its diagonal is raised by 1e-12 of its largest entry, so that equal columns of A
        leave it solvable.
    product
        (n,) Aᵀy.

    Returns
    -------
    (n,) the coefficients: the gradient Aᵀ(y − A b) is 0 where b > 0 and not positive elsewhere, to
    1e-10 of the largest |Aᵀy|.
    """
    n = product.shape[0]
    ridge = 1e-12 * np.diag(gram).max() if n else 0.0
    tolerance = 1e-10 * np.abs(product).max() if n else 0.0
    coefficients = np.zeros(n)
    passive = np.zeros(n, np.bool_)
    gradient = product.copy()
    for _ in range(10 * n):
        entering = -1
        steepest = tolerance
        for i in range(n):
            if not passive[i] and gradient[i] > steepest:
                steepest = gradient[i]
                entering = i
        if entering < 0:
            break
        passive[entering] = True
        while True:
            chosen = np.flatnonzero(passive)
            trial = _solve(gram, product, chosen, ridge)
            if trial.min() > 0.0:
                break
            # Go towards the trial until the first coefficient reaches 0; it leaves.
            share = 1.0
            for j in range(len(chosen)):
                if trial[j] <= 0.0:
                    now = coefficients[chosen[j]]
                    share = min(share, now / (now - trial[j]) if now > trial[j] else 0.0)
            for j in range(len(chosen)):
                i = chosen[j]
                coefficients[i] += share * (trial[j] - coefficients[i])
                if trial[j] <= 0.0 and coefficients[i] <= 1e-15:
                    coefficients[i] = 0.0
                    passive[i] = False
            if not passive.any():
                trial = np.empty(0)
                chosen = np.empty(0, np.int64)
                break
        coefficients[:] = 0.0
        coefficients[chosen] = trial
        gradient[:] = product
        for j in range(len(chosen)):
            gradient -= gram[chosen[j]] * trial[j]
    return coefficients


@njit_unkept(nogil=True)
def _solve(gram: Floats, product: Floats, chosen: NDArray[np.int64], ridge: float) -> Floats:
    """Solve for the chosen coefficients alone, by Cholesky's factors."""
    n = len(chosen)
    factor = np.empty((n, n))
    solution = np.empty(n)
    for i in range(n):
        row = gram[chosen[i]]
        for j in range(i + 1):
            total = row[chosen[j]] + (ridge if i == j else 0.0)
            for k in range(j):
                total -= factor[i, k] * factor[j, k]
            if i == j:
                factor[i, i] = np.sqrt(max(total, ridge))
            else:
                factor[i, j] = total / factor[j, j]
        total = product[chosen[i]]
        for k in range(i):
            total -= factor[i, k] * solution[k]
        solution[i] = total / factor[i, i]
    for i in range(n - 1, -1, -1):
        total = solution[i]
        for k in range(i + 1, n):
            total -= factor[k, i] * solution[k]
        solution[i] = total / factor[i, i]
    return solution
