"""sc-adaptive-kernel: its smoothing step, the mean of each cell's nearest cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from impbench import Context, Imputed, Imputer, Observed, parameter
from impbench.errors import InputError


@dataclass(frozen=True)
class AdaptiveKernelOriginal(Imputer):
    """The function ``knn_smooth`` of the package sc-adaptive-kernel 0.3.2.

    A cell becomes 0.3 times itself and 0.7 times the mean of its 15 nearest cells, on logs, by the
    correlation of all genes; the package itself takes variable genes first and feeds a classifier.
    A cell is its own nearest one unless `exclude_self`, so it weighs 0.3 + 0.7 / 15. Observed
    values are pulled towards the mean as zeros are, and zeros stay where no neighbour has a count.

    A cell without counts has no correlation. The package takes it to be equally far from all cells,
    itself as well, so it comes back with the mean of fifteen cells that have nothing to do with it.
    The package calls itself 0.3.0.
    """

    name = "adaptive-kernel-original"
    summary = "Means over the cells of highest correlation, by sc-adaptive-kernel itself"
    citation = "sc-adaptive-kernel 0.3.2 (knn_smooth), Python Package Index"
    version = "0.3.2"
    input_scale = "lognorm"
    packages = ("sc-adaptive-kernel", "scikit-learn")
    requires = ("sc-adaptive-kernel==0.3.2",)
    requires_python = ">=3.11,<3.14"
    lockfile = "locks/adaptive_kernel.txt"

    k: int = parameter(15, "Nearest cells whose mean is taken; of fewer cells, all.", min=1)
    alpha: float = parameter(0.3, "Weight of the cell itself, against that mean.", min=0, max=1)
    exclude_self: bool = parameter(
        False, "Leave the cell out of its own neighbours, as the package's classifier does in fit."
    )

    def prepare(self, context: Context) -> None:
        """Import the package, and scikit-learn with it."""
        import sc_adaptive_kernel  # noqa: F401

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Call ``knn_smooth`` on the cells, with themselves for reference.

        Raises
        ------
        InputError
            If the one cell there is should be left out, or the distances do not fit into memory.
        """
        if self.exclude_self and observed.n_cells < 2:
            raise InputError(f"{self.name}[exclude_self=true] needs at least 2 cells, got 1")
        n_near = min(self.k, observed.n_cells)
        context.need_memory(
            8 * observed.n_cells * (2 * observed.n_cells + n_near * observed.n_genes),
            f"distances of {observed.n_cells} cells and the {n_near} nearest of each at once",
        )
        from sc_adaptive_kernel import knn_smooth

        logs = np.array(observed.lognorm, dtype=np.float64)
        smooth = knn_smooth(logs, logs, k=self.k, alpha=self.alpha, exclude_self=self.exclude_self)
        return Imputed(smooth, "lognorm")
