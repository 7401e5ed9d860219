"""The parameters of the Splat model, with splatter's names and defaults, checked as a whole."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

from impbench.errors import InputError
from impbench.parameters import Parametrised, parameter


@dataclass(frozen=True)
class SplatParams(Parametrised):
    """Parameters of splatter's "groups" mode (Zappia et al., Genome Biology 18:174, 2017).

    Names are splatter's in snake case (``de.facLoc`` is ``de_fac_loc``), defaults those of
    splatter 1.22. With a single group nothing is differentially expressed and with a single batch
    there are no batch effects, as in splatter.

    Raises
    ------
    InputError
        At construction; names the parameter, its value and what is allowed.
    """

    name: ClassVar[str] = "splat"
    summary: ClassVar[str] = "Splat model of single-cell counts"

    n_genes: int = parameter(10_000, "Number of genes.", min=1)
    batch_cells: tuple[int, ...] = parameter((100,), "Number of cells of each batch.", min=1)
    mean_shape: float = parameter(0.6, "Shape of the gamma that gene means are drawn from.")
    mean_rate: float = parameter(0.3, "Rate of the gamma that gene means are drawn from.")
    lib_loc: float = parameter(
        11.0, "Mean of the log library sizes; of the sizes themselves with lib_norm."
    )
    lib_scale: float = parameter(
        0.2, "Sd of the log library sizes; of the sizes themselves with lib_norm.", min=0
    )
    lib_norm: bool = parameter(False, "Normal instead of log-normal library sizes.")
    out_prob: float = parameter(0.05, "Probability of a gene being an outlier.", min=0, max=1)
    out_fac_loc: float = parameter(4.0, "Mean of the log outlier factors.")
    out_fac_scale: float = parameter(0.5, "Sd of the log outlier factors.", min=0)
    group_prob: tuple[float, ...] = parameter(
        (1.0,), "Probability of each group for a cell.", min=0, max=1
    )
    de_prob: float | tuple[float, ...] = parameter(
        0.1, "Probability of a gene being differentially expressed in a group.", min=0, max=1
    )
    de_down_prob: float | tuple[float, ...] = parameter(
        0.5, "Probability of a differentially expressed gene being lower.", min=0, max=1
    )
    de_fac_loc: float | tuple[float, ...] = parameter(0.1, "Mean of the log DE factors.")
    de_fac_scale: float | tuple[float, ...] = parameter(0.4, "Sd of the log DE factors.", min=0)
    batch_fac_loc: float | tuple[float, ...] = parameter(0.1, "Mean of the log batch factors.")
    batch_fac_scale: float | tuple[float, ...] = parameter(
        0.1, "Sd of the log batch factors.", min=0
    )
    batch_rm_effect: bool = parameter(False, "Set every batch factor to 1, keep the labels.")
    bcv_common: float = parameter(
        0.1, "Biological coefficient of variation of a gene of infinite mean.", min=0
    )
    bcv_df: float = parameter(
        60.0, "Degrees of freedom of the BCV's scatter between genes; inf for none."
    )
    dropout_type: Literal["none", "experiment", "batch", "group", "cell"] = parameter(
        "none", "What shares one dropout curve."
    )
    dropout_mid: float | tuple[float, ...] = parameter(
        0.0, "Log mean at which half of the counts are lost; one, or one for each curve."
    )
    dropout_shape: float | tuple[float, ...] = parameter(
        -1.0, "Slope of the dropout curve; one, or one for each curve."
    )
    seed: int = parameter(1, "Seed of every random draw.", min=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, value in self.parameters().items():
            numbers = value if isinstance(value, tuple) else (value,)
            if name != "bcv_df" and any(
                isinstance(x, float) and not math.isfinite(x) for x in numbers
            ):
                raise InputError(f"splat: parameter {name}={value!r} must be finite")
        for name in ("mean_shape", "mean_rate", "bcv_df"):
            if not getattr(self, name) > 0:
                raise InputError(f"splat: parameter {name}={getattr(self, name)!r} must be above 0")
        if not self.batch_cells:
            raise InputError("splat: parameter batch_cells=() must hold one number for each batch")
        if not math.isclose(sum(self.group_prob), 1, abs_tol=1e-8):
            raise InputError(
                f"splat: parameter group_prob={self.group_prob!r} must sum to 1, "
                f"it sums to {sum(self.group_prob):g}"
            )
        for name in ("de_prob", "de_down_prob", "de_fac_loc", "de_fac_scale"):
            self.per_group(name)
        for name in ("batch_fac_loc", "batch_fac_scale"):
            self.per_batch(name)
        for name in ("dropout_mid", "dropout_shape"):
            self.per_dropout_unit(name)

    @property
    def n_cells(self) -> int:
        """Number of cells of all batches together."""
        return sum(self.batch_cells)

    @property
    def n_batches(self) -> int:
        """Number of batches."""
        return len(self.batch_cells)

    @property
    def n_groups(self) -> int:
        """Number of groups."""
        return len(self.group_prob)

    def per_group(self, name: str) -> tuple[float, ...]:
        """Return the parameter `name` with one value for each group."""
        return self._spread(name, self.n_groups, "group")

    def per_batch(self, name: str) -> tuple[float, ...]:
        """Return the parameter `name` with one value for each batch."""
        return self._spread(name, self.n_batches, "batch")

    def per_dropout_unit(self, name: str) -> tuple[float, ...]:
        """Return the parameter `name` with one value for each dropout curve."""
        curves = {"batch": self.n_batches, "group": self.n_groups, "cell": self.n_cells}
        unit = self.dropout_type if self.dropout_type in curves else "experiment"
        return self._spread(name, curves.get(unit, 1), unit)

    def _spread(self, name: str, n: int, unit: str) -> tuple[float, ...]:
        value: float | tuple[float, ...] = getattr(self, name)
        if not isinstance(value, tuple):
            return (value,) * n
        if len(value) != n:
            raise InputError(
                f"splat: parameter {name}={value!r} holds {len(value)} values; "
                f"give one number, or {n}, one per {unit}"
            )
        return value
