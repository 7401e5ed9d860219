"""scGNN's graph autoencoder against PyTorch, with the published loss and draws written out."""

import numpy as np
import pytest
import torch
from impbench_plugins.scgnn import Scgnn
from impbench_plugins.scgnn.graph_autoencoder import embed, features_of, hold_back
from impbench_plugins.scgnn.neighbours import nearest
from impbench_plugins.scgnn.network import FeatureAutoencoder
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from impbench import Context, Observed
from impbench.errors import InputError


def published_embedding(features, linked, n_epochs):
    """Draw from PyTorch's own generator, and let it find the gradients."""
    n = len(features)
    features, linked = torch.from_numpy(features), torch.from_numpy(linked.toarray())
    shapes = [(features.shape[1], 32), (32, 16), (32, 16)]
    weights = [nn.init.xavier_uniform_(nn.Parameter(torch.empty(shape))) for shape in shapes]
    optimizer = torch.optim.Adam(weights, lr=0.01)
    targets = linked + torch.eye(n)
    scale = torch.diag(targets.sum(dim=1) ** -0.5)
    spread = scale @ targets @ scale
    linked_weight = (n * n - linked.sum()) / linked.sum()
    for _ in range(n_epochs):
        hidden = torch.relu(spread @ (features @ weights[0]))
        mean, log_sd = spread @ (hidden @ weights[1]), spread @ (hidden @ weights[2])
        z = mean + torch.randn_like(mean) * log_sd.exp()
        entropy = functional.binary_cross_entropy_with_logits(
            z @ z.T, targets, pos_weight=linked_weight
        )
        divergence = (1 + 2 * log_sd - mean**2 - (2 * log_sd).exp()).sum(dim=1).mean()
        loss = n * n / (2 * (n * n - linked.sum())) * entropy - 0.5 / n * divergence
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return mean.detach().numpy()


def published_hold_back(linked, draws):
    """Keep lists, and go through them, as the program does."""
    n, pairs = linked.shape[0], [(i, j) for i, j in np.argwhere(linked.toarray()) if i < j]
    order = np.arange(len(pairs))
    draws.shuffle(order)
    n_watched, n_asked = len(pairs) // 20, len(pairs) // 10
    kept = [pairs[place] for place in order[n_watched + n_asked :]]
    for n_wanted in (n_asked, n_watched):
        found = []
        while len(found) < n_wanted:
            i, j = draws.randint(0, n), draws.randint(0, n)
            known = [*pairs, *found]
            if i != j and (i, j) not in known and (j, i) not in known:
                found.append((i, j))
    return kept


@pytest.fixture(scope="module")
def cells():
    rng = np.random.default_rng(0)
    return (rng.standard_normal((40, 9)) + np.repeat([[-2], [2]], 20, axis=0)).astype(np.float32)


def test_pairs_held_back_and_the_stream_are_the_published_ones(cells):
    linked = nearest(cells, 8).union()
    ours, theirs = np.random.RandomState(42), np.random.RandomState(42)
    for _ in range(2):
        kept = hold_back(linked, ours)
        expected = published_hold_back(linked, theirs)
        assert {(i, j) for i, j in np.argwhere(kept.toarray()) if i < j} == set(expected)
        assert (kept != kept.T).nnz == 0
    assert kept.nnz < 0.86 * linked.nnz
    assert ours.randint(0, 1000) == theirs.randint(0, 1000)


def test_embedding_is_pytorchs_of_the_published_loss(cells):
    kept = hold_back(nearest(cells, 8).union(), np.random.RandomState(42))
    features = features_of(cells)
    assert set(np.unique(features)) == {0, 1}
    torch.manual_seed(3)
    expected = published_embedding(features, kept, 60)
    found = embed(features, kept, 60, torch.Generator().manual_seed(3))
    np.testing.assert_allclose(found, expected, atol=1e-3 * np.abs(expected).max())
    # Sixty steps have moved it far from where it began.
    start = embed(features, kept, 1, torch.Generator().manual_seed(3))
    assert np.linalg.norm(found - start) > np.linalg.norm(start)


def test_whole_run_draws_what_the_program_draws(grouped):
    """Its loader of batches takes one number for every pass; the graph's noise comes after."""
    imputer = Scgnn(
        k=5, hidden=16, latent=8, epochs=3, em_iterations=1, em_epochs=2, quickmode=True,
        graph_embedding=True, graph_epochs=4,
    )  # fmt: skip
    imputed = imputer.impute(grouped, Context(seed=6))

    x = np.log1p(grouped.counts[:, np.argsort(grouped.counts.var(axis=0), kind="stable")])
    x = x.astype(np.float32)
    network = FeatureAutoencoder(x, 16, 8, 1.0, torch.Generator().manual_seed(6))
    torch.manual_seed(6)
    for inputs, outputs in ((20, 16), (16, 8), (8, 16), (16, 20)):
        nn.Linear(inputs, outputs)
    loader, splits = DataLoader(TensorDataset(torch.from_numpy(x)), 36), np.random.RandomState(42)
    for n_epochs in (3, 2):
        for _ in range(n_epochs):
            for _ in loader:
                z = network.step(np.full((36, 1), 0.1, np.float32))[2]
        kept = hold_back(nearest(z, 5).union(), splits)
        expected = published_embedding(features_of(z), kept, 4)
    assert imputed.embedding.shape == (36, 16)
    np.testing.assert_allclose(imputed.embedding, expected, atol=1e-4)


def test_graph_embedding_without_enough_unlinked_cells_is_refused(grouped):
    few = Observed.from_counts(grouped.counts[:12])
    imputer = Scgnn(epochs=1, quickmode=True, graph_embedding=True)
    with pytest.raises(InputError, match=r"graph_embedding.* k=10 nearest cells 12 .* smaller k"):
        imputer.impute(few, Context())
