"""AutoClass: an autoencoder whose bottleneck must also tell apart clusters of cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from impbench import Context, Imputed, Imputer, Observed, hookimpl, parameter, scale
from impbench.errors import InputError

__all__ = ["AutoClass"]


@dataclass(frozen=True)
class AutoClass(Imputer):
    """Mean reconstruction of autoencoders with classifiers (Li, Brouwer & Luo 2022).

    Cells are clustered first, three times; one network for each clustering learns both the
    expression and the clusters. Every entry is replaced. The network sees log2(1 + counts / size
    factor) by the cells' own library sizes; other observed size factors are restored afterwards.
    """

    name = "autoclass"
    summary = "Autoencoder with a classifier of pre-clustered cells"
    citation = (
        "Li, Brouwer & Luo (2022), A universal deep neural network for in-depth cleaning of "
        "single-cell RNA-Seq data, Nature Communications 13:1901"
    )
    gives = ("expression", "embedding")
    stochastic = True
    packages = ("numba", "scikit-learn")

    n_clusters: int | Literal["groups"] | None = parameter(
        None,
        "K, for K − 1, K and K + 1 clusters; groups takes the data set's number of groups; none, "
        "as published, means 8, 9 and 10.",
        min=1,
    )
    variance: float = parameter(
        0.7, "Share of the variance that the components for clustering reach.", min=0, max=1
    )
    n_pc: int = parameter(15, "Most components for clustering.", min=1)
    bottleneck: int = parameter(128, "Width of the hidden layer.", min=1)
    dropout_rate: float = parameter(0.1, "Share of the hidden layer dropped.", min=0, max=0.99)
    classifier_weight: float = parameter(
        0.9,
        "Weight of the cross-entropy; the squared error has the rest.",
        min=0,
        max=1,
        symbol="w",
    )
    epochs: int = parameter(300, "Most passes over the training cells, for each K.", min=1)
    batch_size: int = parameter(32, "Cells per mini-batch.", min=1)
    learning_rate: float = parameter(1e-3, "Adam's learning rate.", min=0)
    reduce_lr: int = parameter(
        15, "Epochs without improvement until the learning rate falls to a tenth.", min=1
    )
    early_stop: int = parameter(30, "Epochs without improvement until training stops.", min=1)

    def prepare(self, context: Context) -> None:
        """Import scikit-learn and compile the optimiser, or load it from numba's cache."""
        counts = np.random.default_rng(0).poisson(2, (12, 3)) + 1
        AutoClass(n_clusters=2, epochs=1).impute(Observed.from_counts(counts), Context())

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Cluster, train one network for each number of clusters, and average what they say.

        Returns
        -------
        Log-scale expression, the bottlenecks side by side as embedding, and in `info` the numbers
        of clusters and how long and how well each network trained.

        Raises
        ------
        InputError
            If there are fewer than two cells or no counts, or the number of groups is asked for and
            unknown.
        """
        from impbench_plugins.shared.keras_training import KerasSchedule
        from impbench_plugins.shared.same_fields import same_fields
        from threadpoolctl import threadpool_limits

        from .clustering import cluster_numbers, components, labels
        from .network import AutoClassNetwork
        from .training import train

        if observed.n_cells < 2 or observed.counts.sum() == 0:
            raise InputError(
                "autoclass needs counts and at least 2 cells, one to train and one to validate on; "
                f"got {observed.n_cells} × {observed.n_genes} with {observed.counts.sum()} counts"
            )
        k = observed.n_groups if self.n_clusters == "groups" else self.n_clusters
        if self.n_clusters == "groups" and k is None:
            raise InputError(
                "autoclass: n_clusters=groups, but the data do not say how many groups there are; "
                "give n_groups, or a number, or leave n_clusters out"
            )
        rng = np.random.default_rng(context.seed)
        schedule = same_fields(KerasSchedule, self)
        factors = scale.size_factors(scale.library_sizes(observed.counts))
        lognorm = scale.lognorm(observed.counts, factors)
        numbers = cluster_numbers(k, observed.n_cells)
        expression = np.zeros_like(lognorm)
        bottlenecks = []
        info: dict[str, Any] = {"n_clusters": numbers, "epochs": [], "validation_loss": []}
        # One thread: sums always run in the same order, and products this small gain nothing.
        with threadpool_limits(1):
            scores = components(lognorm, self.variance, self.n_pc)
            for i, n_clusters in enumerate(numbers):
                network = AutoClassNetwork(
                    observed.n_genes,
                    self.bottleneck,
                    n_clusters,
                    self.dropout_rate,
                    self.classifier_weight,
                    rng,
                )
                losses = train(
                    network,
                    lognorm,
                    labels(scores, n_clusters, context.seed),
                    schedule,
                    rng,
                    lambda done, most, i=i: context.progress(i * most + done, len(numbers) * most),
                )
                reconstruction, bottleneck = network.reconstruct(lognorm)
                expression += reconstruction
                bottlenecks.append(bottleneck)
                info["epochs"].append(len(losses))
                info["validation_loss"].append(losses[-1])
        expression /= len(numbers)
        if not np.allclose(factors, observed.size_factors):
            counts = scale.counts_from_lognorm(expression, factors)
            expression = scale.lognorm(counts, observed.size_factors)
        return Imputed(expression, "lognorm", embedding=np.hstack(bottlenecks), info=info)


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    """Offer AutoClass."""
    return [AutoClass]
