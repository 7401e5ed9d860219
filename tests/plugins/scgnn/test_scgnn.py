"""scGNN against its authors' program, and its pieces against PyTorch and plain loops."""

import random
from pathlib import Path

import anndata
import igraph
import numpy as np
import pytest
import torch
from impbench_plugins.scgnn import Scgnn
from impbench_plugins.scgnn.clusters import cluster, count_communities, how_many, mates
from impbench_plugins.scgnn.genes import choose
from impbench_plugins.scgnn.neighbours import NearestCells, nearest
from impbench_plugins.scgnn.network import FeatureAutoencoder
from threadpoolctl import threadpool_limits
from torch import nn

from impbench import Context, Observed
from impbench.errors import InputError

DATA = Path(__file__).parents[2] / "data"
SEED = 2
CELLS = slice(None, None, 3)
"""Of the original's imputation, what is stored."""

SHORT = Scgnn(epochs=3, em_iterations=2, em_epochs=2, cluster_epochs=1)


@pytest.fixture(scope="module")
def rare():
    return Observed.from_counts(anndata.read_h5ad(DATA / "inputs" / "small_rare.h5ad").X)


@pytest.fixture(scope="module")
def original():
    """What the authors' program (commit 09ac50b) gave with --quickmode --EM-iteration 2."""
    with np.load(DATA / "scgnn" / "original.npz") as stored:
        return dict(stored)


def test_genes_stand_in_the_originals_order(rare, original):
    np.testing.assert_array_equal(choose(rare, 2000).genes, original["genes"])
    np.testing.assert_array_equal(choose(rare, 30).genes, original["genes"][-30:])


def test_graph_of_the_originals_embedding_is_the_originals(original):
    graph = nearest(original["embedding"], 10)
    np.testing.assert_array_equal(graph.neighbours, original["neighbours"])
    np.testing.assert_array_equal(graph.near, original["near"])


def test_imputation_given_graph_and_clusters_is_the_originals_up_to_rounding(rare, original):
    """Rounding alone moves this by some per cent; another seed moves it by 26 %."""
    seen = choose(rare, 2000)
    graph = NearestCells(original["neighbours"].astype(np.int64), original["near"])
    weights = 0.3 * graph.degrees() + 0.1 * mates(original["clusters"].astype(np.int64))
    network = FeatureAutoencoder(seen.values, 512, 128, 1.0, torch.Generator().manual_seed(SEED))
    with threadpool_limits(1):
        for _ in range(200):
            layers = network.step(weights.astype(np.float32)[:, None])
    ours, theirs = layers[-1][CELLS], original["imputed"].astype(np.float32)
    other = original["imputed_seed3"].astype(np.float32)
    assert np.linalg.norm(ours - theirs) < 0.08 * np.linalg.norm(theirs)
    assert np.linalg.norm(other - theirs) > 0.2 * np.linalg.norm(theirs)


def test_loss_weights_of_cells_are_the_published_products_of_matrices():
    """Gradient by hand, first weights and steps are PyTorch's for Σ(A·E) and Σ(C·E)."""
    rng = np.random.default_rng(0)
    x = np.log1p(rng.poisson(2, (12, 9))).astype(np.float32)
    labels = np.arange(12) % 3
    graph = nearest(rng.standard_normal((12, 4)).astype(np.float32), 3)
    linked = np.zeros((12, 12), np.float32)
    np.put_along_axis(linked, graph.neighbours, 1, axis=1)
    linked = torch.from_numpy(np.maximum(linked, linked.T))
    same = torch.from_numpy((labels[:, None] == labels).astype(np.float32))

    torch.manual_seed(7)
    layers = [nn.Linear(9, 8), nn.ReLU(), nn.Linear(8, 4), nn.ReLU()]
    layers += [nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 9), nn.ReLU()]
    published = nn.Sequential(*layers)
    network = FeatureAutoencoder(x, 8, 4, 0.5, torch.Generator().manual_seed(7))
    optimizer = torch.optim.Adam(published.parameters(), lr=1e-3)
    weights = (0.3 * graph.degrees() + 0.1 * mates(labels)).astype(np.float32)[:, None]
    for _ in range(5):
        given = published(torch.from_numpy(x))
        errors = (given - torch.from_numpy(x)).square()
        size = sum(each.abs().sum() for each in published.parameters())
        loss = 0.3 * (linked @ errors).sum() + 0.1 * (same @ errors).sum() + 0.5 * size
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found = network.step(weights)[-1]
        np.testing.assert_allclose(found, given.detach().numpy(), atol=1e-5)
        for matrix, layer in zip(network.matrix_gradients, published[::2], strict=True):
            np.testing.assert_allclose(matrix, layer.weight.grad.numpy().T, rtol=1e-4, atol=1e-4)
    network.restart()
    torch.manual_seed(7)
    np.testing.assert_array_equal(network.matrices[0], nn.Linear(9, 8).weight.detach().numpy().T)


def test_graphs_are_the_published_ones():
    """Imputation takes every listed neighbour; for Louvain, the later cell's weight overwrites."""
    graph = nearest(np.random.default_rng(1).standard_normal((40, 2)).astype(np.float32), 6)
    weights = {}
    for cell, (listed, near) in enumerate(zip(graph.neighbours, graph.near, strict=True)):
        for neighbour, weight in zip(listed, near, strict=True):
            weights[frozenset((cell, int(neighbour)))] = weight
    expected = {tuple(sorted(pair)) for pair, weight in weights.items() if weight}
    assert {tuple(pair) for pair in graph.pairs_to_cluster().tolist()} == expected
    assert len(expected) < len(weights)
    assert graph.degrees().tolist() == [sum(cell in pair for pair in weights) for cell in range(40)]


def test_number_of_clusters_is_a_share_of_louvains():
    assert [how_many(8, 1999, None), how_many(8, 2000, None)] == [6, 4]
    assert how_many(3, 100, None) == 2
    assert how_many(8, 2000, 1.0) == 8


def test_louvain_draws_from_the_generator_it_is_given():
    edges = np.array(igraph.Graph.Erdos_Renyi(60, m=150).get_edgelist())
    found = [count_communities(60, edges, random.Random(seed)) for seed in [1] * 5 + [2, 3, 4, 5]]
    assert len(set(found[:5])) == 1
    assert len(set(found)) > 1
    random.seed(3)
    state = random.getstate()
    count_communities(60, edges, random.Random(1))
    assert random.getstate() == state
    assert count_communities(5, np.array([[0, 1]]), random.Random(1)) == 4


def test_more_than_30_clusters_are_merged_as_published():
    points = np.repeat(np.arange(40.0)[:, None] * 100, 6, axis=0).astype(np.float32)
    labels = cluster(points, 40)
    assert labels.max() == 30
    assert mates(labels)[labels == 30][0] == 60
    assert set(mates(labels)) == {6, 60}
    assert len(set(cluster(np.zeros((9, 2), np.float32), 2))) == 1


def test_every_cluster_adds_its_passes_and_quickmode_leaves_them_out(grouped):
    for quickmode in (False, True):
        told = []
        context = Context(on_progress=lambda done, total, told=told: told.append((done, total)))
        imputer = Scgnn(
            epochs=3, em_iterations=2, em_epochs=2, cluster_epochs=1, quickmode=quickmode
        )
        info = imputer.impute(grouped, context).info
        passes = 3 + 2 * len(info["clusters"]) + 2 + (0 if quickmode else sum(info["clusters"]))
        assert told[-1] == (passes, passes)
        assert all(done <= total for done, total in told)


def test_loop_ends_when_labels_stay(grouped):
    stays = Scgnn(epochs=3, em_iterations=6, em_epochs=1, quickmode=True, same_labels=0)
    assert len(stays.impute(grouped, Context()).info["similarities"]) < 6


def test_what_is_not_seen_comes_back_as_observed(grouped):
    counts = np.insert(grouped.counts, 4, 0, axis=0)
    imputed = Scgnn(n_genes=7, epochs=3, em_iterations=1, em_epochs=2, quickmode=True).impute(
        Observed.from_counts(counts), Context()
    )
    seen = np.sort(np.argsort(grouped.counts.var(axis=0))[-7:])
    unseen = np.delete(np.arange(20), seen)
    np.testing.assert_array_equal(imputed.expression[:, unseen], counts[:, unseen])
    np.testing.assert_array_equal(imputed.expression[4], 0)
    np.testing.assert_array_equal(imputed.embedding[4], 0)
    others = np.delete(np.arange(37), 4)
    changed = imputed.expression[np.ix_(others, seen)] != counts[np.ix_(others, seen)]
    assert changed.any(axis=0).all()


def test_genes_and_cells_are_filtered_as_published():
    counts = np.zeros((300, 200), dtype=int)
    counts[:, :150] = np.arange(150) + 1
    counts[:2, 150] = 1000  # In 2 of 300 cells: less than 1 %.
    counts[:3, 151] = 1000  # In 1 %.
    counts[7], counts[7, 0] = 0, 5  # 1 of 151 genes: less than 1 %.
    counts[8], counts[8, :2] = 0, 5
    seen = choose(Observed.from_counts(counts), 2000)
    assert 150 not in seen.genes
    assert seen.genes[-1] == 151
    assert 7 not in seen.cells
    assert 8 in seen.cells


def test_too_few_cells_are_refused_with_the_rule(grouped):
    few = Observed.from_counts(grouped.counts[:10])
    with pytest.raises(InputError, match=r"k=10 nearest .* needs 11 cells; 10 of 10 .* smaller k"):
        SHORT.impute(few, Context())
