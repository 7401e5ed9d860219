"""scGNN's stages: pre-training, the loop of clustering and training, and the imputation."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from impbench.errors import InputError

from .clusters import cluster, count_communities, how_many, mates
from .graph_autoencoder import SPLIT_SEED, embed, enough_unlinked, features_of, hold_back
from .neighbours import NearestCells, nearest
from .network import FeatureAutoencoder

_RECONSTRUCTION = np.float32(0.1)
"""Weight of the squared errors in all stages but the last, where it is 0."""


@dataclass(frozen=True)
class ScgnnSettings:
    """Hyper-parameters; the defaults are the published code's."""

    k: int = 10
    hidden: int = 512
    latent: int = 128
    epochs: int = 500
    em_iterations: int = 10
    em_epochs: int = 200
    cluster_epochs: int = 200
    quickmode: bool = False
    resolution: float | None = None
    same_labels: float = 0.99
    graph_weight: float = 0.3
    cluster_weight: float = 0.1
    penalty: float = 1.0
    state_weight: float = 0.9
    graph_embedding: bool = False
    graph_epochs: int = 200


@dataclass(frozen=True)
class ScgnnFit:
    """What training leaves.

    Attributes
    ----------
    imputed
        x̂, (cells, genes) float32, ln(1 + count).
    embedding
        At the end of the loop, float32: z, (cells, latent), or what the graph autoencoder makes of
        it, (cells, 16).
    communities, clusters
        Numbers that Louvain and k-means gave, one for each iteration.
    similarities
        Adjusted Rand index of an iteration's labels with those before; the first has 0.
    """

    imputed: NDArray[np.float32]
    embedding: NDArray[np.float32]
    communities: list[int]
    clusters: list[int]
    similarities: list[float]


def run(
    values: NDArray[np.float32],
    settings: ScgnnSettings,
    seed: int,
    progress: Callable[[int, int], None],
    states: NDArray[np.int8] | None = None,
) -> ScgnnFit:
    """Train, cluster, train again, and impute; on one thread.

    Parameters
    ----------
    values
        x, (cells, genes) float32, ln(1 + count).
    states
        R, (cells, genes), by which LTMG weighs the errors before the loop.
    progress
        Gets the epochs done and how many there will be at most, and may raise to stop.
    """
    from impbench_plugins.shared.torch_networks import single_thread
    from threadpoolctl import threadpool_limits

    # Several threads add in another order, and training makes much of the last bits.
    with single_thread(), threadpool_limits(1):
        return _Stages(values, settings, seed, progress).all_stages(states)


class _Stages:
    def __init__(
        self,
        values: NDArray[np.float32],
        settings: ScgnnSettings,
        seed: int,
        progress: Callable[[int, int], None],
    ) -> None:
        self._torch_draws = torch.Generator().manual_seed(seed)
        self._network = FeatureAutoencoder(
            values, settings.hidden, settings.latent, settings.penalty, self._torch_draws
        )
        self._unused = torch.empty((), dtype=torch.int64)
        self._split_draws = np.random.RandomState(SPLIT_SEED)
        self._n_cells = len(values)
        self._settings, self._progress = settings, progress
        self._generator = random.Random(seed)
        self._done = 0
        self._to_come = settings.epochs + (settings.em_iterations + 1) * settings.em_epochs

    def all_stages(self, states: NDArray[np.int8] | None) -> ScgnnFit:
        """Pre-train, then cluster and train by turns, then impute."""
        from sklearn.metrics import adjusted_rand_score

        settings = self._settings
        plain = np.full((self._n_cells, 1), _RECONSTRUCTION)
        first = plain if states is None else plain + np.float32(settings.state_weight) * states
        embedding, graph = self._train_and_link(first, settings.epochs)
        labels = np.zeros(self._n_cells, np.int64)
        communities, clusters, similarities = [], [], []
        for iteration in range(settings.em_iterations):
            before = labels
            found = count_communities(self._n_cells, graph.pairs_to_cluster(), self._generator)
            labels = cluster(embedding, how_many(found, self._n_cells, settings.resolution))
            communities.append(found)
            clusters.append(len(np.unique(labels)))
            if not settings.quickmode:
                # The program means one network for each cluster, and trains the one on all cells.
                n_epochs = clusters[-1] * settings.cluster_epochs
                self._to_come += n_epochs
                self._train(plain, n_epochs)
            embedding, graph = self._train_and_link(plain, settings.em_epochs)
            similarities.append(float(adjusted_rand_score(labels, before)) if iteration else 0.0)
            if similarities[-1] > settings.same_labels:
                self._to_come = settings.em_epochs
                break
        self._network.restart()
        imputed = self._train(self.cell_weights(graph.degrees(), labels), settings.em_epochs)[-1]
        return ScgnnFit(imputed, embedding, communities, clusters, similarities)

    def cell_weights(
        self, degrees: NDArray[np.int64], labels: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the weight of each cell's squared errors in the imputation, (cells, 1).

        The program's graph term Σ(A·E), with E the squared errors and · a product of matrices, is
        Σ_j degree_j Σ_g E_jg: a weight for each cell, and likewise for the clusters.
        """
        settings = self._settings
        weights = settings.graph_weight * degrees + settings.cluster_weight * mates(labels)
        return np.asarray(weights[:, None], dtype=np.float32)

    def _train_and_link(
        self, weights: NDArray[np.float32], n_epochs: int
    ) -> tuple[NDArray[np.float32], NearestCells]:
        """Return what k-means will see, and the graph of z."""
        settings = self._settings
        z = self._train(weights, n_epochs)[2].copy()
        graph = nearest(z, settings.k)
        if not settings.graph_embedding:
            return z, graph
        linked = graph.union()
        if not enough_unlinked(linked):
            raise InputError(
                f"scgnn[graph_embedding=true] draws one pair of unlinked cells for every ten of "
                f"linked ones, and with k={settings.k} nearest cells {self._n_cells} cells have "
                "fewer: a smaller k lifts this"
            )
        kept = hold_back(linked, self._split_draws)
        return embed(features_of(z), kept, settings.graph_epochs, self._torch_draws), graph

    def _train(self, weights: NDArray[np.float32], n_epochs: int) -> list[NDArray[np.float32]]:
        """Return what the last pass gave, ahead of its step, as the program does.

        The next pass writes over it.
        """
        layers: list[NDArray[np.float32]] = []
        for _ in range(n_epochs):
            # PyTorch's loader of batches draws a number for every pass, which nothing uses.
            self._unused.random_(generator=self._torch_draws)
            layers = self._network.step(weights)
            self._done += 1
            self._to_come -= 1
            self._progress(self._done, self._done + self._to_come)
        return layers
