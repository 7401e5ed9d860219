"""MAGIC as its authors published it, through its own class and nothing else."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Literal, Optional, Union

import numpy as np

from impbench import Context, Imputed, Imputer, Observed, parameter
from impbench.errors import InputError


@dataclass(frozen=True)
class MagicOriginal(Imputer):
    """The package magic-impute 3.0.0 untouched (van Dijk et al. 2018), log2 values in.

    ``magic`` is the same package with another search for neighbours beyond 1 024 cells, a graph
    that heeds the distance asked for, and a smaller `knn_max` where there are few cells. Here the
    distance is always Euclidean: the package has a parameter for it, and does not use it. Every
    entry is replaced; the approximate solver may return values below zero.
    """

    name = "magic-original"
    summary = "MAGIC by its authors' own package, untouched"
    citation = (
        "van Dijk et al. (2018), Recovering gene interactions from single-cell data using data "
        "diffusion, Cell 174:716-729"
    )
    version = "3.0.0"
    input_scale = "lognorm"
    stochastic = True
    packages = ("graphtools", "magic-impute", "scikit-learn", "scprep")
    # Left alone, pip takes an scprep that holds pandas below 2.1, which NumPy 2 breaks.
    requires = ("magic-impute==3.0.0", "pandas>=2.2")
    requires_python = ">=3.11,<3.14"
    lockfile = "locks/magic.txt"

    knn: int = parameter(5, "Nearest cells that set a cell's kernel width.", min=1)
    knn_max: Optional[int] = parameter(  # noqa: UP045  (older Pythons resolve it)
        None, "Most neighbours of a cell; none means 3 knn.", min=1
    )
    decay: float = parameter(1.0, "Exponent of the kernel's tails, above zero.", min=1e-6)
    t: Union[int, Literal["auto"]] = parameter(  # noqa: UP007
        3, "Steps of diffusion; auto stops once a step changes the data little.", min=1
    )
    n_pca: int = parameter(100, "Principal components for distances between cells.", min=1)
    solver: Literal["exact", "approximate"] = parameter(
        "exact", "Diffuse all genes, or principal components and project back."
    )

    def __post_init__(self) -> None:
        """Check the parameters, also against each other."""
        super().__post_init__()
        if self.knn_max is not None and self.knn_max < self.knn:
            raise InputError(f"{self.name}: knn_max={self.knn_max} must be at least knn={self.knn}")

    def prepare(self, context: Context) -> None:
        """Import MAGIC, which takes seconds."""
        if context.scratch is not None:
            # Matplotlib leaves its settings in the home folder.
            os.environ["HOME"] = str(context.scratch)
        import magic  # noqa: F401

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Call ``magic.MAGIC(...).fit_transform`` on log-normalised values.

        Raises
        ------
        InputError
            If there are fewer than `knn_max` + 1 cells.
        """
        knn_max = 3 * self.knn if self.knn_max is None else self.knn_max
        if observed.n_cells < knn_max + 1:
            raise InputError(
                f"{self.name} needs at least knn_max + 1 = {knn_max + 1} cells, got "
                f"{observed.n_cells}; lower knn or knn_max"
            )
        import magic

        # With t=auto the package draws the genes it watches from NumPy's global generator.
        np.random.seed(context.seed % 2**32)  # noqa: NPY002
        operator = magic.MAGIC(
            knn=self.knn,
            knn_max=self.knn_max,
            decay=self.decay,
            t=self.t,
            n_pca=self.n_pca,
            solver=self.solver,
            n_jobs=context.threads,
            random_state=context.seed,
            verbose=0,
        )
        values: Any = operator.fit_transform(observed.lognorm.copy())
        return Imputed(np.asarray(values, dtype=np.float32), "lognorm")
