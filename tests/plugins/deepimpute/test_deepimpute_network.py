"""DeepImpute's blocks, network and training, each against its definition."""

import numpy as np
import pytest
import torch
from impbench_plugins.deepimpute.blocks import GeneBlock, choose_blocks, dispersion
from impbench_plugins.deepimpute.network import DeepImputeNetwork
from impbench_plugins.deepimpute.training import predict, train
from impbench_plugins.shared.keras_training import KerasSchedule


@pytest.fixture(scope="module")
def counts():
    rng = np.random.default_rng(2)
    return rng.negative_binomial(1, 0.1, (70, 30)) + rng.poisson(3, (70, 1))


def test_dispersion_is_variance_over_one_plus_mean(counts):
    for j, value in enumerate(dispersion(counts)):
        column = counts[:, j]
        assert value == pytest.approx(np.var(column, ddof=1) / (1 + np.mean(column)))


def test_predictors_are_the_most_correlated_genes_outside_the_block(counts):
    blocks = choose_blocks(counts, 0.5, 10, 3, np.random.default_rng(0))
    assert len(blocks) == 3
    assert sorted(np.concatenate([block.targets for block in blocks])) == list(range(30))
    correlation = np.abs(np.corrcoef(counts.T))
    for block in blocks:
        wanted = set()
        for target in block.targets:
            outside = [g for g in range(30) if g not in block.targets]
            wanted |= set(sorted(outside, key=lambda g: -correlation[target, g])[:3])
        assert set(block.predictors.tolist()) == wanted


def test_blocks_are_filled_with_the_next_most_variable_genes_then_with_genes_again(counts):
    scaled = counts.copy()
    scaled[:, :4] = (counts[:, :4] > 12).astype(int)  # Vary little.
    scaled[:, 4] = 2  # Not at all.
    values = dispersion(scaled)
    enough = np.flatnonzero(values > 0.5)
    assert len(enough) == 25
    (block,) = choose_blocks(scaled, 0.5, 27, 2, np.random.default_rng(0))
    assert set(block.targets) == set(np.argsort(-values)[:27])
    (block,) = choose_blocks(scaled, 0.5, 40, 2, np.random.default_rng(0))
    assert set(block.targets) == set(range(30)) - {4}
    assert len(block.targets) == 40


def test_without_genes_outside_a_gene_is_its_own_best_predictor(counts):
    (block,) = choose_blocks(counts, 0.5, 30, 1, np.random.default_rng(0))
    assert block.predictors.tolist() == list(range(30))


def test_gradient_of_every_weight_equals_autograd():
    rng = np.random.default_rng(3)
    block = GeneBlock(np.array([1, 4, 5, 7]), np.array([0, 2, 3, 6, 6]))
    network = DeepImputeNetwork(block, 6, 0.0, rng)
    network.parameters.flat[:] += rng.normal(0, 0.3, network.parameters.flat.shape)
    log_counts = np.log1p(rng.poisson(3, (11, 8))).astype(np.float32)
    p = network.parameters
    leaves = [
        torch.tensor(part, dtype=torch.float64, requires_grad=True)
        for part in (p.encoder, p.encoder_bias, p.decoder, p.decoder_bias)
    ]
    x, y = (
        torch.tensor(log_counts[:, genes], dtype=torch.float64)
        for genes in (block.predictors, block.targets)
    )
    hidden = torch.relu(x @ leaves[0] + leaves[1])
    predicted = torch.nn.functional.softplus(hidden @ leaves[2] + leaves[3])
    loss = (y * (y - predicted) ** 2).mean()
    loss.backward()
    network.backpropagate(log_counts)
    d = network.gradients
    for mine, leaf in zip(
        (d.encoder, d.encoder_bias, d.decoder, d.decoder_bias), leaves, strict=True
    ):
        np.testing.assert_allclose(mine, leaf.grad, rtol=1e-4, atol=1e-6)
    assert network.loss(log_counts) == pytest.approx(loss.item(), rel=1e-5)
    np.testing.assert_allclose(network.predict(log_counts), predicted.detach(), rtol=1e-5)


def test_dropout_leaves_out_its_share_and_raises_the_rest():
    network = DeepImputeNetwork(
        GeneBlock(np.arange(9), np.arange(9)), 4000, 0.2, np.random.default_rng(0)
    )
    cell = np.linspace(0.5, 2, 9, dtype=np.float32)[None]
    active = np.maximum(cell @ network.parameters.encoder, 0)[0]
    network.backpropagate(cell)
    # With one cell, the decoder's gradient is the hidden layer times that of its bias.
    hidden = network.gradients.decoder[:, 0] / network.gradients.decoder_bias[0]
    dropped = (hidden == 0) & (active > 0)
    assert dropped[active > 0].mean() == pytest.approx(0.2, abs=0.03)
    np.testing.assert_allclose(hidden[~dropped], active[~dropped] / 0.8, rtol=1e-4, atol=1e-6)


def test_weights_start_in_glorots_bounds_and_biases_at_zero():
    p = DeepImputeNetwork(
        GeneBlock(np.arange(300), np.arange(512)), 256, 0.2, np.random.default_rng(1)
    ).parameters
    for weights in (p.encoder, p.decoder):
        bound = np.sqrt(6 / sum(weights.shape))
        assert 0.98 * bound < np.abs(weights).max() <= bound
        assert weights.std() == pytest.approx(bound / np.sqrt(3), rel=0.01)
    assert not p.encoder_bias.any()
    assert not p.decoder_bias.any()


def test_training_stops_when_the_sum_of_validation_losses_no_longer_falls(counts):
    rng = np.random.default_rng(5)
    log_counts = np.log1p(counts, dtype=np.float32)
    blocks = choose_blocks(counts, 0.5, 10, 3, rng)
    networks = [DeepImputeNetwork(block, 8, 0.2, rng) for block in blocks]
    done = []
    schedule = KerasSchedule(epochs=400, batch_size=16, learning_rate=0.02, early_stop=4)
    losses = train(networks, log_counts, 10, schedule, rng, lambda now, total: done.append(now))
    assert done == list(range(1, len(losses) + 1))
    assert len(losses) < 400
    assert min(losses) < 0.8 * losses[0]
    assert np.argmin(losses) == len(losses) - 5


def test_genes_predicted_twice_get_the_mean_and_absurd_predictions_become_zero():
    rng = np.random.default_rng(6)
    log_counts = np.log1p(rng.poisson(4, (9, 5))).astype(np.float32)
    networks = [
        DeepImputeNetwork(GeneBlock(np.array([0, 1]), np.array([2, 3, 2])), 4, 0.0, rng),
        DeepImputeNetwork(GeneBlock(np.array([0]), np.array([2, 4])), 4, 0.0, rng),
    ]
    networks[1].parameters.decoder_bias[1] = 50
    first, second = (network.predict(log_counts) for network in networks)
    result = predict(networks, log_counts)
    mean = (first[:, 0] + first[:, 2] + second[:, 0]) / 3
    np.testing.assert_allclose(result[:, 2], np.expm1(mean), rtol=1e-5)
    np.testing.assert_allclose(result[:, 3], np.expm1(first[:, 1]), rtol=1e-5)
    assert not result[:, 4].any()
    np.testing.assert_allclose(result[:, :2], np.expm1(log_counts[:, :2]), rtol=1e-6)
