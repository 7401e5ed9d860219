from pathlib import Path

import anndata
import numpy as np
import pytest
import scanpy
from impbench_plugins.autoimpute.genes import EDGES, dispersed_genes

INPUTS = Path(__file__).parents[2] / "data" / "inputs"


@pytest.mark.parametrize(("rule", "fewest_cells"), [("code", 4), ("paper", 3)])
def test_genes_need_three_reads_in_enough_cells(rule, fewest_cells):
    counts = np.zeros((8, 9), dtype=int)
    for gene in range(9):
        counts[:gene, gene] = 3  # Gene g has 3 reads in g cells.
    counts[:, 1] = 2  # Many cells, but too few reads.
    chosen = dispersed_genes(counts, 100, rule)
    np.testing.assert_array_equal(np.sort(chosen.genes), np.arange(fewest_cells, 9))


@pytest.mark.parametrize("rule", ["code", "paper"])
def test_library_sizes_are_those_of_the_genes_that_are_expressed_enough(rule):
    rng = np.random.default_rng(0)
    counts = rng.poisson(8, (31, 40))
    counts[:, 30:] = 0
    counts[:2, 30:] = rng.integers(
        1000, 9000, (2, 10)
    )  # In too few cells, and most of their reads.
    factors = dispersed_genes(counts, 5, rule).size_factors
    kept = counts[:, :30].sum(axis=1)
    np.testing.assert_allclose(factors, kept / np.median(kept))
    without = dispersed_genes(counts[:, :30], 5, rule)
    np.testing.assert_array_equal(without.genes, dispersed_genes(counts, 5, rule).genes)


def test_the_papers_rule_takes_the_largest_coefficients_of_variation():
    rng = np.random.default_rng(0)
    counts = rng.negative_binomial(rng.uniform(2, 5, 50), 0.02, (30, 50))
    chosen = dispersed_genes(counts, 12, "paper")
    values = counts / chosen.size_factors[:, None]
    variation = values.std(axis=0, ddof=1) / values.mean(axis=0)
    np.testing.assert_array_equal(chosen.genes, np.argsort(-variation)[:12])


def test_the_programs_rule_is_that_of_cell_ranger_gene_by_gene_in_order():
    """scanpy has the same bins; it lets the sign stand, which the program takes away."""
    counts = anndata.read_h5ad(INPUTS / "small_rare.h5ad").X.toarray()
    expressed = np.flatnonzero((counts > 2).sum(axis=0) > 3)
    kept = counts[:, expressed]
    library = kept.sum(axis=1)
    cells = anndata.AnnData(kept / (library / np.median(library))[:, None])
    theirs = scanpy.pp.highly_variable_genes(cells, flavor="cell_ranger", n_top_genes=100,
                                             inplace=False)  # fmt: skip
    order = np.argsort(-theirs["dispersions_norm"].abs().to_numpy(), kind="stable")
    chosen = dispersed_genes(counts, 100, "code").genes
    np.testing.assert_array_equal(chosen, expressed[order[:100]])


def test_the_first_bin_holds_a_tenth_of_the_genes_and_the_others_a_twentieth():
    assert len(EDGES) == 19
    ranks = np.arange(201.0)
    sizes = np.bincount(np.searchsorted(np.quantile(ranks, EDGES), ranks))
    assert sizes[0] == 21  # The edge itself belongs to the bin on its left.
    assert set(sizes[1:]) == {10}


def test_infinite_scores_come_first_and_zero_over_zero_last():
    """Where most genes of a bin have the same dispersion, its MAD is 0."""
    alike = np.full((6, 30), 5)
    np.testing.assert_array_equal(dispersed_genes(alike, 4, "code").genes, range(4))
    # Half of the cells have 10 and half 20 of every gene, but one takes from another what it adds.
    counts = np.repeat([[10], [20]], 4, axis=0) * np.ones((1, 40), dtype=int)
    counts[:4, 17] += [6, -6, 6, -6]
    counts[:4, 33] -= [6, -6, 6, -6]
    chosen = dispersed_genes(counts, 40, "code").genes
    np.testing.assert_array_equal(chosen, [17, 33, *np.setdiff1d(range(40), [17, 33])])
