import dataclasses

import anndata
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from impbench.data.read import read_counts_file
from impbench.imputer import Imputed
from impbench.protocols.distribution import Distribution
from impbench.protocols.gene_spread import expression_bins, gini, variation_by_type, zero_share
from impbench.registry import registry

counts = arrays(np.float64, (7, 3), elements=st.integers(0, 200).map(float))


@pytest.fixture(scope="module")
def splat():
    return registry().dataset("sim_equal[n_cells=200,n_genes=150]").load()


def file_with(tmp_path, **references):
    rng = np.random.default_rng(1)
    data = anndata.AnnData(
        rng.poisson(rng.gamma(1, 2, 20), (50, 20)).astype(np.float32),
        obs=pd.DataFrame({"type": np.repeat(["x", "y"], 25)}, index=[f"c{i}" for i in range(50)]),
        var=pd.DataFrame(index=[f"g{j}" for j in range(20)]),
    )
    if "gini" in references:
        data.var["reference_gini"] = references["gini"]
    if "bulk" in references:
        data.varm["bulk"] = pd.DataFrame(
            references["bulk"], index=data.var_names, columns=["x", "y"]
        )
    data.write_h5ad(tmp_path / "some.h5ad")
    return read_counts_file(tmp_path / "some.h5ad", label_key="type")


@given(counts)
def test_gini_is_the_double_sum_of_the_paper(values):
    found = gini(np.log2(1 + values))
    for gene in range(3):
        x = values[:, gene]
        if x.sum() == 0:
            assert np.isnan(found[gene])
            continue
        paper = np.abs(x[:, None] - x[None, :]).sum() / (2 * len(x) ** 2 * x.mean())
        assert found[gene] == pytest.approx(paper, abs=1e-9)


def test_gini_of_equal_cells_is_0_and_of_one_owner_almost_1():
    values = np.column_stack([np.full(10, 3.0), np.eye(10)[0] * 8])
    np.testing.assert_allclose(gini(np.log2(1 + values)), [0, 0.9], atol=1e-12)


def test_gini_in_blocks_is_gini_at_once(monkeypatch):
    from impbench.protocols import gene_spread

    values = np.log2(1 + np.random.default_rng(0).poisson(3, (30, 17)))
    whole = gini(values)
    monkeypatch.setattr(gene_spread, "BLOCK", 64)
    np.testing.assert_array_equal(gini(values), whole)


@given(counts)
def test_variation_is_numpys_within_each_type(values):
    labels = np.array(["b", "a", "b", "b", "a", "a", "c"])
    found = variation_by_type(np.log2(1 + values), labels)
    for row, name in enumerate("abc"):
        inside = values[labels == name]
        for gene in range(3):
            if inside[:, gene].sum() == 0 or name == "c":
                assert np.isnan(found[row, gene])
            else:
                expected = inside[:, gene].std() / inside[:, gene].mean()
                assert found[row, gene] == pytest.approx(expected, abs=1e-9)


def test_zeros_up_to_a_threshold():
    values = np.log2(1 + np.array([[0, 0.5], [0.4, 3], [-0.2, 0.6], [1, 0]]))
    np.testing.assert_allclose(zero_share(values, 0.0), [0.5, 0.25])
    np.testing.assert_allclose(zero_share(values, 0.5), [0.75, 0.5])


def test_bins_are_equally_filled_and_silent_genes_apart():
    level = np.array([5, 0, 1, 3, 2, 0, 9.0, 4])
    np.testing.assert_array_equal(expression_bins(level, 3), [3, 0, 1, 2, 1, 0, 3, 2])
    np.testing.assert_array_equal(expression_bins(np.zeros(3), 3), 0)


def test_truth_scores_no_error_and_a_mean_does(splat):
    protocol = Distribution()
    problem = protocol.pose(splat, 1)
    assert problem.metrics == ("gini-mse", "gini-pearson", "zeros-rmsd", "cv-rmsd", "cv-within")
    truth = problem.hidden.truth()
    found = protocol.evidence(problem, truth, 1)
    extra = problem.hidden.extra
    np.testing.assert_array_equal(found["gini_found"](), extra["gini_true"])
    np.testing.assert_array_equal(found["zeros_found"](), extra["zeros_true"])
    seen = ~np.isnan(found["cv_found"]())
    np.testing.assert_array_equal(found["cv_found"]()[seen], extra["cv_true"][seen])
    level = Imputed(np.tile(truth.expression.mean(axis=0), (200, 1)), "lognorm")
    flat = protocol.evidence(problem, level, 1)
    np.testing.assert_allclose(flat["gini_found"](), 0, atol=1e-6)
    np.testing.assert_array_equal(np.isnan(flat["cv_found"]()), ~seen)


def test_a_gene_that_a_method_wipes_out_counts_as_without_variation(splat):
    protocol = Distribution()
    problem = protocol.pose(splat, 1)
    wiped = protocol.evidence(problem, Imputed(np.zeros((200, splat.n_genes)), "lognorm"), 1)
    seen = protocol.evidence(problem, problem.hidden.truth(), 1)["cv_found"]()
    np.testing.assert_array_equal(wiped["cv_found"](), np.where(np.isnan(seen), np.nan, 0))


def test_a_reference_of_fish_is_used_where_there_is_no_truth(tmp_path):
    fish = np.where(np.arange(20) < 5, np.linspace(0.1, 0.9, 20), np.nan)
    dataset = file_with(tmp_path, gini=fish)
    problem = Distribution().pose(dataset, 1)
    np.testing.assert_array_equal(problem.hidden.extra["gini_true"], fish)
    assert problem.metrics == ("gini-mse", "gini-pearson", "cv-within", "zeros-low", "zeros-high")
    assert "mean observed expression" in " ".join(problem.conventions)


def test_technical_controls_are_no_cells_whose_spread_counts(splat):
    controls = np.arange(200) % 4 == 0
    known = pd.DataFrame({"technical": controls}, index=splat.cell_names)
    marked = Distribution().pose(dataclasses.replace(splat, cells=known), 1)
    apart = Distribution().pose(splat.of_cells(np.flatnonzero(~controls)), 1)
    np.testing.assert_array_equal(marked.observed.counts, apart.observed.counts)
    np.testing.assert_array_equal(marked.hidden.extra["gini_true"], apart.hidden.extra["gini_true"])
    assert "50 technical controls are shown to nobody" in marked.conventions[1]


def test_genes_silent_in_bulk_are_a_bin_of_their_own(tmp_path):
    bulk = np.random.default_rng(2).gamma(1, 100, (20, 2))
    bulk[[3, 7]] = 0
    problem = Distribution().pose(file_with(tmp_path, bulk=bulk), 1)
    assert problem.metrics == ("zeros-silent", "cv-within", "zeros-low", "zeros-high")
    bins = problem.hidden.extra["expression_bin"]
    assert set(np.flatnonzero(bins == 0)) == {3, 7}
    shares = (bulk / bulk.sum(axis=0)).mean(axis=1)
    assert bins[shares.argmax()] == 10
    assert "bulk expression" in " ".join(problem.conventions)


def test_without_labels_nothing_is_said_of_types(splat):
    bare = dataclasses.replace(splat, labels=None)
    assert Distribution().pose(bare, 1).metrics == ("gini-mse", "gini-pearson", "zeros-rmsd")
    few = Distribution(bins=200)
    assert "lower bins" in few.obstacle(splat)
