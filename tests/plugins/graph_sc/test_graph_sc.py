"""graph-sc against the original's output, its pieces against plain forms, and its edges."""

from pathlib import Path

import anndata
import numpy as np
import pytest
import scipy.sparse as sp
import torch
from impbench_plugins.graph_sc import GraphSc
from impbench_plugins.graph_sc.graph import (
    CellGraph,
    build_graph,
    counted,
    variable_genes,
    whole_counts,
)
from impbench_plugins.graph_sc.network import Block, GraphWeights, encode, reconstruction_loss
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from impbench import Context, Observed
from impbench.errors import InputError
from impbench.testing.example import example_counts

DATA = Path(__file__).parents[2] / "data"
SEEDS = (1, 2, 3)
EVERY_NODE, EVERY_CELL = slice(None, None, 5), slice(None, None, 8)
"""Of the original's arrays, the rows that are stored."""
ORIGINAL_ARI = (0.2396, 0.2429, 0.2337)
"""Of k-means on the original's coordinates, seeds 1 to 3."""


@pytest.fixture(scope="module")
def cells():
    return anndata.read_h5ad(DATA / "inputs" / "small_rare.h5ad")


@pytest.fixture(scope="module")
def original():
    with np.load(DATA / "graph_sc" / "small_rare.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def imputed(cells):
    observed = Observed.from_counts(cells.X)
    return {seed: GraphSc().impute(observed, Context(seed=seed)) for seed in SEEDS}


@pytest.fixture(scope="module")
def tiny():
    return Observed.from_counts(example_counts(40, 30))


def graph_of(counts, n_components=50, n_genes=3000):
    counts = whole_counts(counts)
    cells, genes = counted(counts)
    genes = genes[variable_genes(counts[cells][:, genes], n_genes)]
    return build_graph(counts, cells, genes, n_components)


def test_features_of_genes_and_cells_equal_the_originals_but_for_signs(cells, original):
    graph = graph_of(cells.X)
    assert graph.weights.shape == cells.shape
    ours = np.concatenate([graph.gene_features, graph.cell_features])[EVERY_NODE]
    theirs = original["node_features"]
    signs = np.sign(np.sum(ours * theirs, axis=0))
    np.testing.assert_allclose(ours * signs, theirs, atol=1e-3)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_seed_gives_the_originals_coordinates_up_to_what_dropout_does(seed, imputed, original):
    ours = imputed[seed].embedding[EVERY_CELL]
    theirs = original[f"embedding_seed{seed}"]
    apart = np.linalg.norm(ours - theirs) / np.linalg.norm(theirs)
    # Training moves them by ten times as much, another seed by a hundred times.
    assert apart < 0.01 < 0.03 < imputed[seed].info["training_effect"] < 0.06
    other = original[f"embedding_seed{seed % 3 + 1}"]
    assert np.linalg.norm(ours - other) / np.linalg.norm(other) > 1


def test_clusters_agree_with_the_cell_types_as_the_originals_do(cells, imputed):
    labels = cells.obs["cell_type"].to_numpy()
    found = [
        adjusted_rand_score(labels, KMeans(4, n_init=10, random_state=5).fit_predict(one.embedding))
        for one in imputed.values()
    ]
    apart = abs(np.mean(found) - np.mean(ORIGINAL_ARI))
    assert apart < 3 * np.std(ORIGINAL_ARI, ddof=1)


def test_weights_of_a_cell_have_mean_1_and_follow_the_logs_of_its_counts():
    counts = np.array([[0, 1, 3, 9], [2, 0, 0, 5], [4, 4, 0, 0]])
    graph = graph_of(counts, 2)
    weights = graph.weights.toarray()
    np.testing.assert_allclose(weights.sum(axis=1), [3, 2, 2], rtol=1e-6)
    np.testing.assert_allclose(weights[0, 1:] / weights[0, 1], np.log([2, 4, 10]) / np.log(2))
    assert weights.dtype == np.float32


def test_counts_are_rounded_up_and_rare_genes_and_empty_cells_left_out():
    counts = np.array([[0.2, 1, 2, 0], [1.5, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]])
    whole = whole_counts(counts)
    assert whole.toarray()[:2, 0].tolist() == [1, 2]
    cells, genes = counted(whole)
    assert genes.tolist() == [0, 2]
    assert cells.tolist() == [0, 1]
    assert counts[0, 0] == 0.2


def test_genes_of_the_largest_normalised_dispersion_are_chosen_in_their_own_order():
    rng = np.random.default_rng(0)
    counts = rng.negative_binomial(2, 1 / (1 + rng.gamma(1.0, 4.0, 90)), (60, 90)) + 1
    values = counts * (np.median(counts.sum(1)) / counts.sum(1))[:, None]
    dispersion = np.log(values.var(0, ddof=1) / values.mean(0))
    mean = np.log1p(values.mean(0))
    bins = np.digitize(mean, np.linspace(mean.min(), mean.max(), 21)[1:-1], right=True)
    score = np.ones(90)  # Of a gene alone in its bin.
    for members in (np.flatnonzero(bins == number) for number in range(20)):
        if len(members) > 1:
            own = dispersion[members]
            score[members] = (own - own.mean()) / own.std(ddof=1)
    expected = np.sort(np.argsort(-score)[:20])
    np.testing.assert_array_equal(variable_genes(whole_counts(counts), 20), expected)


def test_convolution_equals_a_plain_one_edge_by_edge():
    rng = np.random.default_rng(1)
    counts = rng.poisson(1.0, (9, 7)) * (rng.random((9, 7)) < 0.6)
    counts[:, 0] = 1
    weights = whole_counts(counts).astype(np.float32)
    gene_features, cell_features = (rng.normal(size=(n, 4)).astype(np.float32) for n in (7, 9))
    graph = CellGraph(np.arange(9), np.arange(7), weights, gene_features, cell_features)
    drawn = GraphWeights.draw((4, 6, 5), torch.Generator().manual_seed(2), "cpu")
    a, _, b, c = (tensor.numpy() for tensor in drawn.all())
    batch = np.array([8, 2, 5])
    found = encode(Block.of(graph, batch, "cpu"), drawn).numpy()
    for row, cell in enumerate(batch):
        total = cell_features[cell] @ a
        senders = np.flatnonzero(counts[cell])
        for gene in senders:
            out_degree = np.count_nonzero(counts[batch, gene])
            total = total + counts[cell, gene] * (gene_features[gene] * out_degree**-0.5) @ a
        hidden = np.maximum(total * (len(senders) + 1) ** -0.5, 0)
        np.testing.assert_allclose(found[row], hidden @ b.T + c, rtol=1e-4, atol=1e-5)


def test_loss_asks_for_the_identity_with_its_positives_weighed():
    logits = torch.tensor([[0.5, -1.0, 2.0], [-1.0, 0.3, 0.1], [2.0, 0.1, -0.7]])
    values, m = logits.numpy(), 3
    likely = np.log(1 / (1 + np.exp(-values))) * (m - 1)
    unlikely = np.log(1 - 1 / (1 + np.exp(-values)))
    expected = -np.where(np.eye(m), likely, unlikely).mean() * m**2 / (2 * (m**2 - m))
    assert float(reconstruction_loss(logits)) == pytest.approx(expected, rel=1e-5)
    assert float(reconstruction_loss(torch.ones(1, 1))) == 0


def test_cells_without_a_count_get_what_no_gene_gives_and_change_no_other(tiny):
    where = [0, 25]
    padded = Observed.from_counts(np.insert(tiny.counts, where, 0, axis=0))
    imputer = GraphSc(n_components=10)
    embedding = imputer.impute(padded, Context()).embedding
    np.testing.assert_array_equal(embedding[0], embedding[26])
    rest = np.delete(embedding, [0, 26], axis=0)
    np.testing.assert_array_equal(rest, imputer.impute(tiny, Context()).embedding)


def test_sparse_counts_in_any_order_give_the_same(tiny):
    shuffled = sp.csr_matrix(tiny.counts[:, ::-1].astype(np.float32))[:, ::-1]
    imputer = GraphSc(n_components=10, epochs=1)
    found = imputer.impute(Observed.from_counts(shuffled), Context()).embedding
    np.testing.assert_array_equal(found, imputer.impute(tiny, Context()).embedding)


@pytest.mark.parametrize(
    ("shape", "parameters"), [((30, 60), {}), ((60, 40), {}), ((1, 60), {"n_components": 1})]
)
def test_too_few_cells_or_genes_for_the_components_are_refused(shape, parameters):
    observed = Observed.from_counts(example_counts(*shape) + 3)
    with pytest.raises(InputError, match=r"n_components=.*choose a smaller n_components"):
        GraphSc(**parameters).impute(observed, Context())


def test_every_parameter_changes_the_result(tiny):
    few = {"n_components": 10, "epochs": 2}
    default = GraphSc(**few).impute(tiny, Context()).embedding
    for changed in (
        {"n_hvg": 15}, {"n_components": 9}, {"hidden": 64}, {"embedding": 32}, {"dropout": 0.3},
        {"epochs": 0}, {"batch_size": 16}, {"learning_rate": 1e-3},
    ):  # fmt: skip
        found = GraphSc(**{**few, **changed}).impute(tiny, Context()).embedding
        assert not np.array_equal(found, default), changed


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_gives_what_the_cpu_gives(cells):
    observed = Observed.from_counts(cells.X)
    on_gpu = GraphSc().impute(observed, Context(device="cuda")).embedding
    on_cpu = GraphSc().impute(observed, Context()).embedding
    np.testing.assert_allclose(on_gpu, on_cpu, atol=1e-3)
