"""SDImpute: likely dropouts become weighted means of their gene over cells of a cluster."""

from __future__ import annotations

from dataclasses import dataclass

from impbench import Context, Imputed, Imputer, Observed, hookimpl, parameter
from impbench.errors import InputError

__all__ = ["SdImpute"]


@dataclass(frozen=True)
class SdImpute(Imputer):
    """Dropouts by the gene's share of zeros, mean and variation in a cluster (Qi et al. 2021).

    Equals SDImpute 0.1 (R) seed by seed, with its faults: likely dropouts take the means of the
    first cells of the data instead of those of their cluster, a very steep regression finds none,
    and the number of nearest cells has no effect. ``repaired=true`` repairs these three. A cell
    without counts takes no part and stays empty.
    """

    name = "sdimpute"
    summary = "Replaces likely dropouts by weighted means, with the published program's faults"
    citation = (
        "Qi et al. (2021), SDImpute: a statistical block imputation method based on cell-level "
        "and gene-level information for dropouts in single-cell RNA-seq data, PLOS Computational "
        "Biology 17:e1009118"
    )
    input_scale = "counts"
    stochastic = True
    packages = ("numba",)

    ks: tuple[int, ...] = parameter(
        tuple(range(5, 16)),
        "Numbers of clusters that are tried; that with the widest silhouettes is taken.",
        min=2,
        symbol="krange",
    )
    n_clusters: int | None = parameter(
        None, "Number of clusters, from one run of k-means; none chooses among ks.", min=1
    )
    threshold: float = parameter(
        0.5,
        "Entries with a larger dropout probability are replaced; also the share of zeros by "
        "which the regression tells genes with dropouts.",
        min=0,
        max=1,
        symbol="T",
    )
    n_nearest: int = parameter(
        15,
        "Nearest cells that set the width of a cell's weights; with repaired=true only, as the "
        "published program takes all cells whatever is given.",
        min=1,
        symbol="M",
    )
    repaired: bool = parameter(
        False,
        "Repair the published program: means over the cells of the cluster, no overflow in "
        "the regression, weights by the nearest cells.",
    )

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        if not self.ks:
            raise InputError("sdimpute: ks is empty; give at least one number, such as [5,6]")

    def prepare(self, context: Context) -> None:
        """Compile k-means, and import what computes."""
        from impbench_plugins.shared.r_kmeans import compile_r_kmeans

        from . import method  # noqa: F401

        compile_r_kmeans()

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Cluster, find the dropouts and replace them.

        Raises
        ------
        InputError
            If fewer cells have counts, or differ, than there are clusters; if a cluster holds one
            cell and ``repaired`` is false; if there is one gene.
        """
        from .method import impute

        return impute(observed, context, **self.parameters())


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    """Offer SDImpute."""
    return [SdImpute]
