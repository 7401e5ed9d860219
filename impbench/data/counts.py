"""From the values a file holds to counts, or a plain statement of why they are none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from impbench.errors import InputError
from impbench.scale import Matrix

Scale = Literal["auto", "counts", "lognorm", "log1p"]
"""What values are: ``auto`` demands raw counts (non-negative integers); ``counts`` takes any
non-negative values as counts, such as estimated counts or normalised reads; ``lognorm`` is
log2(1 + x) and ``log1p`` is ln(1 + x), both turned back into x."""

HIGHEST_LOG = 40.0
"""No log2 of a normalised count comes near it (2⁴⁰ molecules)."""


_AT_ONCE = 2**18
"""Numbers looked at together: what a processor's cache holds."""


@dataclass(frozen=True)
class Values:
    """A matrix as found, with the names that an error needs."""

    matrix: Any
    """(cells, genes)."""
    where: str
    """What it is called in messages, such as ``X of my.h5ad``."""
    cells: Sequence[str]
    """Their names."""
    genes: Sequence[str]
    """Their names."""


def to_counts(values: Values, scale: Scale = "auto", advice: str = "") -> tuple[Matrix, bool]:
    """Return counts, and whether they are raw.

    Parameters
    ----------
    values
        (cells, genes) matrix of numbers, with its names.
    scale
        What the values are, see `Scale`.
    advice
        Said after the error when `scale` is ``auto`` and the values are not raw counts.

    Returns
    -------
    CSR float32 (or dense float32 if `values` are dense), and False where the values were no
    integers or were turned back from logs.

    Raises
    ------
    InputError
        If the values are not numbers, not finite, negative, all zero, or not on `scale`; names
        the first cell and gene.
    """
    matrix = _numbers(values)
    data = _stored(matrix)
    _refuse(values, matrix, np.isnan(data), "NaN", "a count is missing there; fill or drop it")
    _refuse(values, matrix, ~np.isfinite(data), "infinite", "correct or drop these cells")
    _refuse(
        values,
        matrix,
        data < 0,
        "negative",
        "centred or scaled values cannot be turned back into counts; choose the layer that holds "
        "the raw counts (--layer)",
    )
    if not np.any(data):
        raise InputError(f"{values.where} holds no counts: every value is 0; choose --layer")
    if scale in ("lognorm", "log1p"):
        return _unlogged(values, matrix, data, scale), False
    raw = are_integers(data)
    if scale == "auto" and not raw:
        raise InputError(f"{describe(values, matrix)}. {advice}".strip())
    return matrix.astype(np.float32), raw


def are_integers(data: NDArray[Any]) -> bool:
    """Whether every number is whole."""
    if data.dtype.kind in "iub":
        return True
    flat = data.ravel()
    blocks = (flat[at : at + _AT_ONCE] for at in range(0, flat.size, _AT_ONCE))
    return all(np.array_equal(block, np.rint(block)) for block in blocks)


def describe(values: Values, matrix: Any = None) -> str:
    """Say what values that are no raw counts look like: an example, their share, the maximum."""
    matrix = _numbers(values) if matrix is None else matrix
    stored = _stored(matrix)
    data = stored[stored != 0]
    broken = data != np.rint(data)
    cell, gene = _first(matrix, stored != np.rint(stored))
    example = float(matrix[cell, gene])
    sums = np.asarray(matrix.sum(axis=1), dtype=np.float64).ravel()
    constant = len(sums) > 1 and np.ptp(sums) < 1e-3 * abs(sums.mean())
    if data.max() < HIGHEST_LOG and not constant:
        guess = "this looks log-normalised"
    elif constant:
        guess = f"every cell sums to {sums.mean():.6g}: this looks normalised"
    else:
        guess = "this looks like normalised or estimated counts"
    return (
        f"{values.where} holds values such as {example:.7g} (cell {values.cells[cell]!r}, gene "
        f"{values.genes[gene]!r}), {broken.mean():.0%} of its non-zero values are no integers, "
        f"maximum {data.max():.7g}: {guess}, and impbench needs raw counts"
    )


def _numbers(values: Values) -> Any:
    sparse = sp.issparse(values.matrix)
    matrix: Any = sp.csr_matrix(values.matrix) if sparse else np.asarray(values.matrix)
    if matrix.dtype.kind not in "iufb":
        raise InputError(f"{values.where} holds {matrix.dtype} values; expected numbers")
    return matrix.astype(np.float32) if matrix.dtype.kind == "b" else matrix


def _refuse(values: Values, matrix: Any, bad: NDArray[np.bool_], kind: str, cure: str) -> None:
    if not bad.any():
        return
    number = int(bad.sum())
    cell, gene = _first(matrix, bad)
    plural = "value" if number == 1 else "values"
    raise InputError(
        f"{values.where} holds {number} {kind} {plural} (first at cell {values.cells[cell]!r}, "
        f"gene {values.genes[gene]!r}); {cure}"
    )


def _stored(matrix: Any) -> NDArray[Any]:
    """The stored values of a sparse matrix, or a dense one as it is."""
    return np.asarray(matrix.data if isinstance(matrix, sp.csr_matrix) else matrix)


def _first(matrix: Any, chosen: NDArray[np.bool_]) -> tuple[int, int]:
    """Cell and gene of the first chosen one among the stored values."""
    at = int(np.argmax(chosen.ravel()))
    if not isinstance(matrix, sp.csr_matrix):
        return at // matrix.shape[1], at % matrix.shape[1]
    cell = int(np.searchsorted(matrix.indptr, at, side="right")) - 1
    return cell, int(matrix.indices[at])


def _unlogged(values: Values, matrix: Any, data: NDArray[Any], scale: Scale) -> Any:
    unit, log = (np.log(2.0), "log2(1 + x)") if scale == "lognorm" else (1.0, "ln(1 + x)")
    highest = float(data.max())
    if highest * unit / np.log(2.0) > HIGHEST_LOG:
        raise InputError(
            f"{values.where} reaches {highest:.4g}, which is no {log}; leave out --scale {scale}"
        )
    back = matrix.astype(np.float64)
    if isinstance(back, sp.csr_matrix):
        back.data = np.expm1(back.data * unit)
    else:
        back = np.expm1(back * unit)
    return back.astype(np.float32)
