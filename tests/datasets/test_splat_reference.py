"""Our Splat simulations against the original's, and proof that each parameter would be missed.

``tests/data/splat/<scenario>.npz`` holds measurements of the four MaskClass scenarios at 500 cells
as splatter 1.22.1 drew them with seed 42: for each gene, cell and dropout curve exactly the arrays
that `measure` computes below from the true and observed counts and the factors in splatter's row
data, cast to float32. Nothing else was done to them.

Splatter's random numbers are not ours, so a comparison is one of distributions. Each function in
`COMPARISONS` boils a simulation down to a few numbers. The distance of a set of our simulations
from the reference is the largest difference between the reference's numbers and the means of ours,
each in standard deviations of that number between single seeds of ours (16 seeds, parameters as
they should be). The tolerance is 4 of them throughout: one splatter seed is one draw, and among
the 272 numbers compared the farthest lies at 2.9.

`NUDGES` shows for every parameter a wrong value that a comparison catches. Two parameters have no
effect on the reference, whose batch factors are all 1: the batch factors' own parameters are held
against their distribution instead. Logs are natural.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from impbench.data.scenarios import SimBatch, SimEqual, SimRare, SimUnequal
from impbench.data.splat import SplatParams, simulate_splat

REFERENCE = Path(__file__).parents[1] / "data" / "splat"
SCENARIOS = {s.name: s for s in (SimEqual, SimUnequal, SimRare, SimBatch)}
SEEDS = range(1, 17)
TOLERANCE = 4


@dataclass(frozen=True)
class Measured:
    """What is compared; genes are those seen in at least three cells."""

    base_gene_mean: np.ndarray  # (genes,)
    outlier_factor: np.ndarray  # (genes,)
    gene_mean: np.ndarray  # (genes,)
    de_factors: np.ndarray  # (groups, genes)
    batch_factors: np.ndarray  # (batches, genes)
    group: np.ndarray  # (cells,)
    expected_library_size: np.ndarray  # (cells,)
    true_library_size: np.ndarray  # (cells,)
    library_size: np.ndarray  # (cells,)
    true_zeros: np.ndarray  # (genes,) share of cells
    zeros: np.ndarray  # (genes,) share of cells
    cell_zeros: np.ndarray  # (cells,) share of genes
    mean: np.ndarray  # (genes,) of library-normalised true counts in the first group
    variance: np.ndarray  # (genes,) of the same
    curve_mean: np.ndarray  # (curves, genes) mean true count in the cells of a dropout curve
    curve_positive: np.ndarray  # (curves, genes) true counts above 0
    curve_lost: np.ndarray  # (curves, genes) of those, how many are observed as 0


def measure(
    counts, true_counts, group, batch, curve, base, outlier, gene_mean, de, batch_factors, library
) -> Measured:
    total = true_counts.sum(axis=1)
    first = group == 0
    normalised = (true_counts / total[:, None] * np.median(total))[first]
    curves = [curve == k for k in range(curve.max() + 1)]
    lost = (counts == 0) & (true_counts > 0)
    return Measured(
        base_gene_mean=base,
        outlier_factor=outlier,
        gene_mean=gene_mean,
        de_factors=de,
        batch_factors=batch_factors,
        group=group,
        expected_library_size=library,
        true_library_size=total,
        library_size=counts.sum(axis=1),
        true_zeros=(true_counts == 0).mean(axis=0),
        zeros=(counts == 0).mean(axis=0),
        cell_zeros=(counts == 0).mean(axis=1),
        mean=normalised.mean(axis=0),
        variance=normalised.var(axis=0, ddof=1),
        curve_mean=np.stack([true_counts[c].mean(axis=0) for c in curves]),
        curve_positive=np.stack([(true_counts[c] > 0).sum(axis=0) for c in curves]),
        curve_lost=np.stack([lost[c].sum(axis=0) for c in curves]),
    )


def reference(scenario: str) -> Measured:
    with np.load(REFERENCE / f"{scenario}.npz") as arrays:
        return Measured(**arrays)


@cache
def ours(scenario: str) -> list[Measured]:
    return [simulated(scenario, seed) for seed in SEEDS]


def simulated(scenario: str, seed: int, **nudged) -> Measured:
    """Simulate with the reference's dropout curves (the scenario's own at seed 42)."""
    params = SCENARIOS[scenario](n_cells=500, seed=42).splat_params()
    sim = simulate_splat(replace(params, seed=seed, **nudged), min_cells=3)
    return measure(
        sim.counts,
        sim.true_counts,
        sim.groups,
        sim.batches,
        sim.batches if params.dropout_type == "batch" else sim.groups,
        sim.base_gene_means,
        sim.outlier_factors,
        sim.gene_means,
        sim.de_factors,
        sim.batch_factors,
        sim.expected_library_size,
    )


def gene_means(m: Measured) -> np.ndarray:
    """Quantiles of the log gene means."""
    return np.log(np.quantile(m.gene_mean, [0.2, 0.35, 0.5, 0.65, 0.8, 0.9]))


def outlier_share(m: Measured) -> np.ndarray:
    return np.array([np.mean(m.outlier_factor != 1)])


def outlier_sizes(m: Measured) -> np.ndarray:
    """Mean and standard deviation of the log outlier factors."""
    logs = np.log(m.outlier_factor[m.outlier_factor != 1])
    return np.array([logs.mean(), logs.std()])


def library_sizes(m: Measured) -> np.ndarray:
    """Mean and standard deviation of the log expected and true library sizes."""
    logs = np.log([m.expected_library_size, m.true_library_size])
    return np.array([logs.mean(axis=1), logs.std(axis=1)])


def observed_library_sizes(m: Measured) -> np.ndarray:
    """Quantiles of the log of what dropout leaves of them."""
    return np.log(np.quantile(m.library_size, [0.1, 0.25, 0.5, 0.75, 0.9]))


def true_zeros(m: Measured) -> np.ndarray:
    """Quantiles over genes of the share of cells with a true zero."""
    return np.quantile(m.true_zeros, [0.5, 0.6, 0.7, 0.8, 0.9])


def observed_zeros(m: Measured) -> np.ndarray:
    """Quantiles over genes, then over cells, of the share of observed zeros."""
    levels = [0.1, 0.25, 0.5, 0.75, 0.9]
    return np.array([np.quantile(m.zeros, levels), np.quantile(m.cell_zeros, levels)])


MEAN_BINS = np.array([0.3, 1, 3, 10, 30, 100, 1000])


def mean_variance(m: Measured) -> np.ndarray:
    """Mean log squared coefficient of variation of true counts, by bins of the gene's mean."""
    seen = m.mean > MEAN_BINS[0]
    logs = np.log(m.variance[seen] / m.mean[seen] ** 2)
    bins = np.digitize(m.mean[seen], MEAN_BINS)
    return np.array([logs[bins == b].mean() for b in range(1, len(MEAN_BINS))])


def bcv_scatter(m: Measured) -> np.ndarray:
    """How far genes above 10 counts scatter around that curve (standard deviation of the log)."""
    high = m.mean > 10
    x, y = np.log(m.mean[high]), np.log(m.variance[high] / m.mean[high] ** 2)
    return np.array([np.std(y - np.polyval(np.polyfit(x, y, 2), x))])


def dropout_by_mean(m: Measured) -> np.ndarray:
    """Share of positive true counts lost, by dropout curve and bins of the gene's mean there."""
    bins = np.digitize(m.curve_mean, MEAN_BINS)
    of = range(1, len(MEAN_BINS))
    return np.array(
        [
            [lost[b == k].sum() / positive[b == k].sum() for k in of]
            for lost, positive, b in zip(m.curve_lost, m.curve_positive, bins, strict=True)
        ]
    )


def group_sizes(m: Measured) -> np.ndarray:
    return np.bincount(m.group.astype(int)) / len(m.group)


def de_share(m: Measured) -> np.ndarray:
    return np.array([np.mean(m.de_factors != 1)])


def de_down_share(m: Measured) -> np.ndarray:
    return np.array([np.mean(m.de_factors[m.de_factors != 1] < 1)])


def de_sizes(m: Measured) -> np.ndarray:
    """Mean and standard deviation of the absolute log DE factors."""
    logs = np.abs(np.log(m.de_factors[m.de_factors != 1]))
    return np.array([logs.mean(), logs.std()])


def curve_profiles(m: Measured) -> np.ndarray:
    """How far genes above 10 counts differ between dropout curves (batches, in Sim-Batch)."""
    high = m.curve_mean[:, m.curve_mean.min(axis=0) > 10]
    return np.log(high / high.mean(axis=0)).std(axis=1)


COMPARISONS = [
    gene_means,
    outlier_share,
    outlier_sizes,
    library_sizes,
    observed_library_sizes,
    true_zeros,
    observed_zeros,
    mean_variance,
    bcv_scatter,
    dropout_by_mean,
    group_sizes,
    de_share,
    de_down_share,
    de_sizes,
    curve_profiles,
]


def distance(comparison, scenario: str, simulations: list[Measured]) -> float:
    spread = np.std([comparison(m) for m in ours(scenario)], axis=0, ddof=1)
    difference = np.mean([comparison(m) for m in simulations], axis=0) - comparison(
        reference(scenario)
    )
    return float(np.max(np.abs(difference) / spread))


@pytest.mark.parametrize("comparison", COMPARISONS, ids=lambda c: c.__name__)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_simulations_match_splatter(scenario, comparison):
    assert distance(comparison, scenario, ours(scenario)) < TOLERANCE


# Parameter, right and wrong value, the comparisons that catch it. With 1100 genes and 500 cells,
# smaller errors of most of them hide in the spread between seeds.
RIGHT = SimBatch(n_cells=500).splat_params()
NUDGES = [
    ("mean_shape", 0.6, 0.9, [gene_means, true_zeros, observed_zeros]),
    ("mean_rate", 0.3, 0.4, [gene_means]),
    ("lib_loc", 11, 11.1, [library_sizes, observed_library_sizes]),
    ("lib_scale", 0.2, 0.24, [library_sizes]),
    ("out_prob", 0.05, 0.1, [outlier_share, gene_means, observed_zeros]),
    ("out_fac_loc", 4, 4.5, [outlier_sizes]),
    ("out_fac_scale", 0.5, 0.9, [outlier_sizes]),
    ("group_prob", (0.4, 0.3, 0.3), (0.6, 0.2, 0.2), [group_sizes]),
    ("de_prob", 0.1, 0.14, [de_share]),
    ("de_down_prob", 0.5, 0.7, [de_down_share]),
    ("de_fac_loc", 0.1, 0.4, [de_sizes]),
    ("de_fac_scale", 0.4, 0.55, [de_sizes]),
    ("bcv_common", 0.1, 0.15, [mean_variance]),
    ("bcv_df", 60, 25, [bcv_scatter]),
    ("batch_rm_effect", True, False, [curve_profiles]),
    (
        "dropout_mid",
        RIGHT.dropout_mid,
        tuple(mid + 0.2 for mid in RIGHT.dropout_mid),
        [dropout_by_mean],
    ),
    (
        "dropout_shape",
        RIGHT.dropout_shape,
        tuple(1.2 * shape for shape in RIGHT.dropout_shape),
        [dropout_by_mean, observed_zeros],
    ),
]


@pytest.mark.parametrize(
    ("name", "right", "wrong", "comparisons"), NUDGES, ids=[nudge[0] for nudge in NUDGES]
)
def test_wrong_parameter_is_caught(name, right, wrong, comparisons):
    assert getattr(RIGHT, name) == right
    nudged = [simulated("sim_batch", seed, **{name: wrong}) for seed in SEEDS[:3]]
    for comparison in comparisons:
        assert distance(comparison, "sim_batch", nudged) > TOLERANCE, comparison.__name__


def test_every_comparison_can_fail():
    assert {c for *_, comparisons in NUDGES for c in comparisons} == set(COMPARISONS)


def test_reference_batches_differ_in_dropout_alone():
    batch = reference("sim_batch")
    assert (batch.batch_factors == 1).all()
    assert batch.batch_factors.shape == (3, len(batch.gene_mean))


def batch_factor_fit(**nudged) -> float:
    """P-value that batch factors follow the model: |ln factor| = |N(loc, scale)|, half below 1."""
    params = SplatParams(n_genes=2000, batch_cells=(1, 1, 1), **nudged)
    logs = np.log(simulate_splat(params).batch_factors.ravel())
    sizes = stats.kstest(np.abs(logs), stats.foldnorm(c=1, scale=0.1).cdf).pvalue
    return min(sizes, stats.binomtest(int((logs < 0).sum()), len(logs)).pvalue)


def test_batch_factors_follow_the_model():
    assert batch_factor_fit() > 0.01


@pytest.mark.parametrize("nudged", [{"batch_fac_loc": 0.12}, {"batch_fac_scale": 0.12}])
def test_wrong_batch_parameter_is_caught(nudged):
    assert batch_factor_fit(**nudged) < 1e-6
