"""What the values of a matrix look like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from impbench.data.counts import are_integers
from impbench.inspection.stored import Portion
from impbench.scale import library_sizes


@dataclass(frozen=True)
class ValueFacts:
    """Facts about the values that were read."""

    whole: bool
    """All are whole numbers."""
    negative: bool
    """Some are negative."""
    missing: bool
    """Some are NaN or infinite."""
    smallest: float
    """Of the finite values."""
    largest: float
    """Of the finite values."""
    zeros: float
    """Share of zeros."""
    library_sizes: tuple[float, float, float] | None
    """Smallest, median and largest total of a cell, or None where no whole cell was read."""
    empty_cells: int | None
    """Cells without any value, likewise."""
    n_cells: int | None
    """Number of cells that were read, or None."""

    @property
    def are_counts(self) -> bool:
        """Whether they can be raw counts."""
        return self.whole and not self.negative and not self.missing and self.largest > 0


def look_at(portion: Portion) -> ValueFacts:
    """Take the facts of what was read."""
    values = portion.values
    data = values.data
    finite = data[np.isfinite(data)]
    n_cells, n_genes = values.shape
    stored_zeros = n_cells * n_genes > len(data)
    low = float(finite.min()) if len(finite) else 0.0
    high = float(finite.max()) if len(finite) else 0.0
    # Of CSC, SciPy takes the same sums.
    sizes = library_sizes(values) if portion.whole_cells else None  # type: ignore[arg-type]
    return ValueFacts(
        whole=len(finite) == len(data) and are_integers(data),
        negative=low < 0,
        missing=len(finite) < len(data),
        smallest=min(low, 0.0) if stored_zeros else low,
        largest=max(high, 0.0) if stored_zeros else high,
        zeros=portion.zeros,
        library_sizes=None
        if sizes is None or not len(sizes)
        else (float(sizes.min()), float(np.median(sizes)), float(sizes.max())),
        empty_cells=None if sizes is None else int((values.getnnz(axis=1) == 0).sum()),
        n_cells=n_cells if portion.whole_cells else None,
    )
