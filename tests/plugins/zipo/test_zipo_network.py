import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from impbench_plugins.shared.torch_networks import draw_weights
from impbench_plugins.zipo.likelihood import log_likelihood
from impbench_plugins.zipo.network import ZipoNetwork, below, weight_ratio
from impbench_plugins.zipo.training import ZipoPace, ZipoSettings, loss

PUBLISHED = (2048, 1024, 512, 256, 128)


def network(encoder=(6, 5, 4, 3), n_known=0, residuals=True, negative_binomial=False, n_genes=7):
    result = ZipoNetwork(n_genes, n_known, encoder, (16, 4), residuals, negative_binomial)
    draw_weights(result, torch.Generator().manual_seed(0))
    return result


@pytest.mark.parametrize(("residuals", "zinb", "n_known"), [(True, False, 0), (False, True, 3)])
def test_architecture_has_the_published_widths(residuals, zinb, n_known):
    n_genes = 50
    net = network(PUBLISHED, n_known, residuals, zinb, n_genes)
    widths = (n_genes, *PUBLISHED)
    encoder = sum((a + 1) * b + 2 * b for a, b in zip(widths, PUBLISHED, strict=False))
    # The layer before the latents feeds them anyway; three more reach past it.
    encoder += residuals * (2048 + 1024 + 512) * 128
    v = 128 + n_known
    library = (v + 1) * 16 + 2 * 16 + 17 * 4 + 2 * 4 + 5
    heads = (2 + zinb) * (v + 1) * n_genes
    assert sum(p.numel() for p in net.parameters()) == encoder + library + heads
    out = net(torch.ones(4, n_genes), torch.zeros(4, n_known))
    assert out.latents.shape == (4, 128)
    assert out.log_l.shape == (4, 1)
    assert out.r.shape == out.log_mu.shape == (4, n_genes)
    assert (out.theta is not None) == zinb


def test_forward_pass_equals_the_equations():
    net, generator = network(n_known=2).eval(), torch.Generator().manual_seed(1)
    for norm in net.norms:
        norm.running_mean.uniform_(-1, 1, generator=generator)
        norm.running_var.uniform_(0.5, 2, generator=generator)
    x, known = torch.rand(9, 7, generator=generator) * 5, torch.eye(9, 2)

    def norm(i, values):
        n = net.norms[i]
        return (values - n.running_mean) / (n.running_var + n.eps).sqrt() * n.weight + n.bias

    def linear(layer, values):
        return values @ layer.weight.T + (0 if layer.bias is None else layer.bias)

    h1 = norm(0, torch.sigmoid(linear(net.linear[0], x)))
    h2 = norm(1, torch.sigmoid(linear(net.linear[1], h1)))
    h3 = norm(2, torch.sigmoid(linear(net.linear[2], h2)))
    both = linear(net.residuals[0], h1) + linear(net.residuals[1], h2)
    u = norm(3, torch.sigmoid(linear(net.linear[3], h3) + both))
    v = torch.cat([u, known], dim=1)
    rates = torch.exp(linear(net.rates, v))
    out = net(x, known)
    torch.testing.assert_close(out.latents, u)
    torch.testing.assert_close(out.r, linear(net.zero_inflation, v))
    torch.testing.assert_close(out.log_mu.exp(), rates / rates.sum(1, keepdim=True))
    torch.testing.assert_close(out.log_l, net.library(v))
    kinds = [type(layer).__name__ for layer in net.library]
    assert kinds == [*["Linear", "BatchNorm1d", "Sigmoid"] * 2, "Linear"]


def test_expected_counts_sum_to_the_predicted_library_size():
    out = network()(torch.rand(5, 7) * 100, torch.zeros(5, 0))
    torch.testing.assert_close(out.log_m.exp().sum(1), out.log_l.double().exp().squeeze(1))


@given(st.integers(1, 6), st.integers(1, 30), st.integers(0, 2**31 - 1))
def test_weight_ratio_and_its_gradient_equal_autograd_of_the_formula(neurons, genes, seed):
    generator = torch.Generator().manual_seed(seed)
    w = torch.randn(neurons, genes, generator=generator, dtype=torch.float64).requires_grad_()
    plain = (w.abs().mean(dim=1) / w.square().mean(dim=1).sqrt()).mean()
    torch.testing.assert_close(weight_ratio(w), plain)
    (expected,) = torch.autograd.grad(plain, w)
    (ours,) = torch.autograd.grad(3 * weight_ratio(w), w)
    torch.testing.assert_close(ours, 3 * expected)


def test_weight_ratio_ignores_scale_and_rewards_few_weights():
    w = torch.randn(4, 25, generator=torch.Generator().manual_seed(0))
    scales = torch.tensor([[1e-3], [0.5], [7.0], [1e4]])
    torch.testing.assert_close(weight_ratio(w * scales), weight_ratio(w))
    assert weight_ratio(torch.ones(3, 25)).item() == pytest.approx(1)
    assert weight_ratio(torch.eye(3, 25)).item() == pytest.approx(1 / 5)


def test_below_compares_with_the_neurons_largest_weight():
    w = torch.tensor([[1.0, -0.1, 0.001], [-1e-3, 1e-4, 1e-6]])
    assert below(w, 0.05).tolist() == [[False, False, True], [False, False, True]]
    assert not below(w, 0.0).any()


@pytest.mark.parametrize("zinb", [False, True])
def test_loss_equals_the_sum_of_its_terms(zinb):
    out = network(negative_binomial=zinb)(torch.rand(5, 7) * 9, torch.zeros(5, 0))
    x = torch.randint(0, 9, (5, 7), generator=torch.Generator().manual_seed(2)).double()
    w = torch.randn(6, 7, generator=torch.Generator().manual_seed(3))
    weights = {"alpha_z": 0.3, "alpha_w": 0.5, "alpha_theta": 0.7, "alpha_l": 0.11}
    theta = out.theta.double() if zinb else None
    r = out.r.double()
    expected = -log_likelihood(x, r, out.log_m, theta).sum() / 5
    expected += 0.3 * (1 / (1 + torch.exp(-r))).pow(2).mean() + 0.5 * weight_ratio(w)
    if zinb:
        library = out.log_l.double().exp().flatten()
        expected += 0.7 * theta.pow(2).mean() + 0.11 * (library - x.sum(1)).pow(2).mean()
    torch.testing.assert_close(loss(out, x, w, ZipoSettings(**weights)), expected)


def test_learning_rate_falls_by_a_tenth_an_epoch_to_a_thousandth_at_epoch_30():
    pace, rates = ZipoPace(ZipoSettings()), []
    for epoch in range(40):
        rates.append(pace.rate)
        pace.goes_on_after(100.0 * 0.9**epoch)
    np.testing.assert_allclose(rates[:29], 0.0212 * 0.9 ** np.arange(29))
    assert rates[28] > 1e-3 >= rates[29]
    assert rates[29:] == [1e-3] * 11


def test_rate_falls_again_after_15_epochs_without_a_gain_of_a_thousandth():
    pace = ZipoPace(ZipoSettings(learning_rate=1e-3))
    rates = []
    for epoch in range(33):
        pace.goes_on_after(100 - 0.001 * epoch)  # Improves, but by less than 0.1 % in all.
        rates.append(pace.rate)
    assert rates == pytest.approx([1e-3] * 16 + [1e-4] * 16 + [1e-5])


def test_training_stops_after_30_epochs_without_improvement():
    pace = ZipoPace(ZipoSettings())
    assert pace.goes_on_after(5.0)
    assert [pace.goes_on_after(5.0) for _ in range(30)] == [True] * 29 + [False]
    assert not pace.improved
