"""scNAME: its losses against PyTorch's own gradients, its schedule, and its authors' program."""

from pathlib import Path

import anndata
import numpy as np
import pytest
import torch
from impbench_plugins.scname import ScName
from impbench_plugins.scname.losses import (
    cluster_gradient,
    corrupt,
    mask_gradient,
    neighbour_gradient,
)
from impbench_plugins.scname.network import HIDDEN, LATENT, Autoencoder
from impbench_plugins.scname.training import batches
from impbench_plugins.scname.zinb import zinb_gradient
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from torch.nn import functional

from impbench import Context, Observed
from impbench.errors import InputError

DATA = Path(__file__).parents[2] / "data"
QUICK = {"batch_size": 20, "pretraining_epochs": 3, "epochs": 4, "check_every": 2}


def zinb_loss(heads, counts, factors):
    """The likelihood in the words of its formula, by PyTorch."""
    x_pi, x_theta, x_mu = heads.chunk(3, dim=1)
    pi = torch.sigmoid(x_pi)
    theta = functional.softplus(x_theta).clamp(1e-4, 1e4)
    mu = x_mu.exp().clamp(1e-5, 1e6) * factors[:, None]
    at_zero = -torch.log(pi + (1 - pi) * (theta / (theta + mu)) ** theta + 1e-10)
    above = (
        torch.lgamma(theta) + torch.lgamma(counts + 1) - torch.lgamma(counts + theta)
        + (theta + counts) * torch.log1p(mu / theta) + counts * (theta.log() - mu.log())
        - torch.log(1 - pi + 1e-10)
    )  # fmt: skip
    return (torch.where(counts == 0, at_zero, above) + pi**2).mean()


def test_gradient_of_the_likelihood_is_that_of_its_formula():
    rng = np.random.default_rng(0)
    counts = rng.negative_binomial(1, 0.05, (30, 24)) * (rng.random((30, 24)) < 0.6)
    counts[0, :3] = 3117, 20_000, 0
    heads = rng.normal(0, 2.5, (30, 72)).astype(np.float32)
    heads[0, 50], heads[1, 49], heads[2, 30] = 15, -13, -12  # Where a clip holds.
    heads[3, 48], counts[3, 0] = 9, 0  # A zero that only ε makes possible.
    heads[3, 0] = -40
    factors = rng.lognormal(0, 0.4, 30).astype(np.float32)
    theirs = torch.tensor(heads, dtype=torch.float64, requires_grad=True)
    zinb_loss(theirs, torch.from_numpy(counts).double(), torch.from_numpy(factors)).backward()
    zinb_gradient(heads, counts.astype(np.float32), factors)
    wanted = theirs.grad.numpy()
    np.testing.assert_allclose(heads, wanted, rtol=2e-4, atol=1e-6 * np.abs(wanted).max())


def test_gradients_of_mask_neighbours_and_clusters_are_those_of_their_formulas():
    rng = np.random.default_rng(1)
    tilde, whole, centres = (rng.standard_normal((n, 8)).astype(np.float32) for n in (12, 12, 3))
    bank = np.vstack([whole, rng.standard_normal((18, 8)).astype(np.float32)])

    z_tilde = torch.tensor(tilde, requires_grad=True)
    unit = functional.normalize(torch.from_numpy(bank))
    nearest = (functional.normalize(torch.from_numpy(whole)) @ unit.T).topk(4).indices
    likelihood = torch.exp(functional.normalize(z_tilde) @ unit.T / 0.7)
    (-torch.log(likelihood.gather(1, nearest).sum(1) / likelihood.sum(1))).mean().backward()
    found = neighbour_gradient(tilde, whole, bank, 4, 0.7)
    np.testing.assert_allclose(found, z_tilde.grad, atol=1e-6)

    z, c = (torch.tensor(rows, requires_grad=True) for rows in (whole / 2, centres / 2))
    d = (z[:, None] - c).square().sum(2)
    q = torch.exp(-(d - d.min(1, keepdim=True).values))
    q = (q / q.sum(1, keepdim=True)) ** 2
    (d * q / q.sum(1, keepdim=True)).sum(1).mean().backward()
    by_latents, by_centres = cluster_gradient(whole / 2, centres / 2)
    np.testing.assert_allclose(by_latents, z.grad, atol=1e-6)
    np.testing.assert_allclose(by_centres, c.grad, atol=1e-6)

    logits = torch.tensor(tilde, requires_grad=True)
    mask = (whole > 0).astype(np.float32)
    functional.binary_cross_entropy_with_logits(logits, torch.from_numpy(mask)).backward()
    np.testing.assert_allclose(mask_gradient(tilde, mask), logits.grad, atol=1e-7)


def torch_forward(layers, cells):
    x = torch.from_numpy(cells)
    for place, (weights, biases) in enumerate(layers):
        x = x @ weights + biases
        if place == LATENT:
            latent = x
        elif place < len(HIDDEN):
            x = x.relu()
    return latent, x


def test_layers_and_steps_are_those_of_an_autoencoder_under_tensorflows_adam():
    network = Autoencoder(9, 2, 3, np.random.default_rng(2))
    layers = [
        tuple(torch.tensor(part, requires_grad=True) for part in pair)
        for pair in zip(network.weights, network.biases, strict=True)
    ]
    parts = [part for pair in layers for part in pair]
    averages = [[torch.zeros_like(part), torch.zeros_like(part)] for part in parts]
    rng = np.random.default_rng(3)
    for step in range(1, 4):
        cells = rng.standard_normal((7, 9)).astype(np.float32)
        latent, outputs = torch_forward(layers, cells)
        (outputs[:, 9:].square().mean() + latent.square().sum()).backward()
        passed = network.forward(cells)
        np.testing.assert_allclose(passed[LATENT + 1], latent.detach(), atol=1e-4)
        seen = network.heads(passed, 1, 1)
        np.testing.assert_allclose(seen, outputs[:, 9:].detach(), atol=1e-4)
        network.backward(passed, 2 * seen / seen.size, 1, 2 * passed[LATENT + 1])
        network.descend(0.01)
        with torch.no_grad():
            for part, (m, v) in zip(parts, averages, strict=True):
                m += 0.1 * (part.grad - m)
                v += 0.001 * (part.grad**2 - v)
                rate = 0.01 * (1 - 0.999**step) ** 0.5 / (1 - 0.9**step)
                part -= rate * m / (v.sqrt() + 1e-8)
                part.grad = None
    for (weights, biases), ours, our_biases in zip(
        layers, network.weights, network.biases, strict=True
    ):
        np.testing.assert_allclose(ours, weights.detach(), atol=2e-4)
        np.testing.assert_allclose(our_biases, biases.detach(), atol=2e-4)


def test_gradients_of_all_heads_at_once_are_those_of_one_after_the_other():
    """All heads of the first mini-batch are written, others added to what is there."""
    rng = np.random.default_rng(6)
    cells = rng.standard_normal((7, 9)).astype(np.float32)
    by_heads = rng.standard_normal((7, 18)).astype(np.float32)
    once, twice = (Autoencoder(9, 2, 3, np.random.default_rng(2)) for _ in range(2))
    for _ in range(2):  # The second time, a step has been taken.
        layers = once.forward(cells)
        once.backward(layers, by_heads, 0, None)
        for first in range(2):
            twice.backward(layers, by_heads[:, 9 * first : 9 * first + 9], first, None)
        for place, gradients in enumerate((*once.by_weights, *once.by_biases)):
            wanted = (*twice.by_weights, *twice.by_biases)[place]
            np.testing.assert_allclose(gradients, wanted, rtol=1e-4, atol=1e-5)
            assert np.abs(wanted).max() > 0.01
        once.descend(0.01)
        twice.descend(0.01)


def test_batches_are_filled_up_with_the_first_cells_as_published():
    assert [list(batch) for batch in batches(7, 3)] == [[0, 1, 2], [3, 4, 5], [6, 0, 1]]
    assert [list(batch) for batch in batches(6, 3)] == [[0, 1, 2], [3, 4, 5], [0, 1, 2]]


def test_exchanged_values_come_from_the_same_gene_and_the_mask_says_what_changed():
    cells = np.random.default_rng(4).integers(0, 3, (200, 50)).astype(np.float32)
    corrupted, mask = corrupt(cells, 0.3, np.random.default_rng(5))
    np.testing.assert_array_equal(mask, corrupted != cells)
    # Drawn with 0.3, and another value in two cases of three.
    assert mask.mean() == pytest.approx(0.2, abs=0.02)
    one_gene = np.arange(5, dtype=np.float32)[:, None]
    assert sorted(corrupt(one_gene, 1, np.random.default_rng(0))[0][:, 0]) == [0, 1, 2, 3, 4]


@pytest.fixture(scope="module")
def groups():
    rng = np.random.default_rng(5)
    means = rng.gamma(1.0, 4.0, (3, 40))
    counts = rng.poisson(means[np.arange(50) % 3]) * (rng.random((50, 40)) < 0.8)
    return Observed.from_counts(counts, n_groups=3)


def embedding(observed, **parameters):
    return ScName(**{**QUICK, **parameters}).impute(observed, Context(seed=1)).embedding


def test_the_network_that_guesses_the_mask_changes_no_digit_unless_it_is_the_same(groups):
    alone = embedding(groups)
    np.testing.assert_array_equal(embedding(groups, networks="both"), alone)
    np.testing.assert_array_equal(embedding(groups, networks="both", corruption=0.9), alone)
    shared = embedding(groups, networks="shared")
    assert np.abs(shared - alone).max() > 0.01
    assert np.abs(embedding(groups, networks="shared", neighbour_weight=5) - shared).max() > 1e-6


def test_training_ends_where_too_few_cells_change_cluster(groups):
    info = ScName(**QUICK, tolerance=1).impute(groups, Context()).info
    assert info["epochs"] == 2
    info = ScName(**QUICK, tolerance=0).impute(groups, Context()).info
    assert info == {"genes_seen": 40, "n_clusters": 3, "epochs": 4, "changed": info["changed"]}


def test_a_cell_without_a_count_has_zeros_and_changes_no_other(groups):
    spoilt = Observed.from_counts(np.insert(groups.counts, 5, 0, axis=0), n_groups=3)
    found = embedding(spoilt)
    np.testing.assert_array_equal(found[5], 0)
    np.testing.assert_array_equal(np.delete(found, 5, axis=0), embedding(groups))


@pytest.mark.parametrize(
    ("n_cells", "n_groups", "parameters", "message"),
    [
        (127, 3, {}, "batch_size=128 cells with counts.* got 127: choose a smaller batch_size"),
        (30, None, {"batch_size": 10}, "give n_groups, or a number for n_clusters"),
        (30, 40, {"batch_size": 10}, "40 clusters, but only 30 cells .* smaller n_clusters"),
        (2, 2, {"batch_size": 2, "n_hvg": 5}, "2 cells with counts are too few: 3 are needed"),
    ],
)
def test_too_little_is_refused_with_the_rule(n_cells, n_groups, parameters, message):
    counts = np.random.default_rng(0).poisson(3, (n_cells, 12)) + 1
    with pytest.raises(InputError, match=message):
        ScName(**parameters).impute(Observed.from_counts(counts, n_groups=n_groups), Context())


def distances(rows):
    whole = rows.astype(np.float64)
    return np.linalg.norm(whole[:, None] - whole, axis=2)[np.triu_indices(len(rows), 1)]


@pytest.mark.slow  # A whole training: distances are the original's only at its end.
def test_distances_and_clusters_are_those_of_the_original_in_distribution():
    """Against two seeds of commit e468be9, every second cell of small_rare."""
    cells = anndata.read_h5ad(DATA / "inputs" / "small_rare.h5ad")
    types = cells.obs["cell_type"].to_numpy()
    ours = ScName().impute(Observed.from_counts(cells.X, n_groups=4), Context(seed=1)).embedding
    with np.load(DATA / "scname" / "original.npz") as stored:
        theirs = [stored[f"embedding_seed{seed}"] for seed in (1, 2)]
    assert np.corrcoef(*map(distances, theirs))[0, 1] > 0.96
    # After 60 epochs 0.73, of ten principal components 0.69.
    for rows in theirs:
        assert np.corrcoef(distances(ours[::2]), distances(rows))[0, 1] > 0.945
    labels = [KMeans(4, n_init=1, random_state=start).fit_predict(ours) for start in range(5)]
    ari = np.mean([adjusted_rand_score(types, found) for found in labels])
    assert ari == pytest.approx(0.310, abs=3 * 0.019)  # Theirs, and three sd of our own seeds.
