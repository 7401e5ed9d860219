import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from impbench_plugins.zipo.likelihood import log_likelihood, negative_binomial, poisson
from scipy import stats

counts = st.integers(0, 10**6)
log_means = st.floats(-12, 14)
logits = st.floats(-30, 30)
thetas = st.floats(-6, 6)


def tensors(*values):
    return [torch.tensor([float(value)], dtype=torch.float64) for value in values]


def mixture(x, r, log_f):
    """ln of the mixture with a point mass at 0, as a textbook writes it."""
    z = -np.logaddexp(0, -r)
    rest = -np.logaddexp(0, r) + log_f
    return np.logaddexp(z, rest) if x == 0 else rest


@given(counts, log_means, logits)
def test_zero_inflated_poisson_equals_scipy(x, log_m, r):
    ours = log_likelihood(*tensors(x, r, log_m)).item()
    theirs = mixture(x, r, stats.poisson.logpmf(x, np.exp(log_m)))
    assert ours == pytest.approx(theirs, rel=1e-8, abs=1e-8)


@given(st.integers(0, 10**4), log_means, logits, thetas)
def test_zero_inflated_negative_binomial_equals_scipy(x, log_m, r, theta):
    ours = log_likelihood(*tensors(x, r, log_m, theta)).item()
    k, p = np.exp(log_m - theta), 1 / (1 + np.exp(theta))
    theirs = mixture(x, r, stats.nbinom.logpmf(x, k, p))
    assert ours == pytest.approx(theirs, rel=1e-6, abs=1e-6)


def test_negative_binomial_has_mean_m_and_variance_m_times_one_plus_e_to_theta():
    x = torch.arange(3000.0, dtype=torch.float64)
    p = negative_binomial(x, torch.full_like(x, np.log(20)), torch.full_like(x, 0.7)).exp()
    assert p.sum().item() == pytest.approx(1)
    mean = (p * x).sum().item()
    assert mean == pytest.approx(20)
    assert (p * (x - mean) ** 2).sum().item() == pytest.approx(20 * (1 + np.exp(0.7)))


@given(counts, st.floats(-5, 14))
def test_negative_binomial_becomes_poisson_as_theta_falls(x, log_m):
    x, log_m, theta = tensors(x, log_m, -60)
    expected = poisson(x, log_m).item()
    assert negative_binomial(x, log_m, theta).item() == pytest.approx(expected, rel=1e-8, abs=1e-6)


def test_stirling_takes_over_without_a_step():
    x = torch.tensor([0.0, 1.0, 50.0, 1e4, 1e6], dtype=torch.float64)
    theta = torch.full_like(x, 0.3)
    below, above = (
        negative_binomial(x, torch.full_like(x, 7.3 + gap), theta) for gap in (-1e-9, 1e-9)
    )
    torch.testing.assert_close(below, above, rtol=1e-8, atol=1e-6)


@pytest.mark.parametrize("zinb", [False, True])
def test_gradient_equals_finite_differences(zinb):
    generator = torch.Generator().manual_seed(0)
    x = torch.tensor([0.0, 0.0, 1.0, 3.0, 40.0, 900.0], dtype=torch.float64)
    heads = [
        torch.randn(6, generator=generator, dtype=torch.float64).add(shift).requires_grad_()
        for shift in ((0.0, 2.0, 0.0) if zinb else (0.0, 2.0))
    ]
    assert torch.autograd.gradcheck(lambda *h: log_likelihood(x, *h), heads)


@given(counts, st.floats(-20, 14), logits)
def test_poisson_gradient_equals_the_closed_form(x, log_m, r):
    """d/dr = [x = 0] q − sigmoid(r), d/d ln m = x − m (1 − [x = 0] q), q = sigmoid(r + m)."""
    x, r, log_m = tensors(x, r, log_m)
    r.requires_grad_()
    log_m.requires_grad_()
    log_likelihood(x, r, log_m).backward()
    m = np.exp(log_m.item())
    q = torch.sigmoid(r + m).item() if x.item() == 0 else 0.0
    # 1 − q as a sigmoid of its own: the difference would round to 0.
    rest = torch.sigmoid(-r - m).item() if x.item() == 0 else 1.0
    assert r.grad.item() == pytest.approx(q - torch.sigmoid(r).item(), abs=1e-12)
    assert log_m.grad.item() == pytest.approx(x.item() - m * rest, rel=1e-9, abs=1e-9)


@given(counts, st.floats(-300, 30), st.floats(-1000, 1000), st.floats(-200, 200))
def test_value_and_gradient_are_finite_for_any_output_of_the_network(x, log_m, r, theta):
    for with_theta in (False, True):
        x_, *heads = tensors(x, r, log_m, *([theta] if with_theta else []))
        for head in heads:
            head.requires_grad_()
        value = log_likelihood(x_, *heads)
        value.backward()
        assert torch.isfinite(value).all()
        assert all(torch.isfinite(head.grad).all() for head in heads)


def test_nothing_is_truncated():
    ours = log_likelihood(*tensors(0, -800, np.log(1e6))).item()
    assert ours == pytest.approx(-800)  # z = e^−800, which float64 cannot hold, still counts.
    assert log_likelihood(*tensors(5, 900, 0)).item() == pytest.approx(-900, rel=0.01)
