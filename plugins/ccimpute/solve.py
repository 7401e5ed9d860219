"""The values of the dropouts of one gene, solved jointly: (I − W_dd) v = W_d: x.

W holds the consensus weights, d the gene's dropouts, x its values. W is not symmetric, since each
cell's weights add up to 1, but the original program solves as if it were and reads only the lower
triangle of W_dd: for two dropouts i > j the weight of i on j serves in both directions. ccImpute
1.8.0 holds the weights the other way round, so the weight of j on i serves (`transposed`).
`as_original` says whether to do the same (its results then equal the original's, and depend on the
order of the cells) or to solve the equations as the paper writes them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from impbench_plugins.shared.compiled import njit, njit_unkept
from numpy.typing import NDArray
from scipy.linalg import solve
from scipy.sparse.linalg import LinearOperator, gmres, minres

from .consensus import Consensus, Floats
from .draws import drawn_dropouts

DENSE = 400
"""Up to this many dropouts of a gene are solved for directly, more by iteration."""


def fill_dropouts(
    consensus: Consensus,
    expression: NDArray[Any],
    as_original: bool = True,
    transposed: bool = False,
) -> tuple[Floats, int]:
    """Replace the dropouts in some genes; every other entry stays.

    Parameters
    ----------
    expression
        (cells, genes) logged values, not negative.
    as_original, transposed
        See above and `find_dropouts`.

    Returns
    -------
    (cells, genes) float64, and how many entries were replaced.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the system of a gene is singular, which only `as_original` can make it.
    ArithmeticError
        If the iteration for a gene with many dropouts does not converge.
    """
    is_dropout = find_dropouts(consensus, expression > 0, as_original)
    # Right-hand sides W x: observed values only, since dropouts are 0.
    totals = np.maximum(consensus.totals, 1.0)
    right = (consensus.agreement @ consensus.sums(expression)) / totals[:, None]
    filled = expression.astype(np.float64)
    for gene in np.flatnonzero(is_dropout.any(axis=0)):
        cells = np.flatnonzero(is_dropout[:, gene])
        if transposed:
            # The other triangle is the lower one of the cells in reverse.
            cells = cells[::-1]
        profile = consensus.profile[cells]
        solver = _solve_dense if len(cells) <= DENSE else _solve_iteratively
        filled[cells, gene] = solver(consensus, totals, profile, right[profile, gene], as_original)
    return filled, int(is_dropout.sum())


def find_dropouts(
    consensus: Consensus, expressed: NDArray[np.bool_], as_original: bool
) -> NDArray[np.bool_]:
    """Return which zeros are dropouts, (cells, genes) like `expressed`.

    Those with a vote above 0; of the drawn ones those that rounding lifts above it
    (`drawn_dropouts`) if `as_original`, else none.
    """
    votes = consensus.votes(expressed)
    is_dropout = (votes > 0)[consensus.profile] & ~expressed
    if as_original:
        drawn = (votes == 0)[consensus.profile] & ~expressed
        is_dropout |= drawn_dropouts(consensus, expressed, drawn)
    return is_dropout


def compile_products() -> None:
    """Compile what only genes with many dropouts use."""
    one = np.ones(1)
    labels = np.zeros((2, 1), dtype=np.int64)
    consensus = Consensus.from_labels(labels, 0.5)
    _solve_iteratively(consensus, one, labels[:1, 0], one, mirrored=True)


def _solve_dense(
    consensus: Consensus,
    totals: Floats,
    profile: NDArray[np.int64],
    right: Floats,
    mirrored: bool,
) -> Floats:
    involved, local = np.unique(profile, return_inverse=True)
    agreement = consensus.agreement[involved][:, involved].toarray()
    matrix = (-agreement / totals[involved][:, None])[local][:, local]
    np.fill_diagonal(matrix, 1.0)
    assume = "sym" if mirrored else "gen"
    return np.asarray(solve(matrix, right, assume_a=assume, lower=True, check_finite=False))


def _solve_iteratively(
    consensus: Consensus,
    totals: Floats,
    profile: NDArray[np.int64],
    right: Floats,
    mirrored: bool,
) -> Floats:
    involved, local = np.unique(profile, return_inverse=True)
    agreement = consensus.agreement[involved][:, involved]
    arrays = (agreement.indptr, agreement.indices, agreement.data)
    totals = totals[involved]

    def product(values: Floats) -> Floats:
        return _times_system(*arrays, totals, local, np.ravel(values), mirrored)

    n = len(profile)
    system = LinearOperator((n, n), matvec=product, dtype=np.float64)
    if mirrored:
        values, failed = minres(system, right, rtol=1e-11, maxiter=5 * n)
    else:
        values, failed = gmres(system, right, rtol=1e-11, maxiter=n)
    error = np.linalg.norm(product(values) - right)
    if failed or not error <= 1e-6 * np.linalg.norm(right):
        raise ArithmeticError(f"{n} dropouts could not be solved for: residual {error:.2g}")
    return np.asarray(values)


@njit(nogil=True)
def _times_system(
    pointers: NDArray[np.int32],
    indices: NDArray[np.int32],
    data: Floats,
    totals: Floats,
    profile: NDArray[np.int64],
    values: Floats,
    mirrored: bool,
) -> Floats:
    """Return (I − W_dd) @ `values` with running sums per profile, W_dd never formed."""
    n = profile.shape[0]
    result = values.copy()
    before = np.zeros(totals.shape[0])
    for i in range(n):
        p = profile[i]
        row = slice(pointers[p], pointers[p + 1])
        result[i] -= _weighted_sum(data[row], indices[row], before) / totals[p]
        before[p] += values[i]
    after = np.zeros(totals.shape[0])
    for i in range(n - 1, -1, -1):
        p = profile[i]
        scale = 1.0 if mirrored else 1.0 / totals[p]
        row = slice(pointers[p], pointers[p + 1])
        result[i] -= _weighted_sum(data[row], indices[row], after) * scale
        after[p] += values[i] / totals[p] if mirrored else values[i]
    return result


@njit_unkept(nogil=True, fastmath=True)
def _weighted_sum(weights: Floats, places: NDArray[np.int32], values: Floats) -> float:
    total = 0.0
    for entry in range(weights.shape[0]):
        total += weights[entry] * values[places[entry]]
    return total
