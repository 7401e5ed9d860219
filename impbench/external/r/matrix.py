"""A matrix as R has it: numbers with names for rows and columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from impbench.errors import InputError


@dataclass(frozen=True)
class RMatrix:
    """What a matrix in R becomes, and what becomes one.

    Attributes
    ----------
    values
        (rows, columns) NumPy array or SciPy sparse matrix of numbers or booleans.
    rows, columns
        Names, or None where R has none.

    Raises
    ------
    InputError
        If the number of names is not that of rows or columns.
    """

    values: Any
    rows: Sequence[str] | None = None
    columns: Sequence[str] | None = None

    def __post_init__(self) -> None:
        if self.values.ndim != 2:
            raise InputError(f"a matrix has 2 dimensions, these values have {self.values.ndim}")
        for what, names, n in zip(
            ("row", "column"), (self.rows, self.columns), self.values.shape, strict=True
        ):
            if names is not None and len(names) != n:
                raise InputError(f"{len(names)} {what} names for {n} {what}s")
