"""Masking and noise of section 2.5 for the fast engine, on a sparse form of the scaled data.

An observed zero scales to exactly −1, so a cell is −1 plus its few other entries: d = s + 1. Random
numbers are hashes of seed, epoch, cell and position, so that they depend on nothing else.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from impbench_plugins.shared.compiled import njit
from numpy.typing import NDArray

from impbench import large

from .rows import LANES, inlined, jit, prefetch
from .training import MaskClassData

Float32 = NDArray[np.float32]
GENES_PER_ROUND = 128
"""Sums over genes go through so many genes at a time, whose weights fit the nearest cache."""

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


class Scaled(NamedTuple):
    """The scaled data set, by cell.

    `genes` and `d` hold what was observed, cell after cell, genes ascending; entries start[i, t] to
    start[i, t + 1] are cell i's among genes t · `GENES_PER_ROUND` and the next `GENES_PER_ROUND`.
    `p_bio` is (cells, genes), `p_bio_sum` its sum over each cell; the rest are per gene.
    """

    start: NDArray[np.int64]
    genes: NDArray[np.int32]
    d: Float32
    p_bio: Float32
    p_bio_sum: NDArray[np.float64]
    max_count: Float32
    q_low: Float32
    q_high: Float32
    slope: Float32
    s0: Float32

    @classmethod
    def of(cls, data: MaskClassData) -> Scaled:
        """Bring a training set into this form."""
        scaler = data.scaler
        per_gene = (scaler.q_low, scaler.q_high, scaler.slope, scaler.s0)
        q_low, q_high, slope, s0 = (values.astype(np.float32) for values in per_gene)
        n_rounds = -(-data.n_genes // GENES_PER_ROUND)
        start = np.zeros((data.n_cells, n_rounds + 1), np.int64)
        n_observed = _count(data.lognorm, start)
        genes, d = np.empty(n_observed, np.int32), np.empty(n_observed, np.float32)
        _fill(data.lognorm, q_low, q_high, slope, genes, d)
        large.release(data.lognorm)
        p_bio_sum = data.p_bio.sum(axis=1, dtype=np.float64)
        return cls(start, genes, d, data.p_bio, p_bio_sum, data.max_count, q_low, q_high, slope, s0)


class Batch(NamedTuple):
    """A corrupted mini-batch, by cell; matrices are (batch, genes).

    Row i of `genes` and `d` holds cell i's n[i] entries of s̃ + 1: what was observed, of which
    entries first[i, t] to first[i, t + 1] belong to round t of genes, then masked zeros. Row i of
    `masked_genes`, `target` (s), `weight` (w) and `gradient` holds its n_masked[i] masked entries,
    zeros last. `is_masked` and `masked` mark and list the entries of one cell in passing, and
    `done` counts how many of a cell's masked entries the output layer has been through.
    """

    n: NDArray[np.int64]
    first: NDArray[np.int64]
    genes: NDArray[np.int32]
    d: Float32
    n_masked: NDArray[np.int64]
    masked_genes: NDArray[np.int32]
    target: Float32
    weight: Float32
    gradient: Float32
    is_masked: NDArray[np.int32]
    masked: NDArray[np.int32]
    done: NDArray[np.int64]

    @classmethod
    def empty(cls, batch_size: int, n_genes: int) -> Batch:
        """Allocate room for `batch_size` cells."""
        shape = (batch_size, n_genes)
        return cls(
            n=np.zeros(batch_size, np.int64),
            first=np.zeros((batch_size, -(-n_genes // GENES_PER_ROUND) + 1), np.int64),
            genes=np.zeros(shape, np.int32),
            d=np.zeros(shape, np.float32),
            n_masked=np.zeros(batch_size, np.int64),
            masked_genes=np.zeros(shape, np.int32),
            target=np.zeros(shape, np.float32),
            weight=np.zeros(shape, np.float32),
            gradient=np.zeros(shape, np.float32),
            is_masked=np.zeros(n_genes, np.int32),
            masked=np.zeros(n_genes + 1, np.int32),
            done=np.zeros(batch_size, np.int64),
        )


class Rates(NamedTuple):
    """p_zero, p_nonzero, ν and the two weights of section 2.5."""

    p_zero: float
    p_nonzero: float
    nu: float
    w_bio: float
    w_nz: float


@inlined
def hashed(key: Any, position: Any) -> Any:
    """Return 64 random bits, the splitmix64 generator's output number `position` from `key`."""
    z = np.uint64(key) + np.uint64(position + 1) * _GOLDEN
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@jit
def shuffle(order: Any, key: Any) -> None:
    """Put `order` into a random order, in place (Fisher and Yates)."""
    for i in range(order.size - 1, 0, -1):
        # The high half of the product of 32 random bits and i + 1 lies evenly in 0 .. i.
        j = np.int64(((hashed(key, i) >> np.uint64(32)) * np.uint64(i + 1)) >> np.uint64(32))
        order[i], order[j] = order[j], order[i]


@jit
def corrupt(scaled: Any, cells: Any, key: Any, rates: Any, batch: Any) -> float:
    """Fill `batch` with the corrupted `cells`; return the sum of the weights of masked entries."""
    total_weight = 0.0
    for i in range(cells.size):
        if i + 1 < cells.size:
            _fetch(scaled, cells[i + 1])
        cell_key = hashed(key, cells[i])
        _mask_nonzeros(scaled, cells[i], cell_key, rates, batch, i)
        _mask_zeros(scaled, cells[i], cell_key, rates, batch, i)
        for e in range(batch.n_masked[i]):
            total_weight += batch.weight[i, e]
    return total_weight


@jit
def _fetch(scaled: Any, cell: Any) -> None:
    """Have the cell's rows brought from memory while another cell is at work: cells are far apart.

    Without it a step waits for memory about a fifth of its time once the data exceed the caches.
    """
    for e in range(scaled.start[cell, 0], scaled.start[cell, -1], LANES):
        prefetch(scaled.genes, 0, e)
        prefetch(scaled.d, 0, e)
    for gene in range(0, scaled.p_bio.shape[1], LANES):
        prefetch(scaled.p_bio, cell, gene)


@jit
def _mask_nonzeros(scaled: Any, cell: Any, key: Any, rates: Any, batch: Any, i: Any) -> None:
    """Copy the cell's observed entries, those that are masked with s̃ = 0, that is d = 1."""
    start, end = scaled.start[cell, 0], scaled.start[cell, -1]
    n, threshold = end - start, np.uint64(rates.p_nonzero * 2.0**32)
    # Four plain loops, since numba turns only such into vector instructions.
    for e in range(n):
        batch.is_masked[e] = (hashed(key, e) >> np.uint64(32)) < threshold
    for e in range(n):
        batch.d[i, e] = np.float32(1) if batch.is_masked[e] else scaled.d[start + e]
    for e in range(n):
        batch.genes[i, e] = scaled.genes[start + e]
    for t in range(batch.first.shape[1]):
        batch.first[i, t] = scaled.start[cell, t] - start
    n_masked = 0
    for e in range(n):
        # Written for every entry and kept for masked ones: a branch would be mispredicted often.
        batch.masked[n_masked] = e
        n_masked += batch.is_masked[e]
    for k in range(n_masked):
        e = start + batch.masked[k]
        batch.masked_genes[i, k] = scaled.genes[e]
        batch.target[i, k] = scaled.d[e] - np.float32(1)
        batch.weight[i, k] = rates.w_nz
    batch.n[i], batch.n_masked[i] = n, n_masked


@jit
def _mask_zeros(scaled: Any, cell: Any, key: Any, rates: Any, batch: Any, i: Any) -> None:
    """Add the cell's masked zeros, each with its noise.

    A zero is masked with probability p_zero · p_bio: genes are picked at rate p_zero, by jumping
    from one to the next (the gaps are geometric), and each picked one is kept with probability
    p_bio, which is 0 for genes that were observed.
    """
    if rates.p_zero <= 0:
        return
    n_genes = scaled.p_bio.shape[1]
    n, n_masked = batch.n[i], batch.n_masked[i]
    scale = 1 / np.log1p(-rates.p_zero)
    draw, gene = n_genes, -1
    while True:
        u = (np.float64(hashed(key, draw) >> np.uint64(11)) + 0.5) * 2.0**-53
        gene += 1 + np.int64(min(np.log(u) * scale, 1e9))
        if gene >= n_genes:
            break
        bits = hashed(key, draw + 1)
        draw += 2
        if np.float32(bits >> np.uint64(40)) * np.float32(2.0**-24) < scaled.p_bio[cell, gene]:
            eta = np.float64(bits & np.uint64(0xFFFFFFFF)) * 2.0**-32 * rates.nu
            noise = np.float32(np.log2(1 + eta * scaled.max_count[gene]))
            noise = min(max(noise, scaled.q_low[gene]), scaled.q_high[gene])
            batch.genes[i, n] = gene
            batch.d[i, n] = (noise - scaled.q_low[gene]) * scaled.slope[gene]
            batch.masked_genes[i, n_masked] = gene
            batch.target[i, n_masked] = -1
            batch.weight[i, n_masked] = rates.w_bio
            n += 1
            n_masked += 1
    batch.n[i], batch.n_masked[i] = n, n_masked


@njit(error_model="numpy", nogil=True)
def _count(lognorm: Any, start: Any) -> int:
    """Fill `start` and return the number of observed entries."""
    n = 0
    for cell in range(lognorm.shape[0]):
        start[cell, 0] = n
        for gene in range(lognorm.shape[1]):
            n += lognorm[cell, gene] != 0
            start[cell, gene // GENES_PER_ROUND + 1] = n
    return n


@njit(error_model="numpy", nogil=True)
def _fill(lognorm: Any, q_low: Any, q_high: Any, slope: Any, genes: Any, d: Any) -> None:
    e = 0
    for cell in range(lognorm.shape[0]):
        for gene in range(lognorm.shape[1]):
            x = lognorm[cell, gene]
            if x != 0:
                genes[e] = gene
                d[e] = (min(max(x, q_low[gene]), q_high[gene]) - q_low[gene]) * slope[gene]
                e += 1
