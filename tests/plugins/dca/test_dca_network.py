import numpy as np
import pytest
import torch
from impbench_plugins.dca import Dca
from impbench_plugins.dca.likelihood import NOISE
from impbench_plugins.dca.network import DcaNetwork
from impbench_plugins.dca.training import DcaTrainingSet, _rmsprop, train
from impbench_plugins.shared.keras_training import KerasPace, KerasSchedule
from impbench_plugins.shared.same_fields import same_fields

HIDDEN = (8, 4, 6)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    return DcaTrainingSet.prepare(rng.negative_binomial(1, 0.1, (20, 12)) + (np.eye(20, 12) > 0))


def nudged(noise, **options):
    """A network whose every weight has left its initial value."""
    rng = np.random.default_rng(3)
    network = DcaNetwork(12, HIDDEN, noise, rng, **options)
    network.parameters.flat[:] += rng.normal(0, 0.1, network.parameters.flat.shape)
    return network


def schedule(**changed):
    return same_fields(KerasSchedule, Dca(**changed))


def torch_network(p, inputs):
    """Heads of the same network, layer by layer as Keras has them, statistics of the batch."""
    h, statistics = inputs, []
    for weights, centre in zip(p["weights"], p["centres"], strict=True):
        z = h @ weights
        mean, variance = z.mean(0), z.var(0, correction=0)
        statistics.append((mean, variance))
        h = torch.relu((z - mean) / torch.sqrt(variance + 1e-3) + centre)
    return h @ p["head_weights"] + p["head_bias"], statistics


@pytest.mark.parametrize("name", NOISE)
def test_gradient_of_every_weight_equals_autograd(data, name):
    network = nudged(NOISE[name])
    ours = network.parameters
    leaf = {}
    for key in ("head_weights", "head_bias", "log_theta"):
        leaf[key] = torch.tensor(getattr(ours, key), dtype=torch.float64, requires_grad=True)
    for key in ("weights", "centres"):
        leaf[key] = [
            torch.tensor(w, dtype=torch.float64, requires_grad=True) for w in getattr(ours, key)
        ]
    heads, statistics = torch_network(leaf, torch.tensor(data.inputs, dtype=torch.float64))
    # The likelihood's own gradient is held against autograd elsewhere.
    by_heads = heads.detach().numpy().astype(np.float32)
    by_theta = NOISE[name].gradient(by_heads, ours.log_theta, data.counts, data.factors)
    heads.backward(torch.tensor(by_heads, dtype=torch.float64))
    network.backpropagate(data.inputs, data.counts, data.factors)
    got = network.gradients
    close = {"rtol": 1e-3, "atol": 2e-6 * np.abs(got.flat).max()}
    for key in ("head_weights", "head_bias"):
        np.testing.assert_allclose(getattr(got, key), leaf[key].grad, **close)
    for key in ("weights", "centres"):
        for mine, theirs in zip(getattr(got, key), leaf[key], strict=True):
            np.testing.assert_allclose(mine, theirs.grad, **close)
    np.testing.assert_allclose(got.log_theta, by_theta, rtol=1e-4, atol=close["atol"])
    for k, (mean, variance) in enumerate(statistics):
        # Keras: moving ← 0.99 moving + 0.01 batch, from mean 0 and variance 1.
        np.testing.assert_allclose(network.moving_means[k], 0.01 * mean.detach(), atol=1e-6)
        np.testing.assert_allclose(
            network.moving_variances[k], 0.99 + 0.01 * variance.detach(), rtol=1e-5
        )


def test_inputs_are_standardised_logs_of_counts_over_size_factors():
    counts = np.random.default_rng(1).poisson(3, (15, 6)) + 1
    counts[:, 2] = 0
    data = DcaTrainingSet.prepare(counts)
    sizes = counts.sum(1)
    np.testing.assert_allclose(data.factors, sizes / np.median(sizes), rtol=1e-6)
    logs = np.log(1 + counts / (sizes / np.median(sizes))[:, None])
    expected = (logs - logs.mean(0))[:, [0, 1, 3, 4, 5]] / logs.std(0, ddof=1)[[0, 1, 3, 4, 5]]
    np.testing.assert_allclose(data.inputs[:, [0, 1, 3, 4, 5]], expected, atol=1e-5)
    assert (data.inputs[:, 2] == 0).all(), "a constant gene is centred, not divided by 0"


def test_first_weights_follow_glorots_uniform_distribution_head_by_head():
    p = DcaNetwork(400, (64, 32, 64), NOISE["zinb-conddisp"], np.random.default_rng(0)).parameters
    assert not any(centre.any() for centre in p.centres)
    assert not p.head_bias.any()
    assert not p.log_theta.any()
    for weights in (*p.weights, *np.split(p.head_weights, 3, axis=1)):
        bound = np.sqrt(6 / sum(weights.shape))
        assert np.abs(weights).max() <= bound
        assert weights.std() == pytest.approx(bound / np.sqrt(3), rel=0.03)


def test_frozen_dropout_head_keeps_its_weights_while_all_else_learns(data):
    network = nudged(NOISE["zinb"], train_dropout=False)
    before = network.parameters.head_weights.copy()
    train(
        network, data, schedule(epochs=2), 5.0, np.random.default_rng(0), lambda done, total: None
    )
    moved = network.parameters.head_weights != before
    assert not moved[:, -12:].any()
    assert moved[:, :12].any()
    assert network.parameters.log_theta.any()


def test_learning_rate_falls_after_ten_flat_epochs_and_training_stops_after_fifteen():
    # Falling by 1e-6 an epoch is a plateau for the learning rate, but progress for the stop.
    losses = [5, 4, *[4 - 1e-6 * (epoch + 1) for epoch in range(30)], *[5.0] * 50]
    pace, rates = KerasPace(schedule()), []
    for loss in losses:
        rates.append(pace.rate)
        if not pace.goes_on_after(loss):
            break
    assert len(rates) == 2 + 30 + 15
    # Rates in force: the loss of epoch 1 is the last to improve enough; epochs 2 to 11 do not.
    expected = [1e-3] * 12 + [1e-4] * 10 + [1e-5] * 10 + [1e-6] * 10 + [1e-7] * 5
    np.testing.assert_allclose(rates, expected)


def test_the_last_tenth_of_the_cells_validates(data):
    rng = np.random.default_rng(0)
    network = DcaNetwork(12, HIDDEN, NOISE["nb"], rng)
    losses = train(network, data, schedule(epochs=3), 5.0, rng, lambda done, total: None)
    assert losses[-1] == pytest.approx(network.loss(*data.cells(slice(18, 20))), rel=1e-6)
    for cells, matters in (([18, 19], False), ([0, 1], True)):
        counts = data.counts.copy()
        counts[cells] = counts[cells[::-1]]
        changed = DcaTrainingSet(counts, data.factors, data.inputs)
        rng = np.random.default_rng(0)
        other = DcaNetwork(12, HIDDEN, NOISE["nb"], rng)
        train(other, changed, schedule(epochs=3), 5.0, rng, lambda done, total: None)
        same = np.array_equal(other.parameters.flat, network.parameters.flat)
        assert same != matters, "validation cells train nothing"


def test_rmsprop_is_keras_formula_with_clipped_gradients():
    gradients = np.array([1e-6, 0.3, -7, 5.5], np.float32)
    weights, square = np.zeros(4, np.float32), np.full(4, 0.02, np.float32)
    _rmsprop(weights, gradients, square, 1e-3, 5.0)
    clipped = np.clip(gradients, -5, 5)
    expected = 0.9 * 0.02 + 0.1 * clipped**2
    np.testing.assert_allclose(square, expected, rtol=1e-5)
    np.testing.assert_allclose(weights, -1e-3 * clipped / (np.sqrt(expected) + 1e-7), rtol=1e-5)
