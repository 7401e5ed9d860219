"""The MaskClass paper's four simulated data sets: equal, unequal, rare and batch.

MaskClass section 2.2: 1100 genes, 10 % of them differentially expressed in each group, a dropout
curve for each group (for each batch in Sim-Batch) whose midpoint is uniform on [1, 5] and whose
shape is uniform on [-1.5, -0.5]; everything else at splatter's defaults. Genes seen in fewer than
three cells are dropped from both matrices after the simulation.

Sim-Batch has three batches that differ in dropout alone. The paper says that its observed counts
also carry batch effects on the means; in the data that the authors' construction gives, every
batch factor is 1 and each non-zero observed count equals the true one, because splatter's
``batch.rmEffect`` acts on both matrices. ``batch_effect=kept`` puts the factors into both.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from impbench import scale
from impbench.data.dataset import Dataset, Source
from impbench.data.splat import SplatParams, SplatSimulation, simulate_splat
from impbench.errors import InputError
from impbench.parameters import parameter

if TYPE_CHECKING:
    import pandas as pd

MIN_CELLS = 3
"""A gene seen in fewer cells is dropped (MaskClass section 2.2 and the authors' script)."""


@dataclass(frozen=True)
class Scenario(Source):
    """What the four scenarios share; each adds its groups, batches and place in the R stream."""

    citation: ClassVar[str] = (
        "Zappia, Phipson, Oshlack. Splatter: simulation of single-cell RNA sequencing data. "
        "Genome Biology 18:174, 2017. doi:10.1186/s13059-017-1305-0"
    )
    group_prob: ClassVar[tuple[float, ...]]
    n_batches: ClassVar[int] = 1
    first_draw: ClassVar[int]
    """How many numbers the authors' R session had drawn before this scenario's dropout."""

    n_cells: int = parameter(1000, "Number of cells, spread evenly over the batches.", min=3)
    n_genes: int = parameter(1100, "Number of genes before rarely seen ones are dropped.", min=1)
    seed: int = parameter(
        42, "Seed of the simulation and its dropout curves.", min=0, max=2**63 - 1
    )
    dropout_mid: float | tuple[float, ...] | None = parameter(
        None, "Log mean at which half of the counts are lost; none: uniform on [1, 5]."
    )
    dropout_shape: float | tuple[float, ...] | None = parameter(
        None, "Slope of the dropout curve; none: uniform on [-1.5, -0.5]."
    )

    def splat_params(self) -> SplatParams:
        """Return the parameters of the simulation, dropout curves included."""
        n_curves = self.n_batches if self.n_batches > 1 else len(self.group_prob)
        drawn = _r_uniforms(self.seed, self.first_draw + 2 * n_curves)[self.first_draw :]
        mid, shape = 1 + 4 * drawn[:n_curves], drawn[n_curves:] - 1.5
        return SplatParams(
            n_genes=self.n_genes,
            batch_cells=_spread_evenly(self.n_cells, self.n_batches),
            group_prob=self.group_prob,
            de_prob=0.1,
            dropout_type="batch" if self.n_batches > 1 else "group",
            dropout_mid=tuple(mid.tolist()) if self.dropout_mid is None else self.dropout_mid,
            dropout_shape=(
                tuple(shape.tolist()) if self.dropout_shape is None else self.dropout_shape
            ),
            seed=self.seed,
        )

    def simulate(self) -> SplatSimulation:
        """Return the simulation without its rarely seen genes.

        Raises
        ------
        InputError
            If no gene is seen in three cells.
        """
        simulation = simulate_splat(self.splat_params(), min_cells=MIN_CELLS)
        if not len(simulation.genes):
            raise InputError(
                f"{self.spec}: no gene is seen in {MIN_CELLS} of {self.n_cells} cells; "
                "raise n_cells or n_genes, or lower dropout_mid"
            )
        return simulation

    def load(self) -> Dataset:
        """Return the simulated data set; `genes` holds its means, DE and batch factors.

        Errors as `simulate`.
        """
        simulation = self.simulate()
        genes = gene_table(simulation)
        return Dataset(
            name=self.spec,
            counts=simulation.counts,
            gene_names=tuple(genes.index),
            cell_names=tuple(numbered("Cell", range(self.n_cells))),
            library_size=scale.library_sizes(simulation.counts),
            labels=numbered("Group", simulation.groups),
            batch=numbered("Batch", simulation.batches) if self.n_batches > 1 else None,
            true_counts=simulation.true_counts,
            genes=genes,
            steps=(
                f"{self.n_cells} cells and {self.n_genes} genes simulated with the Splat model",
                f"{self.n_genes - len(genes)} genes seen in fewer than {MIN_CELLS} cells dropped",
            ),
            facts=self.facts(simulation),
        )

    def facts(self, simulation: SplatSimulation) -> dict[str, Any]:
        """Return what `simulation` was made from, JSON-ready."""
        return {
            "source": "simulated: Splat model, groups mode",
            "citation": self.citation,
            "labels": "exact: the group each cell was drawn from",
            "n_genes_simulated": self.n_genes,
            "seed": self.seed,
            "dropout_type": simulation.params.dropout_type,
            "dropout_mid": simulation.dropout_mid.tolist(),
            "dropout_shape": simulation.dropout_shape.tolist(),
        }


@dataclass(frozen=True)
class SimEqual(Scenario):
    """Two cell types of the same size."""

    name: ClassVar[str] = "sim_equal"
    summary: ClassVar[str] = "Splat: two cell types, 50 and 50 %; dropout by cell type"
    group_prob: ClassVar[tuple[float, ...]] = (0.5, 0.5)
    first_draw: ClassVar[int] = 2


@dataclass(frozen=True)
class SimUnequal(Scenario):
    """Three cell types of different sizes."""

    name: ClassVar[str] = "sim_unequal"
    summary: ClassVar[str] = "Splat: three cell types, 60, 30 and 10 %; dropout by cell type"
    group_prob: ClassVar[tuple[float, ...]] = (0.6, 0.3, 0.1)
    first_draw: ClassVar[int] = 6


@dataclass(frozen=True)
class SimRare(Scenario):
    """Four cell types, one of them rare."""

    name: ClassVar[str] = "sim_rare"
    summary: ClassVar[str] = "Splat: four cell types, 50, 25, 20 and 5 %; dropout by cell type"
    group_prob: ClassVar[tuple[float, ...]] = (0.5, 0.25, 0.2, 0.05)
    first_draw: ClassVar[int] = 18


@dataclass(frozen=True)
class SimBatch(Scenario):
    """Three cell types in three batches that lose different counts."""

    name: ClassVar[str] = "sim_batch"
    summary: ClassVar[str] = (
        "Splat: three cell types, 40, 30 and 30 %, in three batches; dropout by batch"
    )
    group_prob: ClassVar[tuple[float, ...]] = (0.4, 0.3, 0.3)
    n_batches: ClassVar[int] = 3
    first_draw: ClassVar[int] = 12

    batch_effect: Literal["removed", "kept"] = parameter(
        "removed", "Whether batches differ in dropout alone or in gene means too."
    )

    def splat_params(self) -> SplatParams:
        """Return the parameters of the simulation, dropout curves included."""
        return replace(super().splat_params(), batch_rm_effect=self.batch_effect == "removed")


def gene_table(simulation: SplatSimulation) -> pd.DataFrame:
    """Return the truth about each gene, one row each, named Gene1, Gene2, … as simulated.

    Columns: ``base_gene_mean``, ``outlier_factor``, ``gene_mean``, ``de_factor_Group1``, … (1 where
    the gene is not differentially expressed in the group) and, with several batches,
    ``batch_factor_Batch1``, ….
    """
    import pandas as pd

    columns = {
        "base_gene_mean": simulation.base_gene_means,
        "outlier_factor": simulation.outlier_factors,
        "gene_mean": simulation.gene_means,
    }
    for group, factors in enumerate(simulation.de_factors, start=1):
        columns[f"de_factor_Group{group}"] = factors
    if simulation.params.n_batches > 1:
        for batch, factors in enumerate(simulation.batch_factors, start=1):
            columns[f"batch_factor_Batch{batch}"] = factors
    return pd.DataFrame(columns, index=numbered("Gene", simulation.genes))


def numbered(word: str, indices: Iterable[int]) -> NDArray[np.str_]:
    """Return names such as Cell1, Cell2, … of indices that start at 0, (indices,)."""
    return np.array([f"{word}{index + 1}" for index in indices], dtype=np.str_)


def _spread_evenly(n_cells: int, n_batches: int) -> tuple[int, ...]:
    """Split cells over batches; the first ones take the remainder."""
    each, rest = divmod(n_cells, n_batches)
    return tuple(each + (batch < rest) for batch in range(n_batches))


def _r_uniforms(seed: int, n: int) -> NDArray[np.float64]:
    """Return what R's ``set.seed(seed); runif(n)`` gives.

    The authors drew the dropout curves of all four scenarios one after the other from one R
    session (equal, unequal, batch, rare, after two other draws), so a scenario with their seed has
    their curves. R fills the state of the Mersenne Twister from a linear congruential generator,
    whose first 50 numbers and one more it throws away, and scales 32-bit integers.
    """
    state = np.empty(50 + 1 + 624, dtype=np.uint32)
    for i in range(len(state)):
        seed = (69069 * seed + 1) % 2**32
        state[i] = seed
    twister = np.random.MT19937()
    twister.state = {"bit_generator": "MT19937", "state": {"key": state[51:], "pos": 624}}
    return np.asarray(twister.random_raw(n) * 2.3283064365386963e-10)
