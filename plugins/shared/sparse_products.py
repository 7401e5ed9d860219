"""Products of a sparse matrix of cells and dense expression, a few genes at a time.

In single precision, and so few genes that what a cell adds up still lies in the cache.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import scipy.sparse as sp
from impbench_plugins.shared.compiled import njit
from numpy.typing import NDArray

Single = NDArray[np.float32]

GENES = 64


def multiply(operator: sp.csr_matrix, values: Single, times: int = 1, threads: int = 1) -> Single:
    """Multiply by `operator` from the left, some `times`; threads change no digit.

    Each sum runs in the order in which the operator's row is stored.

    Parameters
    ----------
    operator
        (cells, cells).
    values
        (cells, genes).
    """
    operator = sp.csr_matrix(operator)
    weights = operator.data.astype(np.float32)
    result = np.empty(values.shape, dtype=np.float32)

    def some_genes(first: int) -> None:
        genes = slice(first, first + GENES)
        block = np.zeros((len(values), GENES), dtype=np.float32)
        block[:, : values[:, genes].shape[1]] = values[:, genes]
        for _ in range(times):
            block = _product(operator.indptr, operator.indices, weights, block)
        result[:, genes] = block[:, : values[:, genes].shape[1]]

    with ThreadPoolExecutor(max(1, threads)) as pool:
        list(pool.map(some_genes, range(0, values.shape[1], GENES)))
    return result


def compile_multiply() -> None:
    """Compile, for `prepare`."""
    multiply(sp.identity(2, format="csr"), np.zeros((2, 1), np.float32))


@njit(nogil=True)
def _product(
    starts: NDArray[np.int32], columns: NDArray[np.int32], weights: Single, block: Single
) -> Single:
    result = np.zeros_like(block)
    for cell in range(len(starts) - 1):
        total = result[cell]
        for place in range(starts[cell], starts[cell + 1]):
            weight = weights[place]
            near = block[columns[place]]
            for gene in range(GENES):
                total[gene] += weight * near[gene]
    return result
