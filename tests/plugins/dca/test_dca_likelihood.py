import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from impbench_plugins.dca.likelihood import NOISE

TYPES = list(NOISE)


def torch_loss(name, heads, log_theta, counts, factors):
    """Mean negative log-likelihood in float64 from torch.distributions' building blocks."""
    noise, n_genes = NOISE[name], counts.shape[1]
    mu = torch.exp(heads[:, :n_genes]).clamp(1e-5, 1e6) * factors[:, None]
    if name == "poisson":
        return -torch.distributions.Poisson(mu, validate_args=False).log_prob(counts).mean()
    if noise.dispersion == "entry":
        raw = heads[:, n_genes : 2 * n_genes]
        theta = torch.nn.functional.softplus(raw, threshold=50).clamp(1e-4, 1e4)
    else:
        theta = torch.exp(log_theta).clamp(1e-3, 1e4).expand(mu.shape)
    nb = torch.distributions.NegativeBinomial(
        theta, logits=torch.log(mu) - torch.log(theta), validate_args=False
    ).log_prob(counts)
    if noise.zero_inflated:
        logit = heads[:, -n_genes:]
        log_pi = torch.nn.functional.logsigmoid(logit)
        log_rest = torch.nn.functional.logsigmoid(-logit)
        nb = torch.where(counts == 0, torch.logaddexp(log_pi, log_rest + nb), log_rest + nb)
    return -nb.mean()


def problem(name, rng, spread=2.0, largest=50.0):
    counts = rng.poisson(rng.uniform(0, largest, (9, 14))) * (rng.random((9, 14)) < 0.6)
    return (
        rng.normal(0, spread, (9, NOISE[name].n_heads * 14)).astype(np.float32),
        rng.normal(0, 1, 14).astype(np.float32),
        counts.astype(np.float32),
        rng.uniform(0.3, 3, 9).astype(np.float32),
    )


def expected(name, arrays):
    tensors = [torch.tensor(array, dtype=torch.float64) for array in arrays]
    for tensor in tensors[:2]:
        tensor.requires_grad_()
    loss = torch_loss(name, *tensors)
    loss.backward()
    by_log_theta = tensors[1].grad
    zero = torch.zeros_like(tensors[1])
    return loss.item(), tensors[0].grad.numpy(), (zero if by_log_theta is None else by_log_theta)


@pytest.mark.parametrize("name", TYPES)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), spread=st.floats(0.1, 5), largest=st.floats(1, 3000))
def test_loss_and_gradient_equal_autograd_in_float64_to_1e_5(name, seed, spread, largest):
    arrays = problem(name, np.random.default_rng(seed), spread, largest)
    loss, by_heads, by_log_theta = expected(name, arrays)
    assert NOISE[name].loss(*arrays) == pytest.approx(loss, rel=1e-5)
    heads = arrays[0].copy()
    got = NOISE[name].gradient(heads, *arrays[1:])
    # Float32 storage: relative to the largest of a column of derivatives.
    scale = np.abs(by_heads).max()
    np.testing.assert_allclose(heads, by_heads, rtol=1e-5, atol=1e-8 * scale)
    np.testing.assert_allclose(got, by_log_theta, rtol=1e-5, atol=1e-6 * scale)


@pytest.mark.parametrize("name", TYPES)
def test_loss_and_gradient_are_finite_whatever_the_network_says_for_counts_up_to_a_million(name):
    for extreme in (-1e4, -90, -12, 0, 12, 90, 1e4):
        for count in (0, 1, 0.25, 1e6):
            heads, log_theta, counts, factors = problem(name, np.random.default_rng(0))
            heads[:], log_theta[:], counts[:] = extreme, np.clip(extreme, -80, 80), count
            heads[::2] *= -1
            assert np.isfinite(NOISE[name].loss(heads, log_theta, counts, factors))
            got = NOISE[name].gradient(heads, log_theta, counts, factors)
            assert np.isfinite(heads).all()
            assert np.isfinite(got).all()


@pytest.mark.parametrize("name", TYPES)
def test_million_counts_keep_the_accuracy(name):
    heads, log_theta, counts, factors = problem(name, np.random.default_rng(1), spread=1.0)
    counts[counts > 0] *= 2e4
    heads[:, :14] += 10
    loss, by_heads, _ = expected(name, (heads, log_theta, counts, factors))
    assert NOISE[name].loss(heads, log_theta, counts, factors) == pytest.approx(loss, rel=1e-5)
    NOISE[name].gradient(heads, log_theta, counts, factors)
    np.testing.assert_allclose(heads, by_heads, rtol=1e-5, atol=1e-8 * np.abs(by_heads).max())


@pytest.mark.parametrize("name", TYPES)
def test_clipped_activations_have_no_gradient(name):
    heads, log_theta, counts, factors = problem(name, np.random.default_rng(2))
    heads[:, :14] = -12  # exp(−12) < 1e-5
    log_theta[:] = 10  # exp(10) > 1e4
    conditional = NOISE[name].dispersion == "entry"
    if conditional:
        heads[:, 14:28] = -10  # softplus(−10) < 1e-4
    got = NOISE[name].gradient(heads, log_theta, counts, factors)
    assert (heads[:, : 28 if conditional else 14] == 0).all()
    assert (got == 0).all()
