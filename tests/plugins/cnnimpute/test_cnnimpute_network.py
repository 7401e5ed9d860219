import numpy as np
import pytest
import torch
from impbench_plugins.cnnimpute import CnnImpute
from impbench_plugins.cnnimpute.network import BatchNorm, CnnImputeNetwork, Shape, masked_loss
from impbench_plugins.cnnimpute.training import Trainee, predict, split
from impbench_plugins.shared.keras_training import KerasSchedule
from impbench_plugins.shared.same_fields import same_fields
from sklearn.model_selection import train_test_split
from sklearn.utils import shuffle
from torch.nn import functional

LENGTH, TARGETS = 60, 6


def network(pooling="average", output="linear", dropout_rate=0.0, seed=1):
    shape = Shape(TARGETS, LENGTH // TARGETS, pooling, output, dropout_rate, dense=20)
    return CnnImputeNetwork(shape, torch.Generator().manual_seed(seed))


def cells(n_inputs, n=9, seed=0):
    inputs = torch.zeros(n, LENGTH)
    inputs[:, :n_inputs] = torch.rand(n, n_inputs, generator=torch.Generator().manual_seed(seed))
    return inputs


def plain(net, inputs, pooling, training, output="linear"):
    """The network as described, of full length, from PyTorch's layers."""
    x = functional.max_pool1d(functional.relu(net.first(inputs[:, None])), 2)
    x = norm(net.first_norm, x, training)
    x = functional.relu(net.second(x))
    x = x.mean(dim=2, keepdim=True) if pooling == "average" else functional.max_pool1d(x, 2)
    x = norm(net.second_norm, x, training).flatten(1)
    x = net.last(functional.relu(net.dense(x)))
    return functional.relu(x) if output == "relu" else x


def norm(layer, x, training):
    mean, variance = layer.mean.flatten().clone(), layer.variance.flatten().clone()
    gain, shift = layer.gain.flatten(), layer.shift.flatten()
    return functional.batch_norm(x, mean, variance, gain, shift, training, 0.0, 1e-3)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("pooling", ["average", "max"])
@pytest.mark.parametrize("n_inputs", [0, 1, 14, 15, 57, 60])
def test_output_and_gradients_equal_plain_layers_of_full_length(n_inputs, pooling, training):
    net = network(pooling).double().train(training)
    with torch.no_grad():
        for weights in net.parameters():  # Biases and norms, too, must matter.
            weights += 0.1 * torch.randn(
                weights.shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64
            )
    inputs = cells(n_inputs).double()
    expected = plain(net, inputs, pooling, training)
    gradients = torch.autograd.grad(expected.square().sum(), list(net.parameters()))
    got = net(inputs[:, : net.shape.used_length(n_inputs)])
    torch.testing.assert_close(got, expected, rtol=1e-6, atol=1e-8)
    for one, other in zip(
        torch.autograd.grad(got.square().sum(), list(net.parameters())), gradients, strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_only_the_part_with_genes_is_computed_when_averaging():
    assert network().shape.used_length(14) < LENGTH
    assert network("max").shape.used_length(14) == LENGTH
    assert network().shape.used_length(60) == LENGTH


def test_layers_have_the_published_sizes():
    def sizes(pooling):
        net = CnnImputeNetwork(Shape(512, 5, pooling), torch.Generator())
        return {name: tuple(w.shape) for name, w in net.named_parameters() if "weight" in name}

    expected = {"first.weight": (16, 1, 3), "second.weight": (16, 16, 3)}
    expected |= {"dense.weight": (1024, 16), "last.weight": (512, 1024)}
    assert sizes("average") == expected
    # (2560 − 2) / 2 − 2 = 1277 positions, pooled to 638.
    assert sizes("max")["dense.weight"] == (1024, 638 * 16)


def test_running_moments_move_by_a_hundredth():
    layer = BatchNorm(2)
    x = torch.randn(5, 2, 4, generator=torch.Generator().manual_seed(0))
    layer(x, torch.full((4,), 0.25))
    torch.testing.assert_close(layer.mean.flatten(), 0.01 * x.mean(dim=(0, 2)))
    variance = x.var(dim=(0, 2), correction=0)
    torch.testing.assert_close(layer.variance.flatten(), 0.99 + 0.01 * variance)


def test_loss_is_the_mean_square_over_targets_that_are_not_masked():
    predicted = torch.tensor([[1.0, 2.0, 9.0], [4.0, 9.0, 9.0]], requires_grad=True)
    targets = torch.tensor([[0.0, 4.0, -1.0], [4.0, -1.0, -1.0]])
    loss = masked_loss(predicted, targets)
    assert loss.item() == pytest.approx((1 + 4 + 0) / 3)
    loss.backward()
    expected = torch.tensor([[2 / 3, -4 / 3, 0], [0, 0, 0]])
    torch.testing.assert_close(predicted.grad, expected)
    assert masked_loss(predicted, torch.full((2, 3), -1.0)).item() == 0


def test_relu_output_is_never_negative_and_linear_can_be():
    inputs = cells(14)
    assert (network(output="relu")(inputs) >= 0).all()
    assert (network(output="linear")(inputs) < 0).any()


def test_dropout_drops_its_share_in_training_only():
    net = network(dropout_rate=0.3)
    kept = net._dropout(torch.ones(300, 200))
    assert (kept == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)
    assert kept.max().item() == pytest.approx(1 / 0.7)
    assert torch.equal(net.eval()._dropout(torch.ones(3)), torch.ones(3))


def test_convolutions_start_from_glorots_uniform_dense_layers_from_his_normal_distribution():
    net = CnnImputeNetwork(Shape(512, 5), torch.Generator().manual_seed(0))
    fans = {"first": 3 + 48, "second": 48 + 48, "dense": 16 + 1024, "last": 1024 + 512}
    for name, fan in fans.items():
        layer = getattr(net, name)
        # Keras cuts the normal numbers off at two deviations and widens them to make up for it.
        widest = np.sqrt(6 / fan) if name in ("first", "second") else 2.2739 * np.sqrt(2 / fan)
        assert 0.8 * widest < layer.weight.abs().max() <= widest
        assert layer.weight.std().item() == pytest.approx(np.sqrt(2 / fan), rel=0.2)
        assert not layer.bias.any()
    assert net.last.weight.std().item() == pytest.approx(np.sqrt(2 / fans["last"]), rel=0.01)
    assert (net.last.weight.abs() > np.sqrt(6 / fans["last"])).any()


def trainee(n_cells, dropout_rate=0.3, **schedule):
    schedule = same_fields(KerasSchedule, CnnImpute(**{"learning_rate": 0.01, **schedule}))
    shape = network(dropout_rate=dropout_rate).shape
    return Trainee(shape, schedule, n_cells, torch.Generator().manual_seed(1))


def fit(inputs, targets, dropout_rate=0.3, **schedule):
    done = []
    pupil = trainee(len(inputs), dropout_rate, **schedule)
    losses = pupil.train(inputs, targets, lambda now, most: done.append(now))
    return pupil.network, losses, done


def test_a_next_block_goes_on_with_weights_moments_and_optimiser():
    inputs = cells(14, n=20)
    targets = torch.rand(20, TARGETS, generator=torch.Generator().manual_seed(3))
    twice, once = trainee(20, 0.0, epochs=2), trainee(20, 0.0, epochs=4)
    for _ in range(2):
        twice.train(inputs, targets, lambda now, most: None)
    once.train(inputs, targets, lambda now, most: None)
    for one, other in zip(
        twice.network.state_dict().values(), once.network.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other)


def test_training_stops_five_epochs_after_the_best_validation_loss():
    noise = torch.rand(40, TARGETS, generator=torch.Generator().manual_seed(3))
    _, losses, done = fit(cells(14, n=40), noise, learning_rate=0.03)
    assert len(losses) < 150
    assert int(np.argmin(losses)) == len(losses) - 6
    assert done == list(range(1, len(losses) + 1))


def test_a_tenth_of_the_cells_validates_and_is_not_trained_on():
    inputs = cells(14, n=20)
    targets = torch.rand(20, TARGETS, generator=torch.Generator().manual_seed(3))
    weights = fit(inputs, targets, epochs=3)[0].last.weight
    held_out = 0
    for cell in range(20):
        changed = targets.clone()
        changed[cell] += 1
        held_out += torch.equal(fit(inputs, changed, epochs=3)[0].last.weight, weights)
    assert held_out == 2


def test_reported_loss_is_that_of_the_network_without_dropout():
    inputs = cells(14, n=2)
    targets = torch.rand(2, TARGETS, generator=torch.Generator().manual_seed(3))
    net, losses, _ = fit(inputs, targets, epochs=2)
    each = [
        float(masked_loss(torch.from_numpy(predict(net, inputs[[c]])), targets[[c]]))
        for c in (0, 1)
    ]
    assert any(losses[-1] == pytest.approx(loss, rel=1e-5) for loss in each)


def test_network_learns_a_sum_of_its_inputs():
    inputs = cells(14, n=100)
    targets = inputs.sum(dim=1, keepdim=True).expand(-1, TARGETS).contiguous()
    net = fit(inputs, targets, dropout_rate=0.0, epochs=60, early_stop=60)[0].train()
    # By the mini-batch's moments: the running ones lag behind by hundreds of steps.
    assert masked_loss(net(inputs), targets).item() < 0.3 * float(targets.var())


@pytest.mark.parametrize("n_cells", [11, 55, 145])
def test_the_cells_that_validate_are_those_of_the_program_whatever_the_seed(n_cells):
    # What it does: NumPy's seed, scikit-learn's shuffle, then scikit-learn's split.
    random = np.random.RandomState(1111)
    cells_in_order = shuffle(np.arange(n_cells), random_state=random)
    expected = train_test_split(cells_in_order, test_size=0.1, random_state=random)
    for ours, theirs in zip(split(n_cells), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
