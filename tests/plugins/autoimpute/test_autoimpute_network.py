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


def in_float64(x, ridge, biases, steps, threshold=0.0, learning_rate=0.01):
    """Squared errors before each step, loss and output, as the program's equations have them.

    Autograd and TensorFlow 1's RMSProp, from the same first weights; stops as the program does.
    """
    rng = np.random.default_rng(3)
    shapes = ((GENES, HIDDEN), (HIDDEN,), (HIDDEN, GENES), (GENES,))
    weights = [
        torch.tensor(rng.standard_normal(shape, dtype=np.float32).astype(float), requires_grad=True)
        for shape in shapes
    ]
    if not biases:
        weights[1].data.zero_()
        weights[3].data.zero_()
    x = torch.tensor(x, dtype=torch.float64)

    def forward():
        e, b, d, c = weights
        output = torch.sigmoid(x @ e + b) @ d + c
        error = ((x > 0) * (x - output) ** 2).sum()
        return output, error, error + ridge / 2 * ((e**2).sum() + (d**2).sum())

    squares, errors = [torch.ones_like(w) for w in weights], [0.0]
    for _ in range(steps):
        _, error, loss = forward()
        errors.append(error.item())
        gradients = torch.autograd.grad(loss, weights)
        for k, (weight, gradient) in enumerate(zip(weights, gradients, strict=True)):
            squares[k] = 0.9 * squares[k] + 0.1 * gradient**2
            if biases or k % 2 == 0:
                weight.data -= learning_rate * gradient / torch.sqrt(squares[k] + 1e-10)
        if abs(errors[-1] - errors[-2]) <= threshold * len(x):
            break
    output, _, loss = forward()
    return errors[1:], loss.item(), output.detach().numpy()


@pytest.mark.parametrize("biases", [True, False])
@pytest.mark.parametrize("ridge", [0.0, 3.0])
def test_errors_loss_and_output_equal_autograd_in_float64(x, ridge, biases):
    errors, loss, output = in_float64(x, ridge, biases, steps=6)
    trained = run(x, ridge=ridge, biases=biases)
    np.testing.assert_allclose(trained.watched, np.divide(errors, CELLS), rtol=1e-5)
    np.testing.assert_allclose(trained.output, output, rtol=1e-4, atol=1e-4)
    assert trained.loss == pytest.approx(loss, rel=1e-5)
    assert trained.watched[-1] < trained.watched[0]


@pytest.mark.parametrize("threshold", [0.1, 100.0])
def test_training_ends_where_the_error_without_the_penalty_settles(x, threshold):
    """The penalty goes on falling; from a last error of 0, a large threshold ends it at once."""
    errors, loss, output = in_float64(x, 3.0, True, steps=400, threshold=threshold)
    trained = run(x, ridge=3.0, steps=400, threshold=threshold)
    assert trained.settled
    assert len(trained.watched) == len(errors) < 400
    assert (len(errors) == 1) == (threshold == 100.0)
    np.testing.assert_allclose(trained.output, output, rtol=1e-2, atol=1e-2)
    assert trained.loss == pytest.approx(loss, rel=1e-4)


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
    assert (one.watched, one.loss) == (two.watched, two.loss)


@pytest.mark.parametrize("stop", ["per-cell", "total"])
def test_the_step_that_settles_is_the_last_and_counts(x, stop):
    # Small rates, so that the loss falls ever more slowly for a while.
    settings = {"ridge": 0.3, "learning_rate": 1e-3, "initial_sd": 0.01, "stop": stop}
    whole = run(x, **settings, steps=300, threshold=0.0)
    assert not whole.settled
    assert len(whole.watched) == 300
    changes = np.abs(np.diff(whole.watched))
    threshold = float(np.sort(changes)[6])  # A change of exactly so much is enough.
    cut = run(x, **settings, steps=300, threshold=threshold)
    last = np.flatnonzero(changes <= threshold)[0] + 2
    at_most = run(x, **settings, steps=last + 1, threshold=float(changes[last - 2]))
    assert len(at_most.watched) <= last
    assert cut.settled
    assert cut.watched == whole.watched[:last]
    np.testing.assert_array_equal(cut.output, run(x, **settings, steps=last, threshold=0.0).output)


def test_the_papers_threshold_is_held_against_the_whole_penalised_loss(x):
    total, per_cell = (run(x, ridge=3.0, stop=stop, steps=1) for stop in ("total", "per-cell"))
    network = AutoImputeNetwork(x, HIDDEN, 1.0, Descent(), np.random.default_rng(3))
    expected = CELLS * per_cell.watched[0] + 1.5 * network.sum_of_squares()
    assert total.watched[0] == pytest.approx(expected, rel=1e-6)


def test_large_inputs_saturate_without_a_warning():
    x = np.full((4, 300), 25, np.float32)
    trained = run(x, learning_rate=1e-4)
    assert np.isfinite(trained.output).all()
    assert np.isfinite([*trained.watched, trained.loss]).all()
