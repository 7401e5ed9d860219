"""scNAME's likelihood of counts: zero-inflated negative binomial (Wan et al. 2022, its first loss).

With x_μ, x_θ, x_π the last layer's outputs of an entry and s the cell's size factor,

    μ = s · clip(e^{x_μ}),  θ = clip(ln(1 + e^{x_θ})),  π = 1 / (1 + e^{−x_π})
    y = 0:  −ln( π + (1 − π) (θ / (θ + μ))^θ + ε ) + λ π²
    y > 0:  −ln NB(y; μ, θ) − ln(1 − π + ε) + λ π²

and the loss is the mean over cells and genes. Training needs its derivatives alone. They are taken
in one pass in single precision, which the program has throughout, by arithmetic without a branch,
of which the compiler makes vector instructions.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from impbench_plugins.shared.compiled import njit
from numba.core import types
from numba.extending import intrinsic

MEAN_BOUNDS = (1e-5, 1e6)
DISPERSION_BOUNDS = (1e-4, 1e4)
RIDGE = 1.0
"""λ: it keeps π, which could explain every zero, small."""
EPSILON = 1e-10

HEADS = 3

_FAST = {"error_model": "numpy", "fastmath": {"contract", "nsz"}, "nogil": True}
_inlined = numba.njit(forceinline=True, **_FAST)

F = np.float32
_RIDGE, _EPSILON, _ZERO, _HALF, _ONE, _TWO, _SIX = (
    F(x) for x in (RIDGE, EPSILON, 0.0, 0.5, 1.0, 2.0, 6.0)
)
_LEAST_MEAN, _MOST_MEAN = F(MEAN_BOUNDS[0]), F(MEAN_BOUNDS[1])
_LEAST_DISPERSION, _MOST_DISPERSION = F(DISPERSION_BOUNDS[0]), F(DISPERSION_BOUNDS[1])


@njit(**_FAST)
def zinb_gradient(heads: Any, counts: Any, factors: Any) -> None:
    """Replace outputs of the last layer by the loss's derivatives by them, in place; all float32.

    Parameters
    ----------
    heads
        (cells, 3 · genes): x_π, x_θ and x_μ side by side.
    counts
        (cells, genes), whole numbers.
    factors
        (cells,) size factors.
    """
    n_cells, n_genes = counts.shape
    scale = F(1.0 / counts.size)
    for i in range(n_cells):
        # Derivatives take the place of outputs: with more arrays the compiler cannot make sure
        # that none overlap.
        by_pi, by_theta = heads[i, :n_genes], heads[i, n_genes : 2 * n_genes]
        by_mu, observed, factor = heads[i, 2 * n_genes :], counts[i], factors[i]
        for j in range(n_genes):
            y = observed[j]
            free_mean = _exp(by_mu[j])
            mean = min(max(free_mean, _LEAST_MEAN), _MOST_MEAN)
            mu = mean * factor
            x = by_theta[j]
            e = _exp(-abs(x))
            free_theta = max(x, _ZERO) + _log1p(e)
            theta = min(max(free_theta, _LEAST_DISPERSION), _MOST_DISPERSION)
            # What a clip holds fast does not learn.
            inside = scale if mean == free_mean else _ZERO
            slope = (_ONE if x > _ZERO else e) / (_ONE + e)
            slope = slope * scale if theta == free_theta else _ZERO
            log_ratio, rest = _log1p(mu / theta), _ONE / (theta + mu)
            x = by_pi[j]
            e = _exp(-abs(x))
            larger, smaller = _ONE / (_ONE + e), e / (_ONE + e)
            pi = larger if x > _ZERO else smaller
            other = smaller if x > _ZERO else larger
            zero = _exp(-theta * log_ratio)
            likelihood = pi + other * zero + _EPSILON
            # Share of NB in the probability of a zero.
            share = other * zero / likelihood if y == _ZERO else _ONE
            change = (zero - _ONE) / likelihood if y == _ZERO else _ONE / (other + _EPSILON)
            gain = log_ratio + (y - mu) * rest - _digamma_difference(y, theta)
            by_pi[j] = scale * pi * other * (change + _TWO * _RIDGE * pi)
            by_theta[j] = slope * share * gain
            by_mu[j] = inside * share * theta * (mu - y) * rest


@_inlined
def _digamma_difference(y: Any, theta: Any) -> Any:
    """ψ(θ + y) − ψ(θ): six steps of ψ(x + 1) = ψ(x) + 1 / x, then the asymptotic series."""
    b = theta + _SIX
    a = b + y
    steps = _three_steps(y, theta) + _three_steps(y, theta + F(3))
    return _log1p(y / b) + _tail(b) - _tail(a) + y * steps


@_inlined
def _three_steps(y: Any, x: Any) -> Any:
    """Σ 1 / ((x + k) (x + y + k)), k from 0 to 2, as one fraction: a division is what costs."""
    p = x * (x + y)
    q = (x + _ONE) * (x + y + _ONE)
    r = (x + _TWO) * (x + y + _TWO)
    return ((p + q) * r + p * q) / (p * q * r)


@_inlined
def _tail(x: Any) -> Any:
    """Return ln x − ψ(x), for x of 6 or more."""
    z = _ONE / x
    f = z * z
    return z * _HALF + f * (F(1 / 12) - f * (F(1 / 120) - f * (F(1 / 252) - f * F(1 / 240))))


@_inlined
def _log1p(x: Any) -> Any:
    u = _ONE + x
    return _log(u) + (x - (u - _ONE)) / u


@_inlined
def _exp(x: Any) -> Any:
    """exp(x) to 2 units in the last place, |x| ≤ 87: 2ⁿ by its bits times a Taylor series."""
    x = min(max(x, F(-87)), F(87))
    n = np.rint(x * F(1.4426950408889634))
    r = x - n * F(0.693145751953125)  # ln 2 in two parts, of which the first is short.
    r = r - n * F(1.428606765330187e-06)
    p = F(1 / 5040) * r + F(1 / 720)
    p = p * r + F(1 / 120)
    p = p * r + F(1 / 24)
    p = p * r + F(1 / 6)
    p = p * r + _HALF
    p = p * r + _ONE
    p = p * r + _ONE
    return p * _as_float((np.int32(n) + np.int32(127)) << np.int32(23))


_ROOT_HALF = np.int32(0x3F3504F3)  # The bits of √½.


@_inlined
def _log(x: Any) -> Any:
    """Natural logarithm of a positive normal number: x = 2ᵉ m, √½ ≤ m < √2, 2 artanh series."""
    bits = _as_bits(x) - _ROOT_HALF
    m = _as_float((bits & np.int32(0x7FFFFF)) + _ROOT_HALF)
    s = (m - _ONE) / (m + _ONE)
    s2 = s * s
    p = F(1 / 9) * s2 + F(1 / 7)
    p = p * s2 + F(1 / 5)
    p = p * s2 + F(1 / 3)
    p = p * s2 + _ONE
    return _TWO * s * p + F(bits >> np.int32(23)) * F(0.6931471805599453)


@intrinsic  # type: ignore[untyped-decorator]
def _as_bits(typing: Any, x: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(types.int32))

    return types.int32(types.float32), codegen


@intrinsic  # type: ignore[untyped-decorator]
def _as_float(typing: Any, bits: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(types.float32))

    return types.float32(types.int32), codegen
