"""Simulate single-cell counts with the Splat model, in blocks of cells shared by threads.

The model is that of Zappia, Phipson and Oshlack (Genome Biology 18:174, 2017), with the steps and
defaults of splatter 1.22's "groups" mode. In the order in which they are drawn:

1. library size of each cell, log-normal (or normal), and its group
2. base mean of each gene, gamma; a few genes become outliers at a multiple of the median mean
3. batch factors and differential-expression factors of each gene, log-normal
4. mean of each gene in each cell: its share of gene mean × batch factor × DE factor, times the
   cell's library size
5. cell means around that, gamma, whose coefficient of variation (BCV) falls with the mean
6. true counts, Poisson
7. observed counts: a true count becomes zero with a probability that falls with log cell mean

Steps 5 to 7 fill (cells, genes) matrices. They run in blocks of cells; each block has a random
stream of its own, so the result depends on the parameters alone, never on the number of threads.
NumPy's generators release the interpreter lock, so plain threads share the work.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from impbench import large
from impbench.data.splat_params import SplatParams
from impbench.errors import InputError

__all__ = ["SplatParams", "SplatSimulation", "dropout_probability", "simulate_splat"]

# Entries of one block: small enough for its temporary arrays to stay in cache, and part of the
# definition of the result, because each block draws from its own stream.
BLOCK_ENTRIES = 2**18


@dataclass(frozen=True)
class SplatSimulation:
    """Simulated counts and everything that generated them.

    The matrices are dense int32: about two thirds of the observed counts are zeros, so CSR with
    its column indices would take nearly as much memory, and the true counts are mostly non-zero.

    Attributes
    ----------
    params
        What was asked for.
    counts, true_counts
        (cells, genes) int32, after and before dropout; ``counts`` is 0 or equals ``true_counts``.
    groups, batches
        (cells,) intp, index of each cell's group and batch.
    genes
        (genes,) intp, index of each gene among the `params.n_genes` simulated ones.
    expected_library_size
        (cells,) the drawn library size; the total of `true_counts` scatters around it.
    base_gene_means, outlier_factors, gene_means
        (genes,) means before outliers, factors (1 where not an outlier) and means after.
    de_factors
        (groups, genes), 1 where a gene is not differentially expressed in the group.
    batch_factors
        (batches, genes), 1 with a single batch or with `batch_rm_effect`.
    bcv_factors
        (genes,) the gene's factor on the BCV, sqrt(df / χ²_df).
    dropout_mid, dropout_shape
        (1,), (batches,), (groups,) or (cells,), as `params.dropout_type` says.
    """

    params: SplatParams
    counts: NDArray[np.int32]
    true_counts: NDArray[np.int32]
    groups: NDArray[np.intp]
    batches: NDArray[np.intp]
    genes: NDArray[np.intp]
    expected_library_size: NDArray[np.float64]
    base_gene_means: NDArray[np.float64]
    outlier_factors: NDArray[np.float64]
    gene_means: NDArray[np.float64]
    de_factors: NDArray[np.float64]
    batch_factors: NDArray[np.float64]
    bcv_factors: NDArray[np.float64]
    dropout_mid: NDArray[np.float64]
    dropout_shape: NDArray[np.float64]


def simulate_splat(
    params: SplatParams, *, min_cells: int = 0, threads: int | None = None
) -> SplatSimulation:
    """Draw a data set from the Splat model.

    Parameters
    ----------
    params
        The model's parameters, seed included.
    min_cells
        Leave out, after everything is drawn, genes whose observed count is positive in fewer cells.
    threads
        How many threads draw blocks of cells; None means one per core, at most 8. The result is
        the same for any number.

    Raises
    ------
    InputError
        If the parameters lead to genes that are all unexpressed, library sizes that are all
        negative, or counts beyond 32 bits.

    Notes
    -----
    Every step has its own stream, so that a change of one parameter leaves the draws of the other
    steps as they were; in particular the true counts do not depend on dropout.
    """
    cells_per_block = max(1, BLOCK_ENTRIES // params.n_genes)
    starts = range(0, params.n_cells, cells_per_block)
    streams = np.random.SeedSequence(params.seed).spawn(6 + len(starts))
    of_library, of_group, of_gene, of_batch, of_de, of_bcv = map(_generator, streams[:6])

    library = _library_sizes(of_library, params)
    groups = of_group.choice(params.n_groups, size=params.n_cells, p=params.group_prob)
    batches = np.repeat(np.arange(params.n_batches), params.batch_cells)
    base, outliers, means = _gene_means(of_gene, params)
    batch_factors = _batch_factors(of_batch, params)
    de_factors = _de_factors(of_de, params)
    bcv_factors = _bcv_factors(of_bcv, params)
    mid = np.array(params.per_dropout_unit("dropout_mid"))
    shape = np.array(params.per_dropout_unit("dropout_shape"))

    # A cell's share of each gene depends on its batch and group alone.
    shares = batch_factors[:, None, :] * de_factors[None, :, :] * means
    totals = shares.sum(axis=2, keepdims=True)
    if not (np.isfinite(totals).all() and (totals > 0).all()):
        raise InputError(
            f"no gene is expressed with mean_shape={params.mean_shape}, "
            f"mean_rate={params.mean_rate}, n_genes={params.n_genes}; raise mean_shape or n_genes"
        )
    shares /= totals
    unit = _unit_of_cell(params, groups, batches)

    true_counts = large.empty((params.n_cells, params.n_genes), np.int32)
    counts = large.like(true_counts)

    def draw(start: int, stream: np.random.SeedSequence) -> None:
        block = slice(start, start + cells_per_block)
        rng = _generator(stream)
        cell_means = _cell_means(
            rng,
            shares[batches[block], groups[block]] * library[block, None],
            params.bcv_common,
            bcv_factors,
        )
        drawn = rng.poisson(cell_means)
        if drawn.max() > np.iinfo(np.int32).max:
            raise InputError(
                f"a count of {drawn.max()} does not fit 32 bits; lower lib_loc={params.lib_loc} "
                f"or lib_scale={params.lib_scale}"
            )
        true_counts[block] = drawn
        counts[block] = drawn
        if params.dropout_type != "none":
            of_cell = unit[block]
            lost = dropout_probability(cell_means, mid[of_cell, None], shape[of_cell, None])
            counts[block][rng.random(lost.shape) < lost] = 0
        large.release(true_counts, counts, rows=block)

    with ThreadPoolExecutor(threads or min(os.cpu_count() or 1, 8)) as pool:
        for _ in pool.map(draw, starts, streams[6:]):
            pass

    seen = sum(np.count_nonzero(counts[cells], axis=0) for cells in large.some_rows(counts))
    genes = np.flatnonzero(seen >= min_cells)
    if len(genes) < params.n_genes:
        # One after the other, so that three matrices at most are held at once.
        counts = _of_genes(counts, genes)
        true_counts = _of_genes(true_counts, genes)

    return SplatSimulation(
        params=params,
        counts=counts,
        true_counts=true_counts,
        groups=groups,
        batches=batches,
        genes=genes,
        expected_library_size=library,
        base_gene_means=base[genes],
        outlier_factors=outliers[genes],
        gene_means=means[genes],
        de_factors=de_factors[:, genes],
        batch_factors=batch_factors[:, genes],
        bcv_factors=bcv_factors[genes],
        dropout_mid=mid,
        dropout_shape=shape,
    )


def dropout_probability(
    cell_means: ArrayLike, mid: ArrayLike, shape: ArrayLike
) -> NDArray[np.float64]:
    """Return 1 / (1 + exp(−shape · (ln cell mean − mid))), the probability of losing a count.

    Parameters
    ----------
    cell_means
        Expected counts, 0 or more.
    mid
        Natural log of the mean at which half of the counts are lost.
    shape
        Slope of the logistic; negative, so that low counts are lost more often.
    """
    # The smallest positive number stands in for 0, whose logarithm would make 0 · ∞ of shape 0.
    log_means = np.log(np.maximum(cell_means, np.finfo(np.float64).tiny))
    from scipy.special import expit

    return np.asarray(expit(np.asarray(shape) * (log_means - np.asarray(mid))))


def _of_genes(counts: NDArray[np.int32], genes: NDArray[np.intp]) -> NDArray[np.int32]:
    result = large.empty((len(counts), len(genes)), np.int32)
    for cells in large.some_rows(result, counts):
        np.take(counts[cells], genes, axis=1, out=result[cells])
    return result


def _generator(stream: np.random.SeedSequence) -> np.random.Generator:
    return np.random.Generator(np.random.SFC64(stream))


def _library_sizes(rng: np.random.Generator, params: SplatParams) -> NDArray[np.float64]:
    if not params.lib_norm:
        return rng.lognormal(params.lib_loc, params.lib_scale, params.n_cells)
    sizes = rng.normal(params.lib_loc, params.lib_scale, params.n_cells)
    if not (sizes > 0).any():
        raise InputError(
            f"every library size drawn from a normal distribution with lib_loc={params.lib_loc} "
            f"and lib_scale={params.lib_scale} is negative; raise lib_loc or use lib_norm=False"
        )
    # As splatter does: half of the smallest positive size stands in for a negative one.
    return np.where(sizes > 0, sizes, sizes[sizes > 0].min() / 2)


def _gene_means(
    rng: np.random.Generator, params: SplatParams
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    base = rng.gamma(params.mean_shape, 1 / params.mean_rate, params.n_genes)
    factors = _lognormal_factors(
        rng, params.n_genes, params.out_prob, 0.0, params.out_fac_loc, params.out_fac_scale
    )
    return base, factors, np.where(factors == 1, base, np.median(base) * factors)


def _batch_factors(rng: np.random.Generator, params: SplatParams) -> NDArray[np.float64]:
    if params.n_batches == 1 or params.batch_rm_effect:
        return np.ones((params.n_batches, params.n_genes))
    each = zip(params.per_batch("batch_fac_loc"), params.per_batch("batch_fac_scale"), strict=True)
    return np.stack([_lognormal_factors(rng, params.n_genes, 1.0, 0.5, *fac) for fac in each])


def _de_factors(rng: np.random.Generator, params: SplatParams) -> NDArray[np.float64]:
    if params.n_groups == 1:
        return np.ones((1, params.n_genes))
    names = ("de_prob", "de_down_prob", "de_fac_loc", "de_fac_scale")
    each = zip(*map(params.per_group, names), strict=True)
    return np.stack([_lognormal_factors(rng, params.n_genes, *group) for group in each])


def _lognormal_factors(
    rng: np.random.Generator, n: int, prob: float, down_prob: float, loc: float, scale: float
) -> NDArray[np.float64]:
    """Draw n factors: 1, or with probability `prob` a log-normal one, turned up or down.

    The direction is drawn on its own, so a value below 1 is inverted before it is applied: with
    ``down_prob=0`` every factor is at least 1.
    """
    chosen = rng.random(n) < prob
    down = rng.random(n) < down_prob
    size = np.abs(rng.normal(loc, scale, n))
    return np.where(chosen, np.exp(np.where(down, -size, size)), 1.0)


def _bcv_factors(rng: np.random.Generator, params: SplatParams) -> NDArray[np.float64]:
    if np.isinf(params.bcv_df):
        return np.ones(params.n_genes)
    return np.sqrt(params.bcv_df / rng.chisquare(params.bcv_df, params.n_genes))


def _cell_means(
    rng: np.random.Generator,
    means: NDArray[np.float64],
    bcv_common: float,
    bcv_factors: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Draw cell means: gamma with mean `means` and coefficient of variation BCV.

    BCV = (bcv_common + 1/√mean) · factor of the gene. The gamma's shape is 1/BCV² and its scale
    mean · BCV² = ((1 + bcv_common · √mean) · factor)², which is also right where the mean is 0.
    """
    scale = np.sqrt(means)
    scale *= bcv_common
    scale += 1
    scale *= bcv_factors
    np.square(scale, out=scale)
    drawn = rng.standard_gamma(means / scale)
    drawn *= scale
    return drawn


def _unit_of_cell(
    params: SplatParams, groups: NDArray[np.intp], batches: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Return, per cell, which of the dropout mids and shapes it takes."""
    units = {"batch": batches, "group": groups, "cell": np.arange(params.n_cells)}
    return units.get(params.dropout_type, np.zeros_like(groups))
