import numpy as np
import pytest
import torch
from impbench_plugins.autoimpute.network import AutoImputeNetwork, Descent
from impbench_plugins.autoimpute.training import AutoImputeSettings, train

CELLS, GENES, HIDDEN = 7, 11, 19


@pytest.fixture(scope="module")
def x():
    counts = np.random.default_rng(0).poisson(1.5, (CELLS, GENES))
    return np.log2(1 + counts).astype(np.float32)


def run(x, threads=1, **changed):
    settings = AutoImputeSettings(
        **{"hidden": HIDDEN, "learning_rate": 0.01, "steps": 6, **changed}
    )
    return train(x, settings, np.random.default_rng(3), threads, lambda done, total: None)


def in_float64(x, ridge, biases, steps, learning_rate=0.01, initial_sd=1.0):
    """Losses and output by autograd and TensorFlow 1's RMSProp, from the same first weights."""
    rng = np.random.default_rng(3)
    shapes = ((GENES, HIDDEN), (HIDDEN,), (HIDDEN, GENES), (GENES,))
    weights = [
        torch.tensor(
            initial_sd * rng.standard_normal(shape, dtype=np.float32).astype(float),
            requires_grad=True,
        )
        for shape in shapes
    ]
    if not biases:
        weights[1].data.zero_()
        weights[3].data.zero_()
    x = torch.tensor(x, dtype=torch.float64)
    squares, losses = [torch.ones_like(w) for w in weights], []
    for step in range(steps + 1):
        e, b, d, c = weights
        output = torch.sigmoid(x @ e + b) @ d + c
        loss = ((x > 0) * (x - output) ** 2).sum() + ridge / 2 * ((e**2).sum() + (d**2).sum())
        losses.append(loss.item())
        if step == steps:
            return losses, output.detach().numpy()
        gradients = torch.autograd.grad(loss, weights)
        for k, (weight, gradient) in enumerate(zip(weights, gradients, strict=True)):
            squares[k] = 0.9 * squares[k] + 0.1 * gradient**2
            if biases or k % 2 == 0:
                weight.data -= learning_rate * gradient / torch.sqrt(squares[k] + 1e-10)
    raise AssertionError


@pytest.mark.parametrize("biases", [True, False])
@pytest.mark.parametrize("ridge", [0.0, 3.0])
def test_losses_and_output_equal_autograd_in_float64(x, ridge, biases):
    losses, output = in_float64(x, ridge, biases, steps=6)
    trained = run(x, ridge=ridge, biases=biases)
    np.testing.assert_allclose(trained.losses, losses, rtol=1e-5)
    np.testing.assert_allclose(trained.output, output, rtol=1e-4, atol=1e-4)
    assert trained.losses[-1] < trained.losses[0]


def test_zeros_are_never_learnt_from(x):
    """Without ridge, a gene that no cell shows keeps its row of weights and its bias."""
    hidden_gene = x.copy()
    hidden_gene[:, 4] = 0
    network = AutoImputeNetwork(
        hidden_gene, HIDDEN, 1.0, Descent(0.01, 0.0), np.random.default_rng(3)
    )
    before = [block.decoder.values.copy() for block in network.blocks]
    error = np.where(hidden_gene > 0, network.output() - hidden_gene, 0)
    network.step(2 * error)
    for block, was in zip(network.blocks, before, strict=True):
        kept = (block.decoder.values == was).all(axis=0)
        np.testing.assert_array_equal(np.flatnonzero(kept), [4])


def test_first_weights_are_standard_normal():
    network = AutoImputeNetwork(
        np.ones((2, 60), np.float32), 400, 1.0, Descent(), np.random.default_rng(0)
    )
    for arrays in zip(*[(b.encoder.values, b.decoder.values.T) for b in network.blocks],
                      strict=True):  # fmt: skip
        weights = np.hstack(arrays)
        assert weights.shape == (60, 400)
        assert weights.mean() == pytest.approx(0, abs=0.02)
        assert weights.std() == pytest.approx(1, abs=0.02)


def test_threads_change_no_digit(x):
    one, two = run(x, threads=1), run(x, threads=2)
    np.testing.assert_array_equal(one.output, two.output)
    assert one.losses == two.losses


@pytest.mark.parametrize("stop", ["per-cell", "total"])
def test_training_stops_at_the_first_change_below_the_threshold(x, stop):
    # Small rates, so that the loss falls ever more slowly for a while.
    settings = {"ridge": 0.0, "learning_rate": 1e-3, "initial_sd": 0.01}
    whole = run(x, **settings, steps=600, threshold=0.0)
    assert not whole.settled
    assert len(whole.losses) == 601
    changes = np.abs(np.diff(whole.losses))
    threshold = float(np.quantile(changes, 0.02)) / (CELLS if stop == "per-cell" else 1)
    cut = run(x, **settings, steps=600, threshold=threshold, stop=stop)
    below = changes < threshold * (CELLS if stop == "per-cell" else 1)
    assert cut.settled
    assert len(cut.losses) == np.flatnonzero(below)[0] + 2
    assert cut.losses == whole.losses[: len(cut.losses)]


def test_large_inputs_saturate_without_a_warning():
    x = np.full((4, 300), 25, np.float32)
    trained = run(x, learning_rate=1e-4)
    assert np.isfinite(trained.output).all()
    assert np.isfinite(trained.losses).all()
