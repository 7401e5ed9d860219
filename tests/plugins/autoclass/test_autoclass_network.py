import numpy as np
import pytest
import torch
from impbench_plugins.autoclass import AutoClass
from impbench_plugins.autoclass.network import AutoClassNetwork
from impbench_plugins.autoclass.training import train
from impbench_plugins.shared.keras_adam import adam
from impbench_plugins.shared.keras_training import KerasPace, KerasSchedule
from impbench_plugins.shared.same_fields import same_fields

GENES, CLASSES, WIDTH = 12, 3, 7


@pytest.fixture(scope="module")
def lognorm():
    return np.log2(1 + np.random.default_rng(0).poisson(4, (20, GENES))).astype(np.float32)


@pytest.fixture(scope="module")
def labels():
    return np.random.default_rng(1).integers(0, CLASSES, 20)


def network(dropout_rate=0.0, weight=0.9):
    net = AutoClassNetwork(GENES, WIDTH, CLASSES, dropout_rate, weight, np.random.default_rng(2))
    net.parameters.flat[:] += np.random.default_rng(3).normal(0, 0.2, net.parameters.flat.shape)
    return net


@pytest.mark.parametrize("weight", [0.0, 0.9, 1.0])
def test_loss_and_gradient_equal_autograd(lognorm, labels, weight):
    net = network(weight=weight)
    leaves = [
        torch.tensor(getattr(net.parameters, name), dtype=torch.float64, requires_grad=True)
        for name in ("encoder", "encoder_bias", "decoder", "decoder_bias")
    ]
    x = torch.tensor(lognorm, dtype=torch.float64)
    outputs = torch.relu(x @ leaves[0] + leaves[1]) @ leaves[2] + leaves[3]
    loss = weight * torch.nn.functional.cross_entropy(outputs[:, GENES:], torch.tensor(labels))
    rebuilt = torch.nn.functional.softplus(outputs[:, :GENES])
    loss = loss + (1 - weight) * torch.nn.functional.mse_loss(rebuilt, x)
    loss.backward()
    assert net.loss(lognorm, labels) == pytest.approx(loss.item(), rel=1e-5)
    net.backpropagate(lognorm, labels)
    for name, leaf in zip(
        ("encoder", "encoder_bias", "decoder", "decoder_bias"), leaves, strict=True
    ):
        np.testing.assert_allclose(
            getattr(net.gradients, name), leaf.grad, rtol=1e-4, atol=1e-6 * leaf.grad.abs().max()
        )
    np.testing.assert_allclose(net.reconstruct(lognorm)[0], rebuilt.detach(), rtol=1e-5)


def test_dropout_drops_a_tenth_in_training_and_nothing_in_evaluation(lognorm, labels):
    kept = network(dropout_rate=0.1)._draw_dropout((400, 500))
    assert set(np.unique(kept)) == {0, np.float32(1 / 0.9)}
    assert (kept == 0).mean() == pytest.approx(0.1, abs=0.005)
    without, with_dropout = network(), network(dropout_rate=0.1)
    with_dropout.backpropagate(lognorm, labels)
    without.backpropagate(lognorm, labels)
    assert not np.allclose(with_dropout.gradients.flat, without.gradients.flat)
    assert with_dropout.loss(lognorm, labels) == without.loss(lognorm, labels)


def test_large_outputs_stay_finite(lognorm, labels):
    net = network()
    net.parameters.flat[:] *= 1e4
    assert np.isfinite(net.loss(lognorm, labels))
    net.backpropagate(lognorm, labels)
    assert np.isfinite(net.gradients.flat).all()


def test_first_weights_follow_glorots_uniform_distribution_layer_by_layer():
    p = AutoClassNetwork(300, 128, 9, 0.1, 0.9, np.random.default_rng(0)).parameters
    assert not p.encoder_bias.any()
    assert not p.decoder_bias.any()
    for weights in (p.encoder, p.decoder[:, :300], p.decoder[:, 300:]):
        bound = np.sqrt(6 / sum(weights.shape))
        assert np.abs(weights).max() <= bound
        assert weights.std() == pytest.approx(bound / np.sqrt(3), rel=0.03)


def test_learning_rate_falls_after_fifteen_flat_epochs_and_training_stops_after_thirty():
    # Falling by 1e-6 an epoch is a plateau for the learning rate, but progress for the stop.
    losses = [5, 4, *[4 - 1e-6 * (epoch + 1) for epoch in range(20)], *[5.0] * 90]
    pace, rates = KerasPace(same_fields(KerasSchedule, AutoClass())), []
    for loss in losses:
        rates.append(pace.rate)
        if not pace.goes_on_after(loss):
            break
    expected = [1e-3] * 17 + [1e-4] * 15 + [1e-5] * 15 + [1e-6] * 5
    np.testing.assert_allclose(rates, expected)


def test_the_last_tenth_of_the_cells_validates(lognorm, labels):
    def run(cells):
        net = network(dropout_rate=0.1)
        rng = np.random.default_rng(0)
        schedule = same_fields(KerasSchedule, AutoClass(epochs=3))
        return net, train(net, cells, labels, schedule, rng, lambda done, most: None)

    net, losses = run(lognorm)
    assert losses[-1] == pytest.approx(net.loss(lognorm[18:], labels[18:]), rel=1e-6)
    validation, training = lognorm.copy(), lognorm.copy()
    validation[18:] += 1
    training[:2] += 1
    assert np.array_equal(run(validation)[0].parameters.flat, net.parameters.flat)
    assert not np.array_equal(run(training)[0].parameters.flat, net.parameters.flat)


def test_adam_is_keras_formula():
    rng = np.random.default_rng(0)
    weights, m, v = (np.zeros(50, np.float32) for _ in range(3))
    w, m64, v64 = np.zeros(50), np.zeros(50), np.zeros(50)
    for step in range(1, 6):
        gradient = rng.normal(0, 1e-5, 50).astype(np.float32)
        adam(weights, gradient, m, v, step, 1e-3)
        m64, v64 = 0.9 * m64 + 0.1 * gradient, 0.999 * v64 + 0.001 * gradient.astype(float) ** 2
        rate = 1e-3 * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        w -= rate * m64 / (np.sqrt(v64) + 1e-7)
    np.testing.assert_allclose(weights, w, rtol=1e-4, atol=1e-8)
