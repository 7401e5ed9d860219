"""A source of data: two cell types with known truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from impbench import parameter
from impbench.data.dataset import Dataset, Source


@dataclass(frozen=True)
class TwoTypes(Source):
    """Poisson counts of two cell types, a third of them dropped."""

    name = "far-two-types"
    summary = "Two simulated cell types, a third of the counts dropped"

    n_cells: int = parameter(60, "Number of cells.", min=10)
    seed: int = parameter(1, "Seed of the simulation.", min=0)

    def load(self) -> Dataset:
        """Simulate."""
        rng = np.random.default_rng(self.seed)
        kind = np.arange(self.n_cells) % 2
        mean = rng.gamma(2.0, 2.0, (2, 50))
        true = rng.poisson(mean[kind])
        counts = np.where(rng.random(true.shape) < 1 / 3, 0, true)
        return Dataset(
            name=self.spec,
            counts=counts,
            gene_names=tuple(f"gene{j}" for j in range(50)),
            cell_names=tuple(f"cell{i}" for i in range(self.n_cells)),
            library_size=counts.sum(axis=1).astype(float),
            labels=np.array(["left", "right"])[kind],
            true_counts=true,
        )
