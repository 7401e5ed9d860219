import dataclasses
import re

import numpy as np
import pytest

from impbench.data.dataset import Dataset
from impbench.errors import InputError
from impbench.imputer import Imputed
from impbench.protocols import clustering as clustering_module
from impbench.protocols.clustering import Clustering
from impbench.protocols.protocol import observe
from impbench.protocols.simulated_truth import SimulatedTruth

TYPES = np.repeat(["beta", "alpha", "delta"], [20, 15, 10])


@pytest.fixture(scope="module")
def simulated():
    """45 cells of three types over 30 genes; true library sizes vary and dropout is a third."""
    rng = np.random.default_rng(0)
    means = rng.gamma(2, 4, (3, 30))[np.unique(TYPES, return_inverse=True)[1]]
    true = rng.poisson(means * rng.uniform(0.5, 2, (45, 1)))
    counts = true * (rng.random(true.shape) > 1 / 3)
    return Dataset(
        name="tiny",
        counts=counts,
        gene_names=tuple(f"g{j}" for j in range(30)),
        cell_names=tuple(f"{label}-{i}" for i, label in enumerate(TYPES)),
        library_size=counts.sum(axis=1).astype(float),
        labels=TYPES,
        true_counts=true,
    )


def _oracle(problem):
    return problem.hidden.truth()


def test_truth_needs_true_counts(simulated):
    assert SimulatedTruth().obstacle(simulated) is None
    real = dataclasses.replace(simulated, true_counts=None)
    assert "tiny has no true counts" in SimulatedTruth().obstacle(real)


def test_true_library_leaves_kept_values_without_error(simulated):
    problem = SimulatedTruth(library="true").pose(simulated, seed=1)
    truth = _oracle(problem).expression
    kept = simulated.counts > 0
    np.testing.assert_array_equal(problem.observed.lognorm[kept], truth[kept])
    size = simulated.true_counts.sum(axis=1)
    expected = np.log2(1 + simulated.true_counts / (size / np.median(size))[:, None])
    np.testing.assert_allclose(truth, expected, rtol=1e-5)
    assert "true library sizes" in problem.conventions[0]


def test_own_library_divides_each_matrix_by_its_own_sizes(simulated):
    problem = SimulatedTruth(library="own").pose(simulated, seed=1)
    own = simulated.counts.sum(axis=1)
    expected = np.log2(1 + simulated.counts / (own / np.median(own))[:, None])
    np.testing.assert_allclose(problem.observed.lognorm, expected, rtol=1e-5)
    same = _oracle(SimulatedTruth(library="true").pose(simulated, seed=1)).expression
    np.testing.assert_array_equal(_oracle(problem).expression, same)


@pytest.mark.parametrize("protocol", [SimulatedTruth(), Clustering()])
def test_nothing_the_imputer_sees_tells_the_types(protocol, simulated):
    observed = protocol.pose(simulated, seed=1).observed
    shown = " ".join((*observed.cell_names, *observed.gene_names))
    assert not any(label in shown for label in TYPES)
    assert {field.name for field in dataclasses.fields(observed)} == {
        "counts",
        "size_factors",
        "gene_names",
        "cell_names",
        "batch",
        "n_groups",
    }


def test_unknown_library_convention_is_refused(simulated):
    with pytest.raises(InputError, match="library"):
        SimulatedTruth(library="median")
    with pytest.raises(InputError, match="'median' is neither 'own' nor 'true'"):
        observe(simulated, "median")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"labels": None}, "no cell-type labels"),
        ({"labels": np.repeat("beta", 45)}, "every cell of tiny is labelled 'beta'"),
        ({"labels": np.arange(45).astype(str)}, "45 cell types for 45 cells"),
        (
            {"labels": np.where(np.arange(45) == 7, "nan", TYPES)},
            "1 of 45 cells of tiny have no label, first beta-7",
        ),
        (
            {"labels": np.array([None, *TYPES[1:]], dtype=object)},
            "1 of 45 cells of tiny have no label, first beta-0",
        ),
    ],
)
def test_clustering_says_what_stands_in_its_way(simulated, change, sentence):
    obstacle = Clustering().obstacle(dataclasses.replace(simulated, **change))
    assert re.search(sentence, obstacle)


def test_one_gene_stands_in_the_way_of_components(simulated):
    one = dataclasses.replace(
        simulated, counts=simulated.counts[:, :1], gene_names=("g",), true_counts=None
    )
    assert "one gene" in Clustering().obstacle(one)


def test_batch_score_comes_only_with_batches(simulated):
    def pose(batch):
        return Clustering().pose(dataclasses.replace(simulated, batch=batch), seed=1)

    alone, mixed = pose(np.repeat("one", 45)), pose(np.array(["p", "q", "r"] * 15))
    assert "batch-asw" not in pose(None).metrics
    assert "batch-asw" not in alone.metrics
    assert "is of batch 'one'" in alone.left_out["batch-asw"]
    assert "batch-asw" in mixed.metrics
    assert mixed.left_out == {}


@pytest.mark.parametrize("algorithm", ["kmeans", "leiden"])
@pytest.mark.parametrize("reduction", ["pca", "tsne"])
def test_clusters_are_as_many_as_types_and_repeat_with_the_seed(simulated, algorithm, reduction):
    protocol = Clustering(algorithm=algorithm, reduction=reduction)
    problem = protocol.pose(simulated, seed=1)
    first, again = (protocol.evidence(problem, _oracle(problem), seed=4) for _ in range(2))
    clusters = first["clusters"]()
    assert len(set(clusters)) == 3
    np.testing.assert_array_equal(clusters, again["clusters"]())
    n_dimensions = 2 if reduction == "tsne" else 30
    assert first["components"]().shape == (45, n_dimensions)


def test_components_and_clusters_are_computed_once(simulated, monkeypatch):
    calls = []

    def counted(expression):
        calls.append(expression.shape)
        return np.asarray(expression[:, :2], dtype=np.float64)

    monkeypatch.setattr(clustering_module, "principal_components", counted)
    problem = Clustering().pose(simulated, seed=1)
    evidence = Clustering().evidence(problem, _oracle(problem), seed=1)
    assert calls == [], "nothing is computed before it is asked for"
    assert evidence["clusters"]() is evidence["clusters"]()
    assert evidence["components"]() is evidence["components"]()
    assert len(calls) == 1


def test_of_many_cells_silhouettes_are_those_of_some_and_that_is_said(simulated, monkeypatch):
    from sklearn.metrics import silhouette_samples

    def widths_of(problem):
        evidence = Clustering().evidence(problem, _oracle(problem), seed=1)
        return evidence["components"](), evidence["silhouettes"]()

    usual = Clustering().pose(simulated, seed=1)
    assert "drawn at random" not in " ".join(usual.conventions)
    monkeypatch.setattr(clustering_module, "ALL_WIDTHS_UP_TO", 40)
    monkeypatch.setattr(clustering_module, "SOME_WIDTHS", 20)
    problem = Clustering().pose(simulated, seed=1)
    assert "silhouettes are those of 20 of the cells, drawn at random" in problem.conventions[-1]
    points, widths = widths_of(problem)
    each = silhouette_samples(points, simulated.labels)
    some = np.random.default_rng(0).choice(45, 20, replace=False)
    assert widths["labels"] == pytest.approx(each[some].mean(), abs=1e-9)
    assert widths["labels"] != pytest.approx(each.mean(), abs=1e-6)
    assert widths_of(usual)[1] == widths_of(problem)[1], "the same cells for every method"


def test_embedding_is_clustered_as_it_is_and_missed_when_not_offered(simulated):
    protocol = Clustering(source="embedding")
    problem = protocol.pose(simulated, seed=1)
    oracle = _oracle(problem)
    layout = np.eye(3)[np.unique(TYPES, return_inverse=True)[1]].astype(np.float32)
    offered = Imputed(oracle.expression, "lognorm", embedding=layout)
    evidence = protocol.evidence(problem, offered, seed=1)
    np.testing.assert_array_equal(evidence["components"](), layout)
    assert len({(c, t) for c, t in zip(evidence["clusters"](), TYPES, strict=True)}) == 3
    with pytest.raises(InputError, match="offers no embedding"):
        protocol.evidence(problem, oracle, seed=1)["clusters"]()


def test_either_source_is_the_embedding_where_there_is_one(simulated):
    protocol = Clustering(source="either")
    problem = protocol.pose(simulated, seed=1)
    oracle = _oracle(problem)
    layout = np.arange(90, dtype=np.float32).reshape(45, 2)
    offered = Imputed(oracle.expression, "lognorm", embedding=layout)
    np.testing.assert_array_equal(
        protocol.evidence(problem, offered, seed=1)["components"](), layout
    )
    np.testing.assert_array_equal(
        protocol.evidence(problem, oracle, seed=1)["components"](),
        Clustering().evidence(problem, oracle, seed=1)["components"](),
    )


def test_conventions_say_how_the_clusters_were_made(simulated):
    def text(**options):
        return Clustering(**options).pose(simulated, seed=1).conventions[-1]

    assert text() == (
        "clusters by k-means on max{2, min(50, N, G)} principal components of the imputed log2 "
        "values, true k, k-means++, best of 10 starts"
    )
    assert "t-SNE" in text(reduction="tsne")
    assert "Leiden" in text(algorithm="leiden")
    assert "embedding" in text(source="embedding")
