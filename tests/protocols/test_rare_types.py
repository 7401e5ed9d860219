import dataclasses

import numpy as np
import pytest

from impbench.errors import NoExpressionError
from impbench.imputer import Imputed
from impbench.metrics.clustering import batch_asw
from impbench.metrics.rare import (
    markers_imputed,
    markers_of_clusters,
    rare_f1,
    rare_markers,
    rare_recall,
)
from impbench.protocols.rare_types import RareTypes
from impbench.registry import registry

METRICS = (rare_f1, rare_recall, rare_markers, markers_of_clusters, markers_imputed)


@pytest.fixture(scope="module")
def splat():
    """Types of which the rarest is a few per cent of the cells, in two batches."""
    dataset = registry().dataset("sim_rare[n_cells=300,n_genes=200]").load()
    return dataclasses.replace(dataset, batch=np.array(["p", "q"] * 150))


def scores(protocol, problem, imputed):
    evidence = {name: (lambda value=value: value) for name, value in problem.hidden.extra.items()}
    evidence |= protocol.evidence(problem, imputed, 1)
    evidence["labels"] = lambda: problem.hidden.labels
    return {m.name: m(**{need: evidence[need]() for need in m.needs}) for m in METRICS}


def test_the_rarest_type_is_named_and_hidden(splat):
    problem = RareTypes().pose(splat, 1)
    types, sizes = np.unique(splat.labels, return_counts=True)
    assert problem.hidden.extra["rare_type"][0] == types[sizes.argmin()]
    assert f"{sizes.min()} of 300 cells" in " ".join(problem.conventions)
    assert problem.metrics == (
        "rare-f1",
        "rare-recall",
        "rare-markers",
        "markers-clusters",
        "markers-imputed",
        "batch-asw",
    )


def test_types_told_apart_are_found_and_shuffled_cells_are_not(splat):
    protocol = RareTypes(n_markers=20)
    problem = protocol.pose(splat, 1)
    truth = problem.hidden.truth()
    code = np.unique(splat.labels, return_inverse=True)[1]
    # The truth with the types pulled apart in some genes, so that clusters are the types.
    apart = truth.expression + 20 * np.eye(splat.n_genes, dtype=np.float32)[code]
    found = scores(protocol, problem, Imputed(apart, "lognorm"))
    assert found["rare-f1"] == 1
    assert found["rare-recall"] == 1
    assert found["markers-imputed"] > 0.9
    assert found["markers-clusters"] > 0.3
    order = np.random.default_rng(0).permutation(300)
    lost = scores(protocol, problem, Imputed(truth.expression[order], "lognorm"))
    assert lost["rare-f1"] < 0.3
    assert lost["markers-imputed"] < 0.5
    assert scores(protocol, problem, truth)["markers-imputed"] == 1


def test_markers_are_left_out_where_half_the_genes_would_be_some(splat):
    problem = RareTypes(n_markers=150).pose(splat, 1)
    assert "markers-imputed" not in problem.metrics
    assert "lower n_markers" in " ".join(problem.conventions)


def test_without_truth_imputed_markers_have_nothing_to_be_held_against(splat):
    problem = RareTypes().pose(dataclasses.replace(splat, true_counts=None), 1)
    assert problem.metrics[2:4] == ("rare-markers", "markers-clusters")
    assert "markers-imputed" not in problem.metrics
    assert "in observed expression" in problem.conventions[-1]


def test_a_type_of_one_cell_stands_in_the_way(splat):
    labels = splat.labels.copy()
    labels[0] = "lone"
    lone = dataclasses.replace(splat, labels=labels)
    assert "one cell of type" in RareTypes().obstacle(lone)
    assert "no cell-type labels" in RareTypes().obstacle(dataclasses.replace(splat, labels=None))
    assert RareTypes().obstacle(splat) is None


def test_clusters_of_an_embedding_keep_the_types_markers(splat):
    protocol = RareTypes(source="embedding", n_markers=20)
    problem = protocol.pose(splat, 1)
    layout = 10 * np.eye(6)[np.unique(splat.labels, return_inverse=True)[1]]
    imputed = Imputed(problem.observed.lognorm, "lognorm", embedding=layout)
    found = scores(protocol, problem, imputed)
    assert found["rare-f1"] == 1
    # Clusters are the types, so their markers in observed expression are those of the imputed.
    assert found["markers-clusters"] == found["markers-imputed"]


def test_an_embedding_alone_answers_all_but_imputed_markers(splat):
    protocol = RareTypes(source="embedding", n_markers=20)
    problem = protocol.pose(splat, 1)
    layout = 10 * np.eye(6)[np.unique(splat.labels, return_inverse=True)[1]]
    evidence = protocol.evidence(problem, Imputed(embedding=layout), 1)
    alone = evidence["clusters"](), evidence["markers_clusters"]()
    beside = protocol.evidence(
        problem, Imputed(problem.observed.lognorm, "lognorm", embedding=layout), 1
    )
    np.testing.assert_array_equal(alone[0], beside["clusters"]())
    np.testing.assert_array_equal(alone[1], beside["markers_clusters"]())
    with pytest.raises(NoExpressionError, match="only an embedding"):
        evidence["markers_found"]()


@pytest.mark.parametrize("source", ["embedding", "either"])
def test_mixing_of_batches_is_that_of_the_embedding(splat, source):
    """Batches far apart in the embedding, and not in the expression."""
    problem = RareTypes(source=source).pose(splat, 1)
    assert "batch-asw" in problem.metrics
    code = np.unique(splat.batch, return_inverse=True)[1]
    apart = np.random.default_rng(0).normal(size=(300, 2)) + 50 * code[:, None]
    found = RareTypes(source=source).evidence(problem, Imputed(embedding=apart), 1)
    assert batch_asw(found["silhouettes"]()) < 0.1
