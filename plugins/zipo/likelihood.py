"""ZiPo's zero-inflated log-likelihoods, through log-sigmoid and without truncation (II-D).

All arrays are (cells, genes) float64. Nothing is clipped and no small number is added to the
argument of a logarithm, yet values and gradients stay finite: a count of 0 under a mean of a
million has log-likelihood −1e6 without zero inflation, and that is what comes out.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

_LN_LARGE = 7.0
"""ln k from which ln Γ(x + k) − ln Γ(k) is taken by Stirling's series: later the two terms would
cancel down to their rounding errors."""


def log_likelihood(x: Tensor, r: Tensor, log_m: Tensor, theta: Tensor | None = None) -> Tensor:
    """Return ln Pr(x | z, m, θ) of every entry.

    Parameters
    ----------
    x
        Counts.
    r
        logit z, z the probability of zero inflation.
    log_m
        ln m, m = l μ the expected count.
    theta
        See `negative_binomial`; None means Poisson.
    """
    f = poisson(x, log_m) if theta is None else negative_binomial(x, log_m, theta)
    return logsigmoid(-r) + torch.where(x == 0, r - logsigmoid(r - f), f)


def poisson(x: Tensor, log_m: Tensor) -> Tensor:
    """Return ln Pr(x | m), Poisson."""
    return x * log_m - log_m.exp() - torch.lgamma(x + 1)


def negative_binomial(x: Tensor, log_m: Tensor, theta: Tensor) -> Tensor:
    """Return ln Pr(x | m, θ), negative binomial of mean m and variance m (1 + e^θ).

    θ = ln m − ln k is the paper's "difference between the mean and the dispersion", on the log
    scale, k being the dispersion parameter (variance m + m² / k). In these terms the success
    probability is sigmoid(θ), so that no logarithm of a probability is taken either.
    """
    log_k = log_m - theta
    is_large = log_k > _LN_LARGE
    # Each branch gets a k that suits it, so that the branch not taken has a finite gradient too.
    k = torch.exp(torch.where(is_large, 0.0, log_k))
    exact = torch.lgamma(x + k) - torch.lgamma(k) + k * logsigmoid(-theta)
    k = torch.exp(torch.where(is_large, log_k, _LN_LARGE))
    stirling = (
        (k - 0.5) * torch.log1p(x / k) + x * torch.log(x + k) - x + (1 / (x + k) - 1 / k) / 12
    ) + k * logsigmoid(-theta)
    return torch.where(is_large, stirling, exact) + x * logsigmoid(theta) - torch.lgamma(x + 1)
