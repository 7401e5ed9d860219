"""cnnImpute, native: likely dropouts are predicted from correlated genes by 1-D convolutions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from impbench import Context, Imputed, Imputer, Observed, hookimpl, parameter
from impbench.errors import InputError

__all__ = ["CnnImpute", "CnnImputeNl"]

FEWEST_CELLS = 10
"""Below that a tenth of the cells is none, and nothing validates."""


@dataclass(frozen=True)
class CnnImpute(Imputer):
    """Dropouts found by scImpute's mixture, predicted from correlated genes (Zhang et al. 2024).

    Only values whose dropout probability exceeds the threshold change. Written from the paper and a
    description of the authors' program. Returns counts in each cell's own library size.
    """

    name: ClassVar[str] = "cnnimpute"
    summary: ClassVar[str] = "Likely dropouts from correlated genes by 1-D convolutions (native)"
    citation: ClassVar[str] = (
        "Zhang, Huckaby, Talburt, Weissman & Yang (2024), cnnImpute: missing value recovery for "
        "single cell RNA sequencing data, Scientific Reports 14:3946"
    )
    gives: ClassVar[tuple[str, ...]] = ("expression", "embedding")
    stochastic: ClassVar[bool] = True
    packages: ClassVar[tuple[str, ...]] = ("numba", "scikit-learn", "torch")
    logarithm: ClassVar[bool] = True
    """Whether the networks see ln(1 + CPM) or CPM."""

    n_clusters: int | Literal["groups"] | None = parameter(
        None,
        "Groups of cells; groups takes the data set's number; none, as published, lets the density "
        "peaks say, from 2 to 10.",
        min=1,
    )
    threshold: float = parameter(
        0.5, "Values with a larger dropout probability are imputed.", min=0, max=1, symbol="T"
    )
    max_missing: float = parameter(
        0.5, "Largest share of dropouts in an input gene.", min=0, max=1, symbol="P"
    )
    n_correlated: int = parameter(5, "Most correlated genes taken as inputs per target.", min=1)
    block_size: int = parameter(512, "Target genes per network.", min=1, symbol="N")
    pooling: Literal["average", "max"] = parameter(
        "average",
        "After the second convolution: the average over all positions, as in the program, or the "
        "maximum of pairs, as in the paper.",
    )
    output: Literal["relu", "linear"] = parameter(
        "relu", "Activation of the last layer: relu, as in the program, or none."
    )
    dropout_rate: float = parameter(0.3, "Share of the features dropped.", min=0, max=0.99)
    epochs: int = parameter(150, "Most passes over the training cells, for each block.", min=1)
    batch_size: int = parameter(32, "Cells per mini-batch.", min=1)
    learning_rate: float = parameter(1e-4, "Adam's learning rate.", min=0)
    early_stop: int = parameter(5, "Epochs without improvement until training stops.", min=1)

    def prepare(self, context: Context) -> None:
        """Import PyTorch and scikit-learn, and compile the mixture."""
        counts = np.random.default_rng(0).poisson(2.0, (FEWEST_CELLS, 8)) + np.eye(10, 8, dtype=int)
        quick = type(self)(n_clusters=1, epochs=1)
        quick.impute(Observed.from_counts(counts), Context())

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Group the cells, find the dropouts, and predict them block by block.

        Cells without counts stay empty.

        Returns
        -------
        Counts, the t-SNE coordinates as embedding (zeros for empty cells), and in `info` the sizes
        of the groups, the number of target genes, of imputed values, and of target genes left as
        they were because no other gene could predict them; the size of the blocks, and epochs and
        last validation loss of each.

        Raises
        ------
        InputError
            If fewer than ten cells have counts, there are too few for the number of clusters, or
            the number of groups is asked for and unknown.
        """
        from impbench_plugins.shared.same_fields import same_fields
        from threadpoolctl import threadpool_limits

        from .method import CnnImputeSettings, impute_counts

        n_clusters = observed.n_groups if self.n_clusters == "groups" else self.n_clusters
        if self.n_clusters == "groups" and n_clusters is None:
            raise InputError(
                "cnnimpute: n_clusters=groups, but the data do not say how many groups there are; "
                "give n_groups, or a number, or leave n_clusters out"
            )
        counts = observed.dense_counts
        used = counts.any(axis=1)
        if used.sum() < FEWEST_CELLS:
            raise InputError(
                f"cnnimpute needs at least {FEWEST_CELLS} cells with counts, to train and to "
                f"validate on; got {used.sum()}"
            )
        settings = same_fields(CnnImputeSettings, self, n_clusters=n_clusters)
        # One thread: sums always run in the same order.
        with threadpool_limits(1):
            done = impute_counts(counts[used], settings, context.seed, context.progress)
        expression = np.zeros(counts.shape, dtype=np.float32)
        expression[used] = done.counts
        embedding = np.zeros((len(counts), done.coordinates.shape[1]), dtype=np.float32)
        embedding[used] = done.coordinates
        info: dict[str, Any] = {
            "group_sizes": np.bincount(done.labels).tolist(),
            "n_targets": done.n_targets,
            "n_without_inputs": done.n_targets - sum(len(block.targets) for block in done.blocks),
            "n_imputed": int(done.imputed.sum()),
            "block_size": done.blocks[0].size if done.blocks else None,
            "epochs": [len(losses) for losses in done.losses],
            "validation_loss": [losses[-1] for losses in done.losses],
        }
        return Imputed(expression, "counts", embedding=embedding, info=info)


@dataclass(frozen=True)
class CnnImputeNl(CnnImpute):
    """cnnImpute without the logarithm: the networks see and predict counts per million."""

    name: ClassVar[str] = "cnnimpute-nl"
    summary: ClassVar[str] = "cnnImpute whose networks see counts per million, not their logarithm"
    logarithm: ClassVar[bool] = False


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    """Offer cnnImpute with and without the logarithm."""
    return [CnnImpute, CnnImputeNl]
