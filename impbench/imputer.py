"""The contract between impbench and an imputation method.

A method sees an `Observed`, gets its seed and resources from a `Context`, and returns an
`Imputed`. Labels and truth are nowhere in here. This file needs NumPy and SciPy only, because it
also runs in environments that hold nothing else.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import scipy.sparse as sp

from impbench import large, scale
from impbench.context import Context
from impbench.errors import InputError, NoExpressionError
from impbench.parameters import Parametrised
from impbench.scale import Matrix

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Scale = Literal["counts", "lognorm"]

Part = Literal["expression", "embedding", "std"]
"""What a method may give: `Imputed` has a field for each."""

Role = Literal["", "nothing", "formula"]
"""``nothing``: leaves the data alone, so that its score is a skill of 0. ``formula``: computes
without training, so that what trains should beat it; its time, the same arithmetic for every seed,
is the unit in which `impbench check` counts the others'."""


@dataclass(frozen=True)
class Observed:
    """What an imputer is given. Build it with `from_counts`.

    Attributes
    ----------
    counts
        (cells, genes), CSR or dense, non-negative and finite; integers unless the data set only
        exists as normalised values.
    size_factors
        (cells,) float64, positive.
    gene_names, cell_names
        Tuples of strings, unique.
    batch
        (cells,) batch names, or None.
    n_groups
        Number of cell groups to assume, or None; several published methods need it.
    """

    counts: Matrix
    size_factors: NDArray[np.float64]
    gene_names: tuple[str, ...]
    cell_names: tuple[str, ...]
    batch: NDArray[np.str_] | None = None
    n_groups: int | None = None

    @classmethod
    def from_counts(
        cls,
        counts: Matrix | ArrayLike,
        size_factors: ArrayLike | None = None,
        gene_names: Sequence[str] | None = None,
        cell_names: Sequence[str] | None = None,
        batch: Sequence[str] | None = None,
        n_groups: int | None = None,
    ) -> Observed:
        """Check the arrays and fill in what is not given.

        Parameters
        ----------
        counts
            (cells, genes), dense or sparse, non-negative and finite.
        size_factors
            (cells,), positive; None means library size / median library size.
        gene_names, cell_names, batch, n_groups
            As in the class; names default to ``gene_1``, ``cell_1``, and so on.

        Raises
        ------
        InputError
            If a value is negative or not finite, or a length does not match.
        """
        matrix: Matrix = sp.csr_matrix(counts) if sp.issparse(counts) else np.asarray(counts)
        if matrix.ndim != 2:
            raise InputError(f"counts must be cells × genes; got {matrix.ndim} dimension(s)")
        _check_values(matrix.data if sp.issparse(matrix) else matrix)
        n_cells, n_genes = matrix.shape
        if size_factors is None:
            factors = scale.size_factors(scale.library_sizes(matrix))
        else:
            factors = np.asarray(size_factors, dtype=np.float64)
        if factors.shape != (n_cells,) or not (np.isfinite(factors) & (factors > 0)).all():
            raise InputError(
                f"size_factors must be {n_cells} positive finite numbers, one per cell"
            )
        return cls(
            counts=matrix,
            size_factors=factors,
            gene_names=_names(gene_names, n_genes, "gene"),
            cell_names=_names(cell_names, n_cells, "cell"),
            batch=None if batch is None else _batch(batch, n_cells),
            n_groups=n_groups,
        )

    def of_cells(self, cells: NDArray[np.intp]) -> Observed:
        """Return some of the cells, everything about them as it was.

        Parameters
        ----------
        cells
            Their places. They keep the size factors that they have among all.
        """
        return Observed.from_counts(
            self.counts[cells],
            size_factors=self.size_factors[cells],
            gene_names=self.gene_names,
            cell_names=[self.cell_names[cell] for cell in cells],
            batch=None if self.batch is None else list(self.batch[cells]),
            n_groups=self.n_groups,
        )

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return int(self.counts.shape[0])

    @property
    def n_genes(self) -> int:
        """Number of genes."""
        return int(self.counts.shape[1])

    @cached_property
    def dense_counts(self) -> NDArray[Any]:
        """Counts as a dense array, (cells, genes); do not modify."""
        return self.counts.toarray() if sp.issparse(self.counts) else np.asarray(self.counts)

    @cached_property
    def lognorm(self) -> NDArray[np.float32]:
        """log2(1 + counts / size factor), (cells, genes) float32; do not modify."""
        return scale.lognorm(self.counts, self.size_factors)


@dataclass(frozen=True)
class Imputed:
    """What an imputer returns: the parts that its class says it `gives`.

    Attributes
    ----------
    expression
        (cells, genes) on the scale that `scale` names; None of a method that gives only an
        embedding.
    scale
        ``"counts"``: expected counts in the cell's own library size; ``"lognorm"``: log2(1 + count
        / size factor). None without an expression.
    std
        Standard deviation of each entry, same shape and scale, or None.
    embedding
        (cells, dimensions) coordinates the method offers for the cells, or None.
    info
        Small JSON-ready facts about the fit. ``"build_bound": True`` says that the seed gives this
        result on the same build of its libraries and the same kind of processor alone; baselines
        leave such a method out.
    """

    expression: NDArray[Any] | None = None
    scale: Scale | None = None
    std: NDArray[Any] | None = None
    embedding: NDArray[Any] | None = None
    info: dict[str, Any] = field(default_factory=dict)

    def lognorm(self, observed: Observed) -> NDArray[np.float32]:
        """Return the imputation as log2(1 + count / size factor), (cells, genes) float32.

        Count-scale values are clipped at 0, divided by the observed size factors, then logged.

        Raises
        ------
        NoExpressionError
            If there is none.
        """
        values = self.values
        if self.scale == "lognorm":
            return np.asarray(values, dtype=np.float32)
        return scale.lognorm(values, observed.size_factors)

    def counts(self, observed: Observed) -> NDArray[np.float32]:
        """Return the imputation as expected counts, (cells, genes) float32, never negative.

        Errors as `lognorm`.
        """
        return self._counts(self.values, observed.size_factors)

    def _counts(self, values: NDArray[Any], factors: NDArray[np.float64]) -> NDArray[np.float32]:
        if self.scale == "counts":
            counts = large.like(values, np.float32)
            for cells in large.some_rows(counts, values):
                np.maximum(np.asarray(values[cells], dtype=np.float32), 0, out=counts[cells])
            return counts
        return scale.counts_from_lognorm(values, factors)

    def counts_at(
        self, observed: Observed, cells: NDArray[np.integer], genes: NDArray[np.integer]
    ) -> NDArray[np.float32]:
        """Return `counts` of the entries at ``(cells[i], genes[i])`` alone, (entries,) float32."""
        values = self.values[cells, genes][:, None]
        return self._counts(values, observed.size_factors[cells])[:, 0]

    @property
    def values(self) -> NDArray[Any]:
        """The expression on the scale it has; `NoExpressionError` if there is none."""
        if self.expression is None:
            raise NoExpressionError("this method gives only an embedding, no expression")
        return self.expression

    def must_hold(self, gives: Sequence[str]) -> None:
        """Raise `InputError` unless every part is there that the method's class says it `gives`."""
        for part in gives:
            if getattr(self, part, None) is None:
                raise InputError(
                    f"the method declares that it gives {part}, and returned none: return it, or "
                    "leave it out of the class attribute gives"
                )

    def check(self, observed: Observed) -> None:
        """Raise `InputError` unless shapes, scale and values are what the contract promises."""
        shape = (observed.n_cells, observed.n_genes)
        if self.expression is None and self.embedding is None:
            raise InputError("there is neither an expression nor an embedding")
        if self.expression is None and self.std is not None:
            raise InputError("there is a std, but no expression that it belongs to")
        if self.expression is not None and self.scale not in ("counts", "lognorm"):
            raise InputError(f"scale {self.scale!r} is neither 'counts' nor 'lognorm'")
        for what, array in (("expression", self.expression), ("std", self.std)):
            if array is None:
                continue
            if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
                raise InputError(f"{what} must be a dense numeric array, got {_kind(array)}")
            if array.shape != shape:
                raise InputError(f"{what} has shape {array.shape}, expected {shape}")
            _check_finite(what, array, observed)
        if self.std is not None and (self.std < 0).any():
            raise InputError("std holds negative values; a standard deviation is at least 0")
        if self.embedding is not None:
            numeric = isinstance(self.embedding, np.ndarray) and self.embedding.dtype.kind in "fiu"
            if not numeric or self.embedding.ndim != 2 or len(self.embedding) != observed.n_cells:
                raise InputError(
                    f"embedding must be a numeric array, ({observed.n_cells}, dimensions)"
                )
            if not np.isfinite(self.embedding).all():
                raise InputError("embedding holds values that are NaN or infinite")


@dataclass(frozen=True)
class Imputer(Parametrised):
    """A method that fills in or denoises expression values. Subclass it as a frozen dataclass.

    The parameters are the dataclass fields (see `impbench.parameters.parameter`), all with
    defaults. The class attributes below describe the method.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    citation: ClassVar[str] = ""
    version: ClassVar[str] = "1"
    """Change it whenever results change: stored results of other versions are not reused."""
    input_scale: ClassVar[Scale] = "counts"
    gives: ClassVar[tuple[Part, ...]] = ("expression",)
    """What every answer holds. A method that gives no expression, only an embedding, is asked what
    an embedding can answer, and nothing else."""
    stochastic: ClassVar[bool] = False
    devices: ClassVar[tuple[str, ...]] = ("cpu",)
    keeps_observed: ClassVar[bool] = False
    """Whether non-zero observed values come back unchanged (with default parameters)."""
    is_control: ClassVar[bool] = False
    """Controls stand beside every benchmark to show what a score is worth; impbench's own only."""
    role: ClassVar[Role] = ""
    """What one control alone is for (see `Role`); impbench's own only."""
    control_specs: ClassVar[tuple[str, ...]] = ()
    """Specs under which a control runs besides; empty: with its defaults. impbench's own only."""
    packages: ClassVar[tuple[str, ...]] = ()
    """Names of the distributions (``torch``, ``scikit-learn``) whose versions determine the result,
    besides NumPy and SciPy; records and manifests tell their versions."""
    requires: ClassVar[tuple[str, ...]] = ()
    """Python packages, as pip specifiers; they give the method an environment of its own."""
    requires_python: ClassVar[str] = ""
    """Versions of Python, such as ``>=3.8,<3.9``, where the method needs another than ours."""
    lockfile: ClassVar[str] = ""
    """File of the exact versions that the environment gets, relative to the module's own file;
    ``impbench env lock`` writes it, as constraints for ``pip install -c``."""

    @classmethod
    def unavailable(cls) -> str | None:
        """Say what the method lacks on this machine, and the one line that installs it.

        None means it can run. ``impbench list`` asks every method, so look, but import nothing.
        """
        return None

    @abstractmethod
    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Impute; timed, from when the data are handed over until the answer is written.

        `observed` must not be modified.
        """

    def prepare(self, context: Context) -> None:
        """Import and compile what `impute` needs; optional and not timed. There are no data yet.

        For impbench's own methods on Linux the process is then forked for each seed and dataset, so
        that this is done once, unless threads or processes are left running. Others start anew for
        every job; see docs/isolation.md.
        """

    def impute_many(self, observed: Observed, contexts: Sequence[Context]) -> list[Imputed]:
        """Impute once per context; override it where several seeds at once are cheaper."""
        return [self.impute(observed, context) for context in contexts]


def _check_values(values: NDArray[Any]) -> None:
    if values.dtype.kind not in "fiub":
        raise InputError(f"counts must be numbers, got dtype {values.dtype}")
    for rows in large.some_rows(values):
        if not np.isfinite(values[rows]).all():
            raise InputError("counts hold NaN or infinite values; impbench needs finite raw counts")
        if values[rows].min(initial=0) < 0:
            raise InputError("counts hold negative values; impbench needs raw counts")


def _check_finite(what: str, array: NDArray[Any], observed: Observed) -> None:
    """Raise `InputError` where a value is NaN or, in single precision, infinite to a metric."""
    first, bad = None, 0
    for rows in large.some_rows(array):
        with np.errstate(over="ignore"):
            wrong = ~np.isfinite(np.asarray(array[rows], dtype=np.float32))
        bad += int(np.count_nonzero(wrong))
        if first is None and bad:
            cell, gene = np.argwhere(wrong)[0]
            first = rows.start + cell, gene
    if first is not None:
        cell, gene = first
        raise InputError(
            f"{what} holds {bad} values that are NaN or infinite, first at cell {cell} "
            f"({observed.cell_names[cell]}), gene {gene} ({observed.gene_names[gene]})"
        )


def _names(names: Sequence[str] | None, n: int, what: str) -> tuple[str, ...]:
    if names is None:
        return tuple(f"{what}_{i + 1}" for i in range(n))
    result = tuple(str(name) for name in names)
    if len(result) != n:
        raise InputError(f"{len(result)} {what} names for {n} {what}s")
    if len(set(result)) != n:
        twice = Counter(result).most_common(1)[0][0]
        raise InputError(f"{what} name {twice!r} stands more than once; names must be unique")
    return result


def _batch(batch: Sequence[str], n_cells: int) -> NDArray[np.str_]:
    result = np.asarray(batch, dtype=np.str_)
    if result.shape != (n_cells,):
        raise InputError(f"batch has shape {result.shape}, expected ({n_cells},)")
    return result


def _kind(value: object) -> str:
    return f"{value.dtype} array" if isinstance(value, np.ndarray) else type(value).__name__
