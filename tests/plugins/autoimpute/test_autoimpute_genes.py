import numpy as np
import pytest
from impbench_plugins.autoimpute.genes import N_BINS, dispersed_genes


@pytest.mark.parametrize(("rule", "fewest_cells"), [("code", 4), ("paper", 3)])
def test_genes_need_three_reads_in_enough_cells(rule, fewest_cells):
    counts = np.zeros((8, 9), dtype=int)
    for gene in range(9):
        counts[:gene, gene] = 3  # Gene g has 3 reads in g cells.
    counts[:, 1] = 2  # Many cells, but too few reads.
    chosen = dispersed_genes(counts, np.ones(8), 100, rule)
    np.testing.assert_array_equal(chosen, np.arange(fewest_cells, 9))


def test_the_papers_rule_takes_the_largest_coefficients_of_variation():
    rng = np.random.default_rng(0)
    counts = rng.negative_binomial(rng.uniform(0.5, 5, 50), 0.02, (30, 50))
    factors = rng.uniform(0.5, 2, 30)
    values = counts / factors[:, None]
    variation = values.std(axis=0, ddof=1) / values.mean(axis=0)
    chosen = dispersed_genes(counts, factors, 12, "paper")
    np.testing.assert_array_equal(chosen, np.sort(np.argsort(-variation)[:12]))


def test_the_programs_rule_scores_dispersion_within_genes_of_similar_mean():
    """In each bin of three genes the one whose dispersion is off the median by most comes first."""
    rng = np.random.default_rng(1)
    counts = rng.poisson(20 * 2.0 ** np.arange(60)[None] ** 0.5, (40, 60))
    odd = np.arange(0, 60, 3)
    counts[::2, odd] += 40
    counts[1::2, odd] -= np.minimum(counts[1::2, odd], 30)
    mean = counts.mean(axis=0)
    dispersion = counts.var(axis=0, ddof=1) / mean
    expected = []
    for genes in np.array_split(np.argsort(mean, kind="stable"), N_BINS):
        expected.append(genes[np.argmax(np.abs(dispersion[genes] - np.median(dispersion[genes])))])
    chosen = dispersed_genes(counts, np.ones(40), 20, "code")
    assert len(np.intersect1d(chosen, expected)) >= 18


def test_genes_all_alike_come_in_their_order():
    counts = np.full((6, 30), 5)
    np.testing.assert_array_equal(dispersed_genes(counts, np.ones(6), 4, "code"), range(4))
