"""The MaskClass paper's scenarios simulated by splatter itself, in R."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from impbench import parameter, scale
from impbench.data.dataset import Dataset, Source
from impbench.data.genes import expressed_in
from impbench.data.scenarios import MIN_CELLS
from impbench.data.simulate import SCENARIOS
from impbench.data.splat_params import SplatParams
from impbench.errors import InputError
from impbench.external.r import RError, RMatrix, RPackage, RSession

if TYPE_CHECKING:
    import pandas as pd

PACKAGE = RPackage("splatter", "Bioconductor")

_SPLATTER = """
function(parameters) {
  params <- splatter::setParams(splatter::newSplatParams(), update = parameters)
  sim <- splatter::splatSimulate(params, method = "groups", verbose = FALSE)
  cells <- SummarizedExperiment::colData(sim)
  list(
    counts = SummarizedExperiment::assay(sim, "counts"),
    true_counts = SummarizedExperiment::assay(sim, "TrueCounts"),
    groups = as.character(cells$Group),
    batches = as.character(cells$Batch),
    genes = as.data.frame(SummarizedExperiment::rowData(sim))
  )
}
"""


@dataclass(frozen=True)
class Splatter(Source):
    """`splatter::splatSimulate` with the parameters of our own scenario of the same name.

    Nothing is cached: the same parameters and version of splatter give the same data.
    """

    name: ClassVar[str] = "splatter"
    summary: ClassVar[str] = "The paper's four scenarios simulated by splatter in R"

    scenario: Literal["equal", "unequal", "rare", "batch"] = parameter(
        "equal", "Which of sim_equal, sim_unequal, sim_rare and sim_batch."
    )
    n_cells: int = parameter(1000, "Number of cells, spread evenly over the batches.", min=3)
    n_genes: int = parameter(1100, "Number of genes before rarely seen ones are dropped.", min=1)
    seed: int = parameter(
        42, "Seed of the simulation and its dropout curves.", min=0, max=2**31 - 1
    )
    dropout_mid: float | tuple[float, ...] | None = parameter(
        None, "Log mean at which half of the counts are lost; none: uniform on [1, 5]."
    )
    dropout_shape: float | tuple[float, ...] | None = parameter(
        None, "Slope of the dropout curve; none: uniform on [-1.5, -0.5]."
    )

    def load(self) -> Dataset:
        """Return the simulated data set; `genes` holds its means, DE and batch factors.

        Raises
        ------
        UnavailableError
            If rpy2, R or splatter is missing; says what installs it.
        InputError
            If a parameter does not fit, R stops, or no gene is seen in three cells.
        """
        params = self.splat_params()
        try:
            with (
                tempfile.TemporaryDirectory(prefix="impbench-") as folder,
                RSession(Path(folder), PACKAGE) as r,
            ):
                drawn = r.call(_SPLATTER, {"parameters": splatter_names(params)})
                versions = dict(r.versions)
        except (RError, MemoryError) as error:
            raise InputError(f"{self.spec}: splatter failed: {error}") from error
        counts, true_counts = (_cells_by_genes(drawn[name]) for name in ("counts", "true_counts"))
        seen = np.flatnonzero(expressed_in(counts) >= MIN_CELLS)
        if not len(seen):
            raise InputError(
                f"{self.spec}: no gene is seen in {MIN_CELLS} of {self.n_cells} cells; "
                "raise n_cells or n_genes, or lower dropout_mid"
            )
        genes = _gene_table(drawn["genes"], params).iloc[seen]
        counts, true_counts = counts[:, seen], true_counts[:, seen]
        return Dataset(
            name=self.spec,
            counts=counts,
            gene_names=tuple(genes.index),
            cell_names=tuple(drawn["counts"].columns),
            library_size=scale.library_sizes(counts),
            labels=drawn["groups"],
            batch=drawn["batches"] if params.n_batches > 1 else None,
            true_counts=true_counts,
            genes=genes,
            steps=(
                f"{self.n_cells} cells and {self.n_genes} genes simulated by splatter in R",
                f"{self.n_genes - len(genes)} genes seen in fewer than {MIN_CELLS} cells dropped",
            ),
            facts={
                "source": f"simulated: splatter {versions['splatter']}, groups mode",
                "citation": SCENARIOS["sim_equal"].citation,
                "labels": "exact: the group each cell was drawn from",
                "n_genes_simulated": self.n_genes,
                "seed": self.seed,
                "dropout_type": params.dropout_type,
                "dropout_mid": list(params.per_dropout_unit("dropout_mid")),
                "dropout_shape": list(params.per_dropout_unit("dropout_shape")),
                "versions": versions,
            },
        )

    def splat_params(self) -> SplatParams:
        """Return the parameters of the simulation, dropout curves included."""
        given = self.parameters()
        scenario = SCENARIOS[f"sim_{given.pop('scenario')}"]
        return scenario(**given).splat_params()


def splatter_names(params: SplatParams) -> dict[str, Any]:
    """Return every parameter under splatter's own name: ``de_fac_loc`` is ``de.facLoc``."""
    return {
        _SPELLED.get(name) or _dotted(name): value for name, value in params.parameters().items()
    }


_SPELLED = {"n_genes": "nGenes", "batch_cells": "batchCells", "seed": "seed"}


def _dotted(name: str) -> str:
    first, second, *rest = name.split("_")
    return f"{first}.{second}" + "".join(map(str.capitalize, rest))


def _cells_by_genes(matrix: RMatrix) -> np.ndarray[Any, np.dtype[np.int32]]:
    values = matrix.values.toarray() if hasattr(matrix.values, "toarray") else matrix.values
    return np.ascontiguousarray(values.T, dtype=np.int32)


def _gene_table(drawn: dict[str, Any], params: SplatParams) -> pd.DataFrame:
    """Name splatter's columns as our own simulator does."""
    import pandas as pd

    columns = {
        "base_gene_mean": drawn["BaseGeneMean"],
        "outlier_factor": drawn["OutlierFactor"],
        "gene_mean": drawn["GeneMean"],
    }
    for group in range(1, params.n_groups + 1):
        columns[f"de_factor_Group{group}"] = drawn[f"DEFacGroup{group}"]
    if params.n_batches > 1:
        for batch in range(1, params.n_batches + 1):
            columns[f"batch_factor_Batch{batch}"] = drawn[f"BatchFacBatch{batch}"]
    return pd.DataFrame(columns, index=drawn["Gene"])
