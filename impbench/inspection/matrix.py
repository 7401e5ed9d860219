"""One matrix of a file: its shape, how it lies, and what its values are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from impbench.inspection.logarithm import Normalised, recover
from impbench.inspection.stored import Stored, read_portion, storage
from impbench.inspection.values import ValueFacts, look_at


@dataclass(frozen=True)
class MatrixFacts:
    """Facts about a matrix, cells × genes."""

    name: str
    """As `--layer` takes it."""
    place: str
    """As messages call it."""
    n_cells: int
    n_genes: int
    stored: str
    """``dense``, ``sparse by cell`` or ``sparse by gene``, and the type of the values."""
    values: ValueFacts
    normalised: Normalised | None
    """How the values were made of counts, or None if they are counts, or nothing known."""
    complete: bool
    """All values were read."""


def look_at_matrix(stored: Stored) -> MatrixFacts:
    """Read as much of a matrix as needed, and take its facts; errors as `read_portion`."""
    part = read_portion(stored)
    values = look_at(part)
    could_be = not (values.whole or values.negative or values.missing) and part.whole_cells
    return MatrixFacts(
        name=stored.name,
        place=stored.place,
        n_cells=stored.n_cells,
        n_genes=stored.n_genes,
        stored=f"{storage(stored)}, {np.dtype(stored.dtype).name}",
        values=values,
        normalised=recover(part.values) if could_be else None,
        complete=part.complete,
    )
