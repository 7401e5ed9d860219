"""How scNAME is trained: a start on counts and mask, k-means, then all four losses together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from impbench_plugins.shared.flat_weights import Float32
from numpy.typing import NDArray

from .losses import (
    cluster_gradient,
    corrupt,
    mask_gradient,
    neighbour_gradient,
    squared_distances,
)
from .network import HIDDEN, LATENT, Autoencoder
from .zinb import HEADS, zinb_gradient

Networks = Literal["separate", "both", "shared"]

_KMEANS_STARTS = 10
"""Of scikit-learn, in the versions that have all that the program asks of it (before 0.23)."""

_CELLS_PER_BLOCK = 4096


@dataclass(frozen=True)
class ScNameSettings:
    """Hyper-parameters; the defaults are the published code's."""

    networks: Networks = "separate"
    corruption: float = 0.3
    mask_weight: float = 1.0
    neighbour_weight: float = 0.1
    cluster_weight: float = 0.1
    n_neighbours: int = 10
    temperature: float = 0.7
    learning_rate: float = 1e-4
    batch_size: int = 128
    pretraining_epochs: int = 500
    epochs: int = 1000
    check_every: int = 50
    tolerance: float = 1e-3


@dataclass(frozen=True)
class Cells:
    """What the networks see and what they explain.

    Attributes
    ----------
    values
        (cells, genes) float32, each gene with mean 0 and sd 1.
    counts, factors
        (cells, genes) whole numbers, and (cells,) size factors; float32.
    """

    values: Float32
    counts: Float32
    factors: Float32


@dataclass(frozen=True)
class ScNameFit:
    """What training leaves.

    Attributes
    ----------
    embedding
        (cells, 32) latents.
    pretrained
        (cells, 32), those in the bank when pretraining ended.
    clusters
        (cells,) nearest centre, from 0.
    epochs
        Of fine-tuning.
    changed
        Share of labels that the last check found changed; None without a check.
    """

    embedding: Float32
    pretrained: Float32
    clusters: NDArray[np.int64]
    epochs: int
    changed: float | None


def run(
    cells: Cells,
    n_clusters: int,
    settings: ScNameSettings,
    seed: int,
    progress: Callable[[int, int], None],
) -> ScNameFit:
    """Pretrain, cluster, fine-tune; on one thread.

    Parameters
    ----------
    n_clusters
        How many centres; no more than there are cells.
    progress
        Gets the epochs done and their largest number, and may raise to stop.
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    training = _Training(cells, n_clusters, settings, seed)
    first, total = settings.pretraining_epochs, settings.pretraining_epochs + settings.epochs
    # Several threads add in another order.
    with threadpool_limits(1):
        for epoch in range(first):
            training.pass_over_cells(fine=False)
            progress(epoch + 1, total)
        pretrained = training.bank.copy()
        # The program remembers the bank after full batches only: the rows of the last batch are
        # those of an epoch before.
        kmeans = KMeans(n_clusters, n_init=_KMEANS_STARTS, random_state=seed % 2**32)
        labels = kmeans.fit_predict(training.bank_after_full_batches)
        training.network.centres[:] = kmeans.cluster_centers_
        changed = None
        for epoch in range(1, settings.epochs + 1):
            training.pass_over_cells(fine=True)
            progress(first + epoch, total)
            if epoch % settings.check_every == 0:
                found = training.nearest_centres()
                changed, labels = float(np.mean(found != labels)), found
                if changed < settings.tolerance:
                    break
        return ScNameFit(
            training.encode_all(), pretrained, training.nearest_centres(), epoch, changed
        )


def batches(n_cells: int, size: int) -> Iterator[NDArray[np.int64]]:
    """Yield the cells of each mini-batch of an epoch, always in this order.

    Cells left over are filled up with the first ones; where none are, the first batch comes again.
    """
    full = n_cells - n_cells % size
    for start in range(0, full, size):
        yield np.arange(start, start + size)
    yield np.r_[full:n_cells, : size - n_cells % size]


class _Training:
    """The networks, the memory bank, and what they learn from.

    Attributes
    ----------
    network
        The one that sees cells as they are, and gives the embedding.
    bank, bank_after_full_batches
        (n, 32) latest latents of all cells, and as they were ahead of an epoch's last batch.
    """

    def __init__(self, cells: Cells, n_clusters: int, settings: ScNameSettings, seed: int) -> None:
        rng, rng_of_other, self._rng = np.random.default_rng(seed).spawn(3)
        n_cells, n_genes = cells.values.shape
        shared = settings.networks == "shared"
        # The mask is the first head of a network that guesses it.
        self._first_head = 1 if shared else 0
        self.network = Autoencoder(n_genes, self._first_head + HEADS, n_clusters, rng)
        self._guesser: Autoencoder | None = None
        if shared:
            self._guesser = self.network
        elif settings.networks == "both":
            self._guesser = Autoencoder(n_genes, 1, 0, rng_of_other)
        self.bank = np.zeros((n_cells, HIDDEN[LATENT]), np.float32)
        self.bank_after_full_batches = self.bank
        self._cells, self._settings = cells, settings
        self._batches = list(batches(n_cells, settings.batch_size))

    def pass_over_cells(self, fine: bool) -> None:
        """Train for an epoch, on all losses (`fine`), or on counts and mask alone."""
        for rows in self._batches:
            if rows is self._batches[-1]:
                self.bank_after_full_batches = self.bank.copy()
            self._learn(rows, fine)

    def nearest_centres(self) -> NDArray[np.int64]:
        """Return the cluster of each cell, by what is in the bank."""
        return np.asarray(squared_distances(self.bank, self.network.centres).argmin(axis=1))

    def encode_all(self) -> Float32:
        """Return every cell's latent, (n, 32)."""
        values = self._cells.values
        starts = range(0, len(values), _CELLS_PER_BLOCK)
        parts = [self.network.encode(values[start : start + _CELLS_PER_BLOCK]) for start in starts]
        return np.concatenate(parts)

    def _learn(self, rows: NDArray[np.int64], fine: bool) -> None:
        cells, s, network = self._cells, self._settings, self.network
        values = cells.values[rows]
        layers = network.forward(values)
        latent = layers[LATENT + 1]
        self.bank[rows] = latent
        if self._guesser is not None:
            self._guess(self._guesser, values, latent, fine)
        heads = network.heads(layers, self._first_head, HEADS)
        zinb_gradient(heads, cells.counts[rows], cells.factors[rows])
        by_latent = None
        if fine:
            weight = np.float32(s.cluster_weight)
            by_latent, by_centres = cluster_gradient(latent, network.centres)
            by_latent *= weight
            network.centre_gradients[:] = weight * by_centres
        network.backward(layers, heads, self._first_head, by_latent)
        network.descend(s.learning_rate)

    def _guess(self, guesser: Autoencoder, values: Float32, latent: Float32, fine: bool) -> None:
        """Let a network tell which entries were exchanged, and (`fine`) find the neighbours."""
        s = self._settings
        corrupted, mask = corrupt(values, s.corruption, self._rng)
        layers = guesser.forward(corrupted)
        by_mask = mask_gradient(guesser.heads(layers, 0, 1), mask) * np.float32(s.mask_weight)
        by_latent = None
        if fine:
            by_latent = np.float32(s.neighbour_weight) * neighbour_gradient(
                layers[LATENT + 1], latent, self.bank, s.n_neighbours, s.temperature
            )
        guesser.backward(layers, by_mask, 0, by_latent)
        if guesser is not self.network:
            guesser.descend(s.learning_rate)
