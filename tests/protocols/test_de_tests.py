import numpy as np
import pandas as pd
import pytest
from scipy import stats

from impbench.protocols.de_tests import adjusted, compare, log_fold_changes, mean_by_group

pytestmark = pytest.mark.slow

GROUPS = np.repeat(["b", "a", "c"], [20, 15, 7])


@pytest.fixture(scope="module")
def expression():
    """42 cells x 70 genes with many ties, one constant gene and one all-zero gene."""
    rng = np.random.default_rng(3)
    means = rng.gamma(1, 2, (3, 70))[np.unique(GROUPS, return_inverse=True)[1]]
    values = np.log2(1 + rng.poisson(means)).astype(np.float32)
    values[:, 5], values[:, 6] = 2.5, 0
    return values


@pytest.mark.parametrize("test", ["wilcoxon", "t-test"])
def test_scores_and_adjusted_p_values_are_scanpys(expression, test):
    import anndata
    import scanpy

    table = anndata.AnnData(
        expression.astype(np.float64),
        obs=pd.DataFrame({"g": pd.Categorical(GROUPS)}, index=[f"c{i}" for i in range(42)]),
    )
    table.var_names = [f"g{j}" for j in range(70)]
    with np.errstate(invalid="ignore"):
        scanpy.tl.rank_genes_groups(table, "g", method=test, tie_correct=test == "wilcoxon")
    found = compare(expression, GROUPS, test)
    assert list(found.groups) == ["a", "b", "c"]
    for row, group in enumerate(found.groups):
        theirs = scanpy.get.rank_genes_groups_df(table, group).set_index("names")
        theirs = theirs.loc[table.var_names]
        varies = np.ptp(expression, axis=0) > 0
        np.testing.assert_allclose(found.scores[row][varies], theirs.scores[varies], rtol=2e-5)
        np.testing.assert_allclose(
            adjusted(found.p_values)[row][varies], theirs.pvals_adj[varies], rtol=1e-4, atol=1e-12
        )


def test_wilcoxon_is_scipys_mann_whitney(expression):
    found = compare(expression, GROUPS, "wilcoxon")
    inside = GROUPS == "a"
    for gene in (0, 20, 69):
        theirs = stats.mannwhitneyu(
            expression[inside, gene].astype(float),
            expression[~inside, gene].astype(float),
            use_continuity=False,
            method="asymptotic",
        )
        assert found.p_values[0, gene] == pytest.approx(theirs.pvalue, rel=1e-9)


@pytest.mark.parametrize("test", ["wilcoxon", "t-test"])
def test_a_gene_that_never_varies_says_nothing(expression, test):
    found = compare(expression, GROUPS, test)
    assert (found.scores[:, [5, 6]] == 0).all()
    assert (found.p_values[:, [5, 6]] == 1).all()


@pytest.mark.parametrize("test", ["wilcoxon", "t-test"])
def test_genes_without_spread_within_groups_are_the_surest(test):
    groups = np.repeat([0, 1], 6)
    values = np.column_stack([groups, np.arange(12) % 3]).astype(np.float32)
    found = compare(values, groups, test)
    assert np.isfinite(found.scores).all()
    assert found.scores[1, 0] > abs(found.scores[1, 1])
    assert found.p_values[1, 0] < 0.01


@pytest.mark.parametrize("test", ["wilcoxon", "t-test"])
def test_a_group_of_one_cell_is_not_tested_but_counts_among_the_others(expression, test):
    groups = np.where(np.arange(42) == 41, "d", GROUPS)
    found = compare(expression, groups, test)
    assert list(found.groups) == ["a", "b", "c"]
    merged = compare(expression, np.where(groups == "d", "c", groups), test)
    np.testing.assert_allclose(found.scores[0], merged.scores[0])


@pytest.mark.parametrize("test", ["wilcoxon", "t-test"])
def test_one_group_leaves_nothing_to_compare_with(expression, test):
    found = compare(expression, np.zeros(42, dtype=int), test)
    assert found.scores.shape == (0, 70)


def test_means_and_fold_changes_by_hand():
    normalised = np.array([[3.0, 0], [1, 0], [7, 4], [0, 0]])
    means = mean_by_group(np.log2(1 + normalised), np.array(["x", "x", "y", "z"]))
    np.testing.assert_allclose(means[0], [[2, 0], [7, 4], [0, 0]], atol=1e-12)
    np.testing.assert_allclose(means[1], [[3.5, 2], [4 / 3, 0], [11 / 3, 4 / 3]], atol=1e-12)
    change = log_fold_changes(means)
    assert change[0, 0] == pytest.approx(np.log2(3 / 4.5))
    assert change[1, 1] == pytest.approx(np.log2(5))
