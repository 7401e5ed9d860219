"""What the imputers in R share: genes × cells with names go there, and must come back so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from impbench import Context, Imputer, Observed
from impbench.errors import InputError
from impbench.external.r import RMatrix, RPackage, open_session, prepare_session


class WithPackageVersion:
    """A version that names the installed R package's, so that stored results go by it."""

    def __get__(self, instance: object, owner: type[ROriginal]) -> str:
        return f"1+{owner.package.name}-{owner.package.version() or 'missing'}"


@dataclass(frozen=True)
class ROriginal(Imputer):
    """Base of the originals: says what is missing, starts R ahead, calls it."""

    package: ClassVar[RPackage]
    version = WithPackageVersion()

    @classmethod
    def unavailable(cls) -> str | None:
        """Say that rpy2, R or the package is missing, and the line that installs it."""
        return cls.package.lack()

    def prepare(self, context: Context) -> None:
        """Start R and attach the package, which takes seconds."""
        prepare_session(context.scratch, self.package)

    def call(
        self, function: str, arguments: Mapping[str, Any], context: Context
    ) -> tuple[Any, dict[str, str]]:
        """Call `function` after ``set.seed``.

        Returns
        -------
        Its result, and the versions of R, rpy2 and the package.

        Raises
        ------
        InputError
            If there is no scratch folder.
        RError
            If R stops with an error, or its process ends.
        """
        context.progress(0, 1)
        with open_session(context.scratch, self.package) as r:
            result = r.call(
                function, arguments, seed=context.seed, on_wait=lambda: context.progress(0, 1)
            )
        context.progress(1, 1)
        return result, dict(r.versions)


@dataclass(frozen=True)
class CellsWithCounts:
    """The cells that have counts: the originals drop the others, or divide by their zero."""

    observed: Observed
    imputer: str

    @property
    def used(self) -> NDArray[np.bool_]:
        """Which cells they are, (cells,)."""
        return np.asarray(self.observed.dense_counts.any(axis=1))

    def to_r(self, values: NDArray[Any]) -> RMatrix:
        """Turn (cells, genes) into the genes × cells of R, as doubles and with names.

        Raises
        ------
        InputError
            If fewer than two cells have counts.
        """
        used = np.flatnonzero(self.used)
        if len(used) < 2:
            raise InputError(f"{self.imputer} needs at least 2 cells with counts, got {len(used)}")
        names = [self.observed.cell_names[cell] for cell in used]
        return RMatrix(values[used].T.astype(np.float64), self.observed.gene_names, names)

    def from_r(self, result: RMatrix, scale: ArrayLike = 1.0) -> NDArray[np.float32]:
        """Turn genes × cells into (cells, genes), zero where a cell has no counts.

        Parameters
        ----------
        result
            What R returned for `to_r`.
        scale
            Factor for each of the used cells.

        Raises
        ------
        InputError
            If genes or cells are not those that were given, in their order.
        """
        names = [self.observed.cell_names[cell] for cell in np.flatnonzero(self.used)]
        self._same("gene", result.values.shape[0], result.rows, self.observed.gene_names)
        self._same("cell", result.values.shape[1], result.columns, names)
        values = result.values.toarray() if hasattr(result.values, "toarray") else result.values
        imputed = np.zeros((self.observed.n_cells, self.observed.n_genes), dtype=np.float32)
        imputed[self.used] = values.T * np.reshape(scale, (-1, 1))
        return imputed

    def _same(self, what: str, n: int, found: Any, given: Any) -> None:
        if n != len(given):
            raise InputError(f"{self.imputer} was given {len(given)} {what}s and returned {n}")
        if found is not None and list(found) != list(given):
            raise InputError(f"{self.imputer} returned the {what}s under other names or reordered")
