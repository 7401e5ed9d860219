"""The fast engine against the reference: sums, corruption, gradient, Adam, trained scores."""

from __future__ import annotations

import subprocess
import sys

import numba
import numpy as np
import pytest
import torch
from impbench_plugins.maskclass import fast, fast_corruption, rows
from impbench_plugins.maskclass.fast_weights import Weights
from impbench_plugins.maskclass.network import MaskClassNetwork, biozero_loss, masked_loss
from impbench_plugins.maskclass.training import MaskClassData, MaskClassSettings

pytestmark = pytest.mark.slow


def from_python(function):
    """Return an entry from Python to what only compiled functions call."""
    return numba.njit(lambda *arguments: function(*arguments))


hashed, shuffle, matmul, dot, add_to_rows, add_weighted_rows = (
    from_python(function)
    for function in (
        *(fast_corruption.hashed, fast_corruption.shuffle),
        *(rows.matmul, rows.dot, rows.add_to_rows, rows.add_weighted_rows),
    )
)


@pytest.fixture(scope="module")
def data(case):
    observed = case("small_rare").observed
    return MaskClassData.prepare(observed.counts, observed.lognorm)


def first_cells(data, n):
    return MaskClassData(data.lognorm[:n], data.p_bio[:n], data.max_count, data.scaler, data.curve)


@pytest.mark.parametrize("shape", [(32, 64, 32), (7, 5, 16), (33, 6, 48), (1, 3, 80)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_matmul_equals_numpy(shape, order):
    m, n, width = shape
    rng = np.random.default_rng(0)
    a = np.asarray(rng.normal(size=(m, n)), dtype=np.float32, order=order)
    b, start = (rng.normal(size=size).astype(np.float32) for size in ((n, width), width))
    c = np.full((m, width), np.nan, dtype=np.float32)
    matmul(m, n, a, b, start, c)
    np.testing.assert_allclose(c, start + a @ b, atol=1e-5)


@pytest.mark.parametrize("width", [16, 48, 64, 112])
def test_sums_over_rows_equal_numpy(width):
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(2, 9)).astype(np.float32)
    which = rng.integers(0, 5, (2, 9), dtype=np.int32)
    matrix, out = (rng.normal(size=(k, width)).astype(np.float32) for k in (5, 4))
    expected = out.copy()
    expected[3] += weights[1, 2:7] @ matrix[which[1, 2:7]]
    add_weighted_rows(weights, which, 1, 2, 7, matrix, out, 3)
    np.testing.assert_allclose(out, expected, atol=1e-5)
    assert dot(matrix, 2, out, 3) == pytest.approx(float(matrix[2] @ out[3]), rel=1e-4)
    expected = matrix.copy()
    np.add.at(expected, which[1, 2:7], weights[1, 2:7, None] * out[2])
    add_to_rows(weights, which, 1, 2, 7, out, 2, matrix)
    np.testing.assert_allclose(matrix, expected, atol=1e-5)


def bits(key, position):
    return np.uint64(hashed(np.uint64(key), position))


def test_hashed_bits_are_even_and_independent():
    words = np.array([bits(key, p) for key in (1, 2) for p in range(4000)])
    each = (words[:, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)
    assert abs(each.mean(axis=0) - 0.5).max() < 4.5 * 0.5 / len(words) ** 0.5
    correlation = np.corrcoef(each.T.astype(float))
    assert abs(correlation - np.eye(64)).max() < 5 / len(words) ** 0.5


def test_shuffle_puts_every_cell_everywhere_equally_often():
    places = np.zeros((5, 5))
    for key in range(5000):
        order = np.arange(5)
        shuffle(order, np.uint64(key))
        places[np.arange(5), order] += 1
    assert (places.sum(axis=1) == 5000).all()
    assert abs(places / 5000 - 0.2).max() < 4.5 * (0.16 / 5000) ** 0.5


def copy(weights, network):
    """Write the engine's weights, or gradients, into a PyTorch network of the same shape."""
    w, e, d = weights, network.encoder, network.decoder
    pairs = [
        (w.w1, e[0].weight.T), (w.w2, e[3].weight.T), (w.w3, d[0].weight.T), (w.w4, d[3].weight),
        (w.b1, e[0].bias), (w.b2, e[3].bias), (w.b3, d[0].bias), (w.b4, d[3].bias),
        (w.g1, e[1].weight), (w.g2, e[4].weight), (w.g3, d[1].weight),
        (w.c1, e[1].bias), (w.c2, e[4].bias), (w.c3, d[1].bias),
    ]  # fmt: skip
    with torch.no_grad():
        for ours, theirs in pairs:
            theirs.copy_(torch.from_numpy(ours[tuple(slice(n) for n in theirs.shape)]))
    return network


@pytest.mark.parametrize(("hidden", "bottleneck"), [(64, 32), (37, 9)])
def test_first_weights_and_the_way_forward_are_pytorchs(data, hidden, bottleneck):
    settings = MaskClassSettings(hidden=hidden, bottleneck=bottleneck, epochs=2)
    first = Weights.initial(data.n_genes, hidden, bottleneck, seed=2**33 + 7)
    theirs = MaskClassNetwork.initial(data.n_genes, settings, seed=2**33 + 7)
    ours = copy(first, MaskClassNetwork(data.n_genes, hidden, bottleneck))
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=0)
    trained, _ = fast.train(data, settings, 1, lambda done, total: None)
    for mine, other in zip(
        trained.reconstruct(data), copy(trained.weights, ours).reconstruct(data), strict=True
    ):
        np.testing.assert_allclose(mine, other, rtol=1e-5, atol=2e-6)


def test_a_worker_that_trains_on_a_cpu_imports_no_pytorch():
    code = (
        "import sys; from impbench_plugins.maskclass import fast; fast.compile_kernels(); "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def corrupted(training, epoch, n_genes):
    """Rebuild cells, s̃ and the mask of the only mini-batch of `epoch`, dense."""
    batch = training.batch
    order = np.arange(batch.n.size)
    shuffle(order, bits(bits(bits(training.seed, 0), epoch), -1))
    s_tilde = np.full((order.size, n_genes), -1.0)
    mask = np.zeros(s_tilde.shape, dtype=bool)
    for i in range(order.size):
        s_tilde[i, batch.genes[i, : batch.n[i]]] += batch.d[i, : batch.n[i]]
        mask[i, batch.masked_genes[i, : batch.n_masked[i]]] = True
    return order, s_tilde, mask


@pytest.mark.parametrize("gamma", [0.0, 0.7])
@pytest.mark.parametrize(("n_cells", "hidden", "bottleneck"), [(32, 64, 32), (21, 37, 9)])
def test_loss_gradient_and_adam_equal_autograd_on_the_same_mask(
    data, gamma, n_cells, hidden, bottleneck
):
    data = first_cells(data, n_cells)
    settings = MaskClassSettings(gamma=gamma, p_zero=0.2, hidden=hidden, bottleneck=bottleneck)
    network = MaskClassNetwork.initial(data.n_genes, settings, seed=3)
    training = fast.Training.start(data, settings, seed=3)
    optimizer = torch.optim.Adam(network.parameters(), lr=settings.learning_rate)
    ours = MaskClassNetwork(data.n_genes, hidden, bottleneck)
    for epoch in range(3):
        loss = training.run(epoch)
        cells, s_tilde, mask = corrupted(training, epoch, data.n_genes)
        zero = torch.tensor(data.lognorm[cells] == 0)
        s, p_bio = data.scaler.scale(data.lognorm[cells]), data.p_bio[cells]
        exact = MaskClassNetwork(data.n_genes, hidden, bottleneck).double()
        exact.load_state_dict(network.state_dict())
        s_hat = exact(torch.tensor(s_tilde))
        expected = masked_loss(s_hat, torch.tensor(s).double(), zero, torch.tensor(mask), settings)
        expected = expected + gamma * biozero_loss(
            s_hat, torch.tensor(data.scaler.s0), torch.tensor(p_bio).double()
        )
        expected.backward()
        assert loss == pytest.approx(expected.item(), rel=1e-5)
        copy(training.gradient, ours)
        for mine, theirs, weight in zip(
            ours.parameters(), exact.parameters(), network.parameters(), strict=True
        ):
            scale = float(theirs.grad.abs().max())
            torch.testing.assert_close(
                mine.detach().double(), theirs.grad, rtol=1e-3, atol=2e-6 * scale + 1e-9
            )
            weight.grad = mine.detach().clone()
        optimizer.step()
        copy(training.weights, ours)
        for mine, theirs in zip(ours.parameters(), network.parameters(), strict=True):
            torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("gamma", [0.0, 0.7])
def test_whole_epochs_with_a_partial_last_batch_equal_pytorch(data, gamma):
    # With p_nonzero 1 and p_zero 0 the corruption is certain, so both can be given the same.
    data = first_cells(data, 75)
    settings = MaskClassSettings(gamma=gamma, p_nonzero=1.0, p_zero=0.0, learning_rate=1e-3)
    network = MaskClassNetwork.initial(data.n_genes, settings, seed=2)
    training = fast.Training.start(data, settings, seed=2)
    before = torch.nn.utils.parameters_to_vector(network.parameters()).detach().clone()
    optimizer = torch.optim.Adam(network.parameters(), lr=settings.learning_rate)
    zero, p_bio = torch.tensor(data.lognorm == 0), torch.tensor(data.p_bio)
    s, s0 = (
        torch.tensor(values, dtype=torch.float32)
        for values in (data.scaler.scale(data.lognorm), data.scaler.s0)
    )
    for epoch in range(3):
        training.run(epoch)
        order = np.arange(75)
        shuffle(order, bits(bits(bits(2, 0), epoch), -1))
        for batch in torch.tensor(order).split(32):
            s_hat = network(torch.where(zero[batch], -1.0, 0.0))
            loss = masked_loss(s_hat, s[batch], zero[batch], ~zero[batch], settings)
            loss = loss + gamma * biozero_loss(s_hat, s0, p_bio[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    ours = MaskClassNetwork(data.n_genes)
    copy(training.weights, ours)
    ours, theirs = (
        torch.nn.utils.parameters_to_vector(n.parameters()).detach() for n in (ours, network)
    )
    assert (ours - theirs).abs().mean() < 0.01 * (theirs - before).abs().mean()


def test_corruption_masks_at_the_papers_rates_and_fills_with_the_papers_values(data):
    settings = MaskClassSettings(p_zero=0.4, batch_size=200)
    training = fast.Training.start(data, settings, 1)
    zero, s = data.lognorm == 0, data.scaler.scale(data.lognorm)
    count, noise, repeats = np.zeros(zero.shape), [], 40
    gene = int(np.argmax(data.p_bio.sum(axis=0) * (data.scaler.q_high > 3)))
    for epoch in range(repeats):
        training.run(epoch)
        cells, s_tilde, mask = corrupted(training, epoch, data.n_genes)
        np.testing.assert_allclose(s_tilde[~mask], s[cells][~mask], atol=1e-6)
        np.testing.assert_allclose(s_tilde[mask & ~zero[cells]], 0, atol=1e-6)
        count[cells] += mask
        noise.append(s_tilde[(mask & zero[cells])[:, gene], gene])
    rate = count / repeats
    n_nonzero = np.count_nonzero(~zero) * repeats
    assert rate[~zero].mean() == pytest.approx(0.3, abs=4 * (0.21 / n_nonzero) ** 0.5)
    assert rate[zero].mean() == pytest.approx(0.4 * data.p_bio[zero].mean(), rel=0.02)
    assert np.corrcoef(rate[zero], data.p_bio[zero])[0, 1] > 0.8
    low, high, slope = (a[gene] for a in (data.scaler.q_low, data.scaler.q_high, data.scaler.slope))
    eta = np.random.default_rng(0).uniform(0, settings.nu, 20000)
    injected = np.log2(1 + eta * data.max_count[gene]).clip(low, high)
    drawn = low + (np.concatenate(noise) + 1) / slope
    np.testing.assert_allclose(
        np.quantile(drawn, [0.1, 0.5, 0.9]), np.quantile(injected, [0.1, 0.5, 0.9]), rtol=0.1
    )


@pytest.mark.parametrize("p_zero", [0.0, 1.0])
def test_extreme_mask_rates_are_exact(data, p_zero):
    settings = MaskClassSettings(p_zero=p_zero, p_nonzero=1 - p_zero, batch_size=200)
    data = MaskClassData(
        data.lognorm, np.float32(data.lognorm == 0), data.max_count, data.scaler, data.curve
    )
    training = fast.Training.start(data, settings, 1)
    training.run(0)
    cells, _, mask = corrupted(training, 0, data.n_genes)
    np.testing.assert_array_equal(mask, (data.lognorm[cells] == 0) == bool(p_zero))


def test_result_depends_on_the_seed_alone(data):
    data, settings = first_cells(data, 70), MaskClassSettings(epochs=3)
    threads, results = torch.get_num_threads(), []
    for seed, n_threads in ((1, 1), (1, 2), (2, 1)):
        torch.set_num_threads(n_threads)
        numba.set_num_threads(min(n_threads, numba.config.NUMBA_NUM_THREADS))
        np.random.seed(n_threads)  # noqa: NPY002
        network, _ = fast.train(data, settings, seed, lambda done, total: None)
        results.append(network.reconstruct(data)[0])
    torch.set_num_threads(threads)
    np.testing.assert_array_equal(results[0], results[1])
    assert not np.allclose(results[0], results[2])


@pytest.mark.parametrize("imputer", ["maskclass-best", "maskclass-balanced"])
@pytest.mark.parametrize("name", ["sim_equal", "sim_unequal", "sim_rare", "sim_batch"])
def test_training_scores_like_the_authors_code(case, authors_scores, name, imputer):
    simulated, theirs = case(name), authors_scores(name, imputer)
    observed = simulated.observed
    data = MaskClassData.prepare(observed.counts, observed.lognorm)
    settings = MaskClassSettings(gamma=1.0 if imputer == "maskclass-balanced" else 0.0)
    ours = []
    for seed in (1, 2, 3):
        network, _ = fast.train(data, settings, seed, lambda done, total: None)
        expression, _ = network.reconstruct(data)
        expression = np.where(observed.lognorm > 0, observed.lognorm, expression)
        ours.append(simulated.mse_splits(expression))
    expected = theirs.mean(axis=0)
    tolerance = np.maximum(0.05 * expected, 3 * theirs.std(axis=0, ddof=1))
    assert (np.abs(np.mean(ours, axis=0) - expected) <= tolerance).all()
