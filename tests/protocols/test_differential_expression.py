import dataclasses

import anndata
import numpy as np
import pandas as pd
import pytest

from impbench.data.dataset import Dataset
from impbench.data.read import read_counts_file
from impbench.errors import InputError
from impbench.imputer import Imputed
from impbench.metrics.differential import de_auc, de_overlap, lfc_mse, lfc_ned, lfc_pearson
from impbench.protocols.differential_expression import DifferentialExpression
from impbench.protocols.profiles import bulk_reference, simulated_profiles
from impbench.registry import registry

TYPES = ["a", "b", "c"]


@pytest.fixture(scope="module")
def splat() -> Dataset:
    return registry().dataset("sim_batch[n_cells=400,n_genes=300,batch_effect=kept]").load()


@pytest.fixture
def with_bulk(tmp_path):
    """60 cells of two types over 40 genes, written as h5ad, the bulk being their true means."""
    rng = np.random.default_rng(5)
    rates = rng.gamma(1, 3, (2, 40))
    labels = np.repeat(["x", "y"], 30)
    data = anndata.AnnData(
        rng.poisson(rates[np.repeat([0, 1], 30)]).astype(np.float32),
        obs=pd.DataFrame({"type": labels}, index=[f"cell{i}" for i in range(60)]),
        var=pd.DataFrame(index=[f"g{j}" for j in range(40)]),
    )
    data.varm["bulk"] = pd.DataFrame(rates.T * 1e4, index=data.var_names, columns=["x", "y"])
    data.write_h5ad(tmp_path / "bulk.h5ad")
    return tmp_path / "bulk.h5ad", rates


def score(problem, imputed, protocol):
    evidence = {**problem.hidden.extra}
    for name, offer in protocol.evidence(problem, imputed, 1).items():
        evidence[name] = offer()
    metrics = {m.name: m for m in (de_auc, lfc_pearson, lfc_mse, lfc_ned, de_overlap)}
    return {
        name: metrics[name](**{need: evidence[need] for need in metrics[name].needs})
        for name in problem.metrics
    }


def test_expected_expression_of_splat_is_what_its_cells_show(splat):
    profiles = simulated_profiles(splat)
    library = splat.true_counts.sum(axis=1)
    normalised = splat.true_counts / (library / np.median(library))[:, None]
    inside = splat.labels == profiles.types[0]
    for expected, cells in zip(profiles.means[:, 0], (inside, ~inside), strict=True):
        shown, spread = normalised[cells].mean(axis=0), normalised[cells].std(axis=0)
        error = (shown - expected) / np.maximum(spread / np.sqrt(cells.sum()), 0.02)
        assert np.abs(np.median(error)) < 0.3
        assert np.abs(error).max() < 6


def test_a_gene_differs_where_its_factor_is_not_that_of_the_others(splat):
    names = [c for c in splat.genes.columns if c.startswith("de_factor")]
    same = (splat.genes[names].to_numpy() == 1).all(axis=1)
    differs = simulated_profiles(splat).differs
    assert differs.shape == (len(names), splat.n_genes)
    assert not differs[:, same].any()
    assert differs[:, ~same].any(axis=0).all()


def test_truth_finds_what_differs_and_shuffled_cells_do_not(splat):
    protocol = DifferentialExpression(n_reference=20, n_found=60)
    problem = protocol.pose(splat, 1)
    truth = problem.hidden.truth()
    order = np.random.default_rng(0).permutation(splat.n_cells)
    found = score(problem, truth, protocol)
    shuffled = score(problem, Imputed(truth.expression[order], "lognorm"), protocol)
    assert found["de-auc"] > 0.8 > 0.6 > shuffled["de-auc"]
    assert found["lfc-pearson"] > 0.95
    assert abs(shuffled["lfc-pearson"]) < 0.4
    assert found["lfc-ned"] < 0.03
    assert shuffled["lfc-ned"] > 0.3
    assert found["lfc-mse"] < 0.05 < shuffled["lfc-mse"]
    assert found["de-overlap"] > 0.7 > 0.4 > shuffled["de-overlap"]


@pytest.mark.parametrize("test", ["wilcoxon", "t-test"])
@pytest.mark.parametrize("ranking", ["test", "fold-change"])
def test_every_test_and_ranking_tells_truth_from_gene_means(splat, test, ranking):
    protocol = DifferentialExpression(test=test, ranking=ranking, n_reference=20, n_found=60)
    problem = protocol.pose(splat, 1)
    truth = problem.hidden.truth()
    flat = Imputed(np.tile(truth.expression.mean(axis=0), (splat.n_cells, 1)), "lognorm")
    assert score(problem, truth, protocol)["de-auc"] > 0.75
    nothing = score(problem, flat, protocol)
    assert nothing["de-auc"] == 0.5
    assert nothing["lfc-pearson"] == 0
    assert nothing["de-overlap"] == 0


def test_bulk_of_a_file_is_the_reference(with_bulk):
    path, rates = with_bulk
    dataset = read_counts_file(path, label_key="type")
    shares = rates / rates.sum(axis=1, keepdims=True) * np.median(dataset.library_size)
    np.testing.assert_allclose(bulk_reference(dataset).means[0], shares)
    np.testing.assert_allclose(bulk_reference(dataset).means[1], shares[::-1])
    protocol = DifferentialExpression(n_reference=8, n_found=16)
    assert protocol.obstacle(dataset) is None
    problem = protocol.pose(dataset, 1)
    change = np.log2((1 + shares[0]) / (1 + shares[1]))
    largest = np.argsort(-np.abs(change))[:8]
    assert set(np.flatnonzero(problem.hidden.extra["de_true"][0])) == set(largest)
    found = score(problem, Imputed(problem.observed.lognorm, "lognorm"), protocol)
    assert found["de-auc"] > 0.9
    assert found["lfc-pearson"] > 0.95
    assert found["de-overlap"] == 1


def test_bulk_changes_the_fingerprint_and_survives_the_choice_of_genes(with_bulk):
    path, rates = with_bulk
    dataset = read_counts_file(path, label_key="type")
    other = dataset.genes.assign(bulk_x=dataset.genes["bulk_x"].to_numpy()[::-1])
    assert dataclasses.replace(dataset, genes=other).fingerprint != dataset.fingerprint
    chosen = registry().dataset(f"file[path={path},label_key=type,genes=10,hvg=dispersion]").load()
    everything = pd.Series(rates[0] / rates[0].sum(), index=dataset.gene_names)
    np.testing.assert_allclose(chosen.genes["bulk_x"], everything[list(chosen.gene_names)])


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda bulk: bulk.to_numpy(), "varm\\['bulk'\\] is no data frame"),
        (lambda bulk: bulk - 1e4, "must hold numbers of 0 or more"),
        (lambda bulk: bulk * 0, "all genes are 0"),
    ],
)
def test_unsound_bulk_is_refused(with_bulk, spoil, sentence):
    data = anndata.read_h5ad(with_bulk[0])
    data.varm["bulk"] = spoil(data.varm["bulk"])
    data.write_h5ad(with_bulk[0])
    with pytest.raises(InputError, match=sentence):
        read_counts_file(with_bulk[0], label_key="type")


def test_a_gini_coefficient_beyond_one_is_refused(with_bulk):
    data = anndata.read_h5ad(with_bulk[0])
    data.var["reference_gini"] = 1.5
    data.write_h5ad(with_bulk[0])
    with pytest.raises(InputError, match=r"is 1\.5 for gene 'g0'"):
        read_counts_file(with_bulk[0])


def test_obstacles_say_what_is_missing(splat, with_bulk):
    protocol = DifferentialExpression()
    assert "no cell-type labels" in protocol.obstacle(dataclasses.replace(splat, labels=None))
    real = dataclasses.replace(splat, true_counts=None)
    assert "varm['bulk']" in protocol.obstacle(real)
    lone = splat.labels.copy()
    lone[:] = "Group1"
    assert "two are needed" in protocol.obstacle(dataclasses.replace(splat, labels=lone))
    lone[0] = "Group2"
    assert "one cell of type 'Group2'" in protocol.obstacle(dataclasses.replace(splat, labels=lone))
    dataset = read_counts_file(with_bulk[0], label_key="type")
    assert "lower n_reference" in protocol.obstacle(dataset)
    other = np.where(np.arange(60) < 5, "z", dataset.labels)
    assert "varm['bulk']" in protocol.obstacle(dataclasses.replace(dataset, labels=other))


def test_top_lists_as_long_as_the_genes_are_left_out_and_said_so(splat):
    problem = DifferentialExpression().pose(splat, 1)
    assert "de-overlap" not in problem.metrics
    assert any("lower n_found" in sentence for sentence in problem.conventions)
