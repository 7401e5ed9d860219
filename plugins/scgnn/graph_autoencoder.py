"""scGNN's graph autoencoder: coordinates of cells from which their graph can be drawn again.

A variational autoencoder of two graph convolutions without biases (Kipf & Welling 2016), trained on
the graph less some pairs held back. With X the features, A the graph and D the degrees of A + I,

    Â = D^-½ (A + I) D^-½,   H = ReLU(Â X W₁),   μ = Â H W₂,   s = Â H W₃,   z = μ + ε eˢ,

and l = z zᵀ, the loss is

    n² / (2 (n² − ΣA)) · mean of [w Y softplus(−l) + (1 − Y) softplus(l)]
        − 1 / (2n) · mean over cells of Σ (1 + 2s − μ² − e²ˢ),

where Y = A + I and w = (n² − ΣA) / ΣA weighs the linked pairs. Adam takes all cells at once.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import scipy.sparse as sp
import torch
from impbench_plugins.shared.flat_weights import Float32, averages_of, flat_zeros
from impbench_plugins.shared.torch_adam import torch_adam

HIDDEN, COORDINATES = 32, 16
LEARNING_RATE = 0.01
SPLIT_SEED = 42
"""Of what is held back, whatever the seed of the run."""

_CELLS_PER_BLOCK = 512


def features_of(embedding: Float32) -> Float32:
    """Return 1 where a cell lies above the mean of all cells and else 0, of the same shape."""
    return np.asarray(embedding > embedding.mean(axis=0), dtype=np.float32)


def hold_back(linked: sp.csr_matrix, draws: np.random.RandomState) -> sp.csr_matrix:
    """Leave out 15 % of the linked pairs: a tenth and a twentieth, each rounded down.

    Pairs that are not linked are drawn besides. The program asks them how well it did and uses
    the answer nowhere; they move its stream of random numbers on.

    Parameters
    ----------
    linked
        (cells, cells) symmetric; the diagonal is left out.

    Returns
    -------
    (cells, cells) float32, symmetric, of ones.
    """
    n = linked.shape[0]
    pairs = np.column_stack(sp.csr_matrix(sp.triu(linked, k=1)).nonzero())
    n_asked, n_watched = len(pairs) // 10, len(pairs) // 20
    order = np.arange(len(pairs))
    draws.shuffle(order)
    kept = pairs[np.sort(order[n_watched + n_asked :])]
    for n_wanted in (n_asked, n_watched):
        _draw_unlinked(n, n_wanted, {(one, other) for one, other in pairs.tolist()}, draws)
    one_way = sp.csr_matrix((np.ones(len(kept), np.float32), (kept[:, 0], kept[:, 1])), (n, n))
    return sp.csr_matrix(one_way + one_way.T)


def enough_unlinked(linked: sp.csr_matrix) -> bool:
    """Tell whether as many pairs are not linked as `hold_back` draws."""
    n = linked.shape[0]
    n_pairs = sp.triu(linked, k=1).nnz
    return bool(n * (n - 1) // 2 - n_pairs >= n_pairs // 10)


def embed(
    features: Float32, linked: sp.csr_matrix, n_epochs: int, generator: torch.Generator
) -> Float32:
    """Train, and return the means μ of the last pass, ahead of its step, (cells, 16) float32.

    Parameters
    ----------
    features
        X, (cells, dimensions) float32.
    linked
        A, (cells, cells) float32, symmetric, 0 on the diagonal.
    generator
        Draws weights and noise as the program draws them.
    """
    network = GraphAutoencoder(features, linked, generator)
    means = np.empty(0, np.float32)
    for _ in range(n_epochs):
        means = network.step()
    return means


class GraphAutoencoder:
    """The network, its gradients by hand and its optimiser; see `embed` for the parameters."""

    def __init__(
        self, features: Float32, linked: sp.csr_matrix, generator: torch.Generator
    ) -> None:
        n = self._n = len(features)
        widths = (features.shape[1], HIDDEN, COORDINATES)
        shapes = [*pairwise(widths), (HIDDEN, COORDINATES)]
        self._flat, self.matrices = flat_zeros(shapes)
        self._flat_gradients, self.gradients = flat_zeros(shapes, quarter=1)
        self._averages = averages_of(self._flat)
        self._generator, self._steps = generator, 0
        for matrix in self.matrices:
            drawn = torch.empty(matrix.shape)
            torch.nn.init.xavier_uniform_(drawn, generator=generator)
            matrix[:] = drawn.numpy()
        targets = sp.csr_matrix(linked + sp.eye(n, dtype=np.float32), dtype=np.float32)
        scale = sp.diags(np.asarray(targets.sum(axis=1)).ravel() ** -0.5)
        self._spread = sp.csr_matrix(scale @ targets @ scale, dtype=np.float32)
        self._spread_features = self._spread @ features
        self._rows, self._columns = targets.nonzero()
        total = float(linked.sum())
        self._linked_weight = np.float32((n * n - total) / total)
        self._pair_weight = np.float32(1 / (2 * (n * n - total)))

    def step(self) -> Float32:
        """Take one step of Adam; return μ as it was before."""
        first, to_mean, to_log_sd = self.matrices
        hidden = np.maximum(self._spread_features @ first, 0)
        spread_hidden = self._spread @ hidden
        mean, log_sd = spread_hidden @ to_mean, spread_hidden @ to_log_sd
        sd = np.exp(log_sd)
        noise = torch.empty(mean.shape).normal_(generator=self._generator).numpy()
        by_z = self._by_coordinates(mean + noise * sd)
        share = np.float32(1 / self._n**2)
        by_mean = by_z + share * mean
        by_log_sd = by_z * noise * sd + share * (sd * sd - 1)
        self.gradients[1][:] = spread_hidden.T @ by_mean
        self.gradients[2][:] = spread_hidden.T @ by_log_sd
        by_hidden = self._spread @ (by_mean @ to_mean.T + by_log_sd @ to_log_sd.T)
        by_hidden *= hidden > 0
        self.gradients[0][:] = self._spread_features.T @ by_hidden
        self._steps += 1
        torch_adam(self._flat, self._flat_gradients, *self._averages, self._steps, LEARNING_RATE)
        return mean

    def _by_coordinates(self, z: Float32) -> Float32:
        """Return the derivative of the first term by z, (cells, 16)."""
        # As if no pair were linked, and then what the linked ones change.
        by_z = np.empty_like(z)
        for start in range(0, self._n, _CELLS_PER_BLOCK):
            block = slice(start, start + _CELLS_PER_BLOCK)
            odds = torch.from_numpy(z[block] @ z.T)
            by_z[block] = odds.sigmoid_().numpy() @ z
        linked = np.einsum("ij,ij->i", z[self._rows], z[self._columns])
        chance = torch.from_numpy(linked).sigmoid_().numpy()
        change = self._linked_weight * (chance - 1) - chance
        by_z += sp.csr_matrix((change, (self._rows, self._columns)), (self._n, self._n)) @ z
        return np.asarray(2 * self._pair_weight * by_z)


def _draw_unlinked(
    n: int, n_wanted: int, linked: set[tuple[int, int]], draws: np.random.RandomState
) -> None:
    found: set[tuple[int, int]] = set()
    while len(found) < n_wanted:
        one, other = draws.randint(0, n), draws.randint(0, n)
        pair = (min(one, other), max(one, other))
        if one != other and pair not in linked:
            found.add(pair)
