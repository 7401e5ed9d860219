"""DEWÄKSS as its authors published it, with the scanpy, SciPy and pandas that it works with."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Literal, Tuple  # noqa: UP035

import numpy as np

from impbench import Context, Imputed, Imputer, Observed, parameter
from impbench.errors import InputError

FEWEST = 10
"""Principal components at which the package's grid begins."""


@dataclass(frozen=True)
class DewakssOriginal(Imputer):
    """The package DEWAKSS 1.0.1 through its own class (Tjärnberg et al. 2021), log2 values in.

    A cell becomes the weighted mean of its neighbours, itself left out, so every entry is replaced.
    How many neighbours, and on how many principal components they are sought, is what predicts the
    data best. The published grid of components ends at 200, or at the number of cells, where the
    package itself fails: with up to 200 cells or genes it ends one below that here, and is the
    published one otherwise. Cells without counts are left out and come back as zeros.
    """

    name = "dewakss-original"
    summary = "Means over nearest cells, tuned by self-supervision, by its authors' own package"
    citation = (
        "Tjärnberg et al. (2021), Optimal tuning of weighted kNN- and diffusion-based methods for "
        "denoising single cell genomics data, PLoS Computational Biology 17:e1008569"
    )
    version = "1.0.1"
    input_scale = "lognorm"
    packages = ("anndata", "numba", "pandas", "pynndescent", "scanpy", "scikit-learn", "umap-learn")
    # It imports what scanpy 1.10 has moved, takes NumPy's functions from SciPy, which SciPy 1.12
    # has stopped, and groups columns, which pandas 3 has stopped.
    requires = ("dewakss==1.0.1", "pandas<3", "scanpy<1.10", "scipy<1.12")
    requires_python = ">=3.11,<3.12"
    lockfile = "locks/dewakss.txt"

    n_pcs: Tuple[int, ...] = parameter(  # noqa: UP006  (older Pythons resolve it)
        (), "Numbers of principal components to try; none given: ten from 10 to 200.", min=1
    )
    n_neighbors: Tuple[int, ...] = parameter(  # noqa: UP006
        (), "Numbers of neighbours to try; none given: ten from 5 to the largest n_pcs.", min=2
    )
    mode: Literal["distances", "connectivities"] = parameter(
        "distances", "Weights of neighbours: exp(-distance / its mean), or UMAP's."
    )
    weighted: bool = parameter(True, "Weigh the neighbours, or take their plain mean.")
    symmetrize: bool = parameter(False, "Average the graph of neighbours with its transpose.")
    use_global_err: bool = parameter(
        True, "Choose for all cells together, or for each cell by itself."
    )

    def prepare(self, context: Context) -> None:
        """Import DEWÄKSS and scanpy, which takes many seconds."""
        if context.scratch is not None:
            # Matplotlib leaves its settings in the home folder.
            os.environ["HOME"] = str(context.scratch)
        import dewakss.denoise  # noqa: F401

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Fit on log-normalised values and replace them, as the package's class does.

        The package fixes its random numbers itself, whatever the seed.

        Returns
        -------
        Log-normalised values, and in `info` the chosen `n_pcs` and `n_neighbors` (for all cells
        together).

        Raises
        ------
        InputError
            If `n_pcs` are not below both the number of genes and that of cells with counts, or
            `n_neighbors` not below the latter.
        """
        cells = np.flatnonzero(observed.counts.sum(axis=1))
        n_pcs = self._components(len(cells), observed.n_genes)
        if self.n_neighbors and max(self.n_neighbors) >= len(cells):
            raise InputError(
                f"{self.name}: n_neighbors={max(self.n_neighbors)} must be below the number of "
                f"cells with counts, {len(cells)}"
            )
        import anndata
        import dewakss.denoise

        # Indexing copies.
        adata = anndata.AnnData(observed.lognorm[cells])
        denoiser = dewakss.denoise.DEWAKSS(
            adata,
            n_pcs=n_pcs,
            n_neighbors=np.array(self.n_neighbors) if self.n_neighbors else None,
            mode=self.mode,
            weighted=self.weighted,
            symmetrize=self.symmetrize,
            use_global_err=self.use_global_err,
        )
        denoiser.fit(adata)
        denoised = denoiser.transform(adata.X)
        expression = np.zeros((observed.n_cells, observed.n_genes), dtype=np.float32)
        expression[cells] = denoised
        info: dict[str, Any] = {}
        if self.use_global_err:
            chosen = denoiser.global_opt_configuration
            info = {"n_pcs": int(chosen["PCs"]), "n_neighbors": int(chosen["neighbors"])}
        return Imputed(expression, "lognorm", info=info)

    def _components(self, n_cells: int, n_genes: int) -> np.ndarray:
        """Return the numbers of components to try: those asked for, else the package's grid."""
        most = min(n_cells, n_genes) - 1
        fewest = max(self.n_pcs, default=FEWEST)
        if most < fewest:
            raise InputError(
                f"{self.name} needs more genes, and cells with counts, than principal components, "
                f"{fewest}; got {n_genes} and {n_cells}: more cells or genes, or smaller n_pcs"
            )
        if self.n_pcs:
            return np.array(self.n_pcs)
        return np.floor(np.logspace(1, np.log10(min(200, most)), 10)).astype(int)
