"""What scNAME's networks learn besides the counts (Wan et al. 2022): mask, neighbours, clusters."""

from __future__ import annotations

import numpy as np
from impbench_plugins.shared.flat_weights import Float32


def corrupt(cells: Float32, share: float, rng: np.random.Generator) -> tuple[Float32, Float32]:
    """Exchange entries of a mini-batch, (cells, genes), for those of other cells.

    Returns
    -------
    The corrupted cells and the mask: 1 where a value is another than before, (cells, genes) both.
    """
    drawn = rng.random(cells.shape, dtype=np.float32) < share
    corrupted = np.where(drawn, rng.permuted(cells, axis=0), cells)
    return corrupted, (corrupted != cells).astype(np.float32)


def mask_gradient(logits: Float32, mask: Float32) -> Float32:
    """Derivatives of the binary cross-entropy, a mean over genes and cells, by the logits."""
    chance = 1 / (1 + np.exp(-np.clip(logits, -80, 80)))
    return np.asarray((chance - mask) / np.float32(mask.size))


def neighbour_gradient(
    corrupted: Float32, whole: Float32, bank: Float32, n_neighbours: int, temperature: float
) -> Float32:
    """Derivatives of the neighbour contrastive loss by the latents of corrupted cells.

    With unit rows z̃, z, b and P the rows of the bank most similar to z, the loss is the mean of
    −ln( Σ_{j∈P} e^{z̃·b_j / T} / Σ_j e^{z̃·b_j / T} ). Neighbours are chosen by rank, and what is in
    the bank is taken as given: nothing is learnt by z.

    Parameters
    ----------
    corrupted, whole
        z̃ and z, (cells, 32).
    bank
        Latest latents of all cells, (n, 32).
    n_neighbours, temperature
        Size of P, and T.
    """
    bank_rows, tilde = _to_unit_length(bank), _to_unit_length(corrupted)
    similar = _to_unit_length(whole) @ bank_rows.T
    n_neighbours = min(n_neighbours, len(bank))
    nearest = np.argpartition(-similar, n_neighbours - 1, axis=1)[:, :n_neighbours]
    likelihood = np.exp((tilde @ bank_rows.T - 1) / np.float32(temperature))
    near = np.zeros_like(likelihood)
    np.put_along_axis(near, nearest, np.take_along_axis(likelihood, nearest, axis=1), axis=1)
    by_similarity = likelihood / likelihood.sum(axis=1, keepdims=True)
    by_similarity -= near / near.sum(axis=1, keepdims=True)
    by = by_similarity @ bank_rows / np.float32(temperature * len(tilde))
    by -= tilde * np.sum(tilde * by, axis=1, keepdims=True)
    return np.asarray(by / _lengths(corrupted))


def squared_distances(latents: Float32, centres: Float32) -> Float32:
    """Return d, (cells, centres)."""
    by_centre = [np.square(latents - centre).sum(axis=1) for centre in centres]
    return np.stack(by_centre, axis=1)


def cluster_gradient(latents: Float32, centres: Float32) -> tuple[Float32, Float32]:
    """Derivatives of soft k-means by latents, (cells, 32), and by centres, (centres, 32).

    q ∝ e^{−d}, squared and brought to a sum of 1 again; the loss is the mean over cells of Σ q d,
    and q is not held fast.
    """
    distances = squared_distances(latents, centres)
    q = np.exp(-2 * (distances - distances.min(axis=1, keepdims=True)))
    q /= q.sum(axis=1, keepdims=True)
    expected = np.sum(q * distances, axis=1, keepdims=True)
    by = 2 * q * (1 - 2 * (distances - expected)) / np.float32(len(latents))
    by_latents = latents * by.sum(axis=1, keepdims=True) - by @ centres
    by_centres = centres * by.sum(axis=0)[:, None] - by.T @ latents
    return by_latents, by_centres


def _to_unit_length(rows: Float32) -> Float32:
    return np.asarray(rows / _lengths(rows))


def _lengths(rows: Float32) -> Float32:
    """Return the rows' lengths, (rows, 1), never 0."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(np.maximum(lengths, np.finfo(np.float32).tiny))
