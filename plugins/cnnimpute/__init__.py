"""cnnImpute, native: likely dropouts are predicted from correlated genes by 1-D convolutions.

The defaults are what the released program does; where the paper says otherwise, a parameter does.
"""

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

    Only zeros whose dropout probability exceeds the threshold change. Written from the paper and a
    description of the authors' program, and compared with its results. Returns counts in each
    cell's own library size.
    """

    name: ClassVar[str] = "cnnimpute"
    summary: ClassVar[str] = "Likely dropouts from correlated genes by 1-D convolutions (native)"
    version: ClassVar[str] = "3"
    citation: ClassVar[str] = (
        "Zhang, Huckaby, Talburt, Weissman & Yang (2024), cnnImpute: missing value recovery for "
        "single cell RNA sequencing data, Scientific Reports 14:3946"
    )
    gives: ClassVar[tuple[str, ...]] = ("expression", "embedding")
    stochastic: ClassVar[bool] = True
    packages: ClassVar[tuple[str, ...]] = ("numba", "torch")
    logarithm: ClassVar[bool] = True
    """Whether the networks see the logarithm of their input."""

    n_clusters: int | Literal["groups"] | None = parameter(
        None,
        "Groups of cells; groups takes the data set's number; none, as published, lets the density "
        "peaks say, from 2 to 10.",
        min=1,
    )
    perplexity: float | None = parameter(
        None,
        "Of t-SNE, below a third of the number of cells; none, as published, is 30, or 5 for at "
        "most 30 cells.",
        min=1,
    )
    n_embeddings: int = parameter(
        5,
        "t-SNE embeddings; the clusters are those of the most typical. With one, as published, "
        "they depend on the last bit of the numbers.",
        min=1,
    )
    network_input: Literal["counts", "cpm"] = parameter(
        "counts",
        "The networks see ln(1 + x) of the counts as given, as in the program, or of counts per "
        "million, as in the paper.",
    )
    network: Literal["cluster", "block"] = parameter(
        "cluster",
        "Each cluster has one network that goes on from block to block, as in the program, or each "
        "block has its own, as in the paper.",
    )
    repeats: bool = parameter(
        True,
        "An input that several targets name stands there as often, as in the program; false: "
        "once, as in the paper.",
    )
    halve: bool = parameter(
        False,
        "Make blocks half as large, as often as it takes, where one holds every gene that could "
        "predict it; false, as published, leaves such a block as it is.",
    )
    nonzeros: bool = parameter(
        False,
        "Counted values can be dropouts too, as in the paper; false, as in the program, takes "
        "likely ones for not likely.",
    )
    threshold: float = parameter(
        0.5, "Values with a larger dropout probability are imputed.", min=0, max=1, symbol="T"
    )
    max_missing: float = parameter(
        0.5, "Largest share of dropouts in an input gene.", min=0, max=1, symbol="P"
    )
    n_correlated: int = parameter(5, "Most correlated genes taken as inputs per target.", min=1)
    block_size: int = parameter(512, "Target genes predicted at once.", min=1, symbol="N")
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
        """Import PyTorch, and compile mixture, t-SNE, k-means and layers."""
        rng = np.random.default_rng(0)
        counts = rng.poisson(rng.gamma(2.0, 15.0, (1, 30)), (20, 30))
        counts[rng.random(counts.shape) < 0.3] = 0
        quick = type(self)(n_clusters=1, epochs=1, block_size=10)
        quick.impute(Observed.from_counts(counts), Context())
        from .groups import find_groups

        find_groups(counts, None, 5.0, 1)

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Group the cells, and in each group find the dropouts and predict them block by block.

        Cells without counts stay empty.

        Returns
        -------
        Counts; the t-SNE coordinates as embedding (zeros for empty cells) unless `n_clusters` is 1;
        and in `info` the sizes of the clusters, the number of imputed values, the targets of each
        block, the inputs of each (a cluster of one block without any comes back as it is), its
        epochs and its last validation loss.

        Raises
        ------
        InputError
            If fewer than ten cells have counts, there are too few for the perplexity or the number
            of clusters, the number of groups is asked for and unknown, a cluster has too few valid
            genes, or a full block too few genes to be predicted from.
        """
        from impbench_plugins.shared.same_fields import same_fields
        from threadpoolctl import threadpool_limits

        from .groups import find_groups
        from .method import CnnImputeSettings, impute_counts

        n_clusters = self._n_clusters(observed)
        counts = observed.dense_counts
        used = counts.any(axis=1)
        if used.sum() < FEWEST_CELLS:
            raise InputError(
                f"cnnimpute needs at least {FEWEST_CELLS} cells with counts, to train and to "
                f"validate on; got {used.sum()}"
            )
        context.progress(0, 100)
        embedding = None
        labels = np.zeros(int(used.sum()), dtype=np.intp)
        # One thread: sums always run in the same order.
        with threadpool_limits(1):
            if n_clusters != 1:
                context.need_memory(
                    4 * 8 * len(labels) ** 2, f"distances between all pairs of {len(labels)} cells"
                )
                labels, coordinates = find_groups(
                    counts[used], n_clusters, self.perplexity, self.n_embeddings
                )
                embedding = np.zeros((len(counts), coordinates.shape[1]), dtype=np.float32)
                embedding[used] = coordinates
            done = impute_counts(
                counts[used],
                labels,
                same_fields(CnnImputeSettings, self),
                context.seed,
                lambda now, most: context.progress(10 + 90 * now // most, 100),
            )
        context.progress(100, 100)
        expression = np.zeros(counts.shape, dtype=np.float32)
        expression[used] = done.counts
        info: dict[str, Any] = {
            "cluster_sizes": np.bincount(labels).tolist(),
            "n_imputed": int(done.imputed.sum()),
            "block_targets": [len(block.targets) for block in done.blocks],
            "block_inputs": [len(block.inputs) for block in done.blocks],
            "epochs": [len(losses) for losses in done.losses],
            "validation_loss": [losses[-1] if losses else None for losses in done.losses],
        }
        return Imputed(expression, "counts", embedding=embedding, info=info)

    def _n_clusters(self, observed: Observed) -> int | None:
        if self.n_clusters != "groups":
            return self.n_clusters
        if observed.n_groups is None:
            raise InputError(
                "cnnimpute: n_clusters=groups, but the data do not say how many groups there are; "
                "give n_groups, or a number, or leave n_clusters out"
            )
        return observed.n_groups


@dataclass(frozen=True)
class CnnImputeNl(CnnImpute):
    """cnnImpute without the logarithm: the networks see and predict what it would be taken of.

    The paper has one sentence on it, and the program no such variant.
    """

    name: ClassVar[str] = "cnnimpute-nl"
    summary: ClassVar[str] = "cnnImpute whose networks see counts, not their logarithm (native)"
    logarithm: ClassVar[bool] = False


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    """Offer cnnImpute with and without the logarithm."""
    return [CnnImpute, CnnImputeNl]
