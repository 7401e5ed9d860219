"""DCA's negative log-likelihoods and their gradients (Eraslan et al. 2019, equations 1 to 5).

Heads are what the network's last layer puts out, (cells, heads × genes), before activation: the
mean, then, where the noise model has them, the dispersion and the dropout. Everything is computed
in float64 and in arithmetic that runs in vectors, a cell at a time in several short loops, of which
a processor works on many rounds at once. Most counts are 0, and what only other counts need is
computed for these alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numba
import numpy as np
from impbench_plugins.shared.compiled import njit
from numba.core import types
from numba.extending import intrinsic
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

MEAN_BOUNDS = (1e-5, 1e6)
DISPERSION_BOUNDS = (1e-4, 1e4)
GENE_DISPERSION_BOUNDS = (1e-3, 1e4)


@dataclass(frozen=True)
class Noise:
    """How counts scatter around the mean μ.

    Attributes
    ----------
    dispersion
        ``"none"`` (Poisson), ``"gene"`` (one θ per gene) or ``"entry"`` (θ is a head).
    zero_inflated
        Whether there is a dropout head π.
    """

    dispersion: str
    zero_inflated: bool

    @property
    def n_heads(self) -> int:
        """Number of outputs per gene."""
        return 1 + (self.dispersion == "entry") + self.zero_inflated

    def loss(self, heads: Float32, log_theta: Float32, counts: Float32, factors: Float32) -> float:
        """Return the mean negative log-likelihood over all entries.

        Parameters
        ----------
        heads
            (cells, n_heads × genes).
        log_theta
            ln θ of each gene, (genes,); used if `dispersion` is ``"gene"``.
        counts
            (cells, genes), raw.
        factors
            Size factors, (cells,).
        """
        return float(_loss(self.dispersion, self.zero_inflated)(heads, log_theta, counts, factors))

    def gradient(
        self, heads: Float32, log_theta: Float32, counts: Float32, factors: Float32
    ) -> Float32:
        """Replace `heads` by the derivatives of `loss` by them; return those by `log_theta`."""
        kernel = _gradient(self.dispersion, self.zero_inflated)
        return kernel(heads, log_theta, counts, factors)  # type: ignore[no-any-return]


NOISE = {
    "nb-conddisp": Noise("entry", False),
    "nb": Noise("gene", False),
    "zinb-conddisp": Noise("entry", True),
    "zinb": Noise("gene", True),
    "poisson": Noise("none", False),
}
"""Noise models by DCA's names for them."""


_FAST = {"error_model": "numpy", "fastmath": {"contract", "nsz"}, "nogil": True}
_inlined = numba.njit(forceinline=True, **_FAST)
_compiled = njit(**_FAST)


@cache
def _loss(dispersion: str, zero_inflated: bool) -> Callable[..., Any]:
    conditional, by_gene = dispersion == "entry", dispersion == "gene"
    poisson = dispersion == "none"

    def loss(heads, log_theta, counts, factors):  # type: ignore[no-untyped-def]
        n_cells, n_genes = counts.shape
        mu, theta, entry = np.empty(n_genes), np.ones(n_genes), np.empty(n_genes)
        counted, y, more = np.empty(n_genes, np.int64), np.empty(n_genes), np.empty(n_genes)
        y_mu, y_theta = np.empty(n_genes), np.empty(n_genes)
        total = 0.0
        if by_gene:
            for j in range(n_genes):
                theta[j] = _clip(_exp(np.float64(log_theta[j])), GENE_DISPERSION_BOUNDS)
        for i in range(n_cells):
            factor, observed = np.float64(factors[i]), counts[i]
            mean, dropout = heads[i, :n_genes], heads[i, -n_genes:]
            for j in range(n_genes):
                mu[j] = _clip(_exp(np.float64(mean[j])), MEAN_BOUNDS) * factor
            if conditional:
                dispersion = heads[i, n_genes : 2 * n_genes]
                for j in range(n_genes):
                    free, _ = _softplus_and_slope(np.float64(dispersion[j]))
                    theta[j] = _clip(free, DISPERSION_BOUNDS)
            for j in range(n_genes):
                entry[j] = mu[j] if poisson else theta[j] * _log1p(mu[j] / theta[j])
            n_counted = _find_counted(observed, counted)
            for k in range(n_counted):
                j = counted[k]
                y[k], y_mu[k], y_theta[k] = observed[j], mu[j], theta[j]
            for k in range(n_counted):
                more[k] = _log_gamma_ratio(y[k], 1.0)
            if poisson:
                for k in range(n_counted):
                    more[k] -= y[k] * _log(y_mu[k])
            else:
                for k in range(n_counted):
                    more[k] += y[k] * _log1p(y_theta[k] / y_mu[k])
                for k in range(n_counted):
                    more[k] -= _log_gamma_ratio(y[k], y_theta[k])
            for k in range(n_counted):
                entry[counted[k]] += more[k]
            if zero_inflated:
                for j in range(n_genes):
                    logit = np.float64(dropout[j])
                    at_zero = _softplus(-logit) - _softplus(-entry[j] - logit)
                    entry[j] = at_zero if observed[j] == 0 else entry[j] + _softplus(logit)
            total += entry.sum()
        return total / counts.size

    return _compiled(loss)


@cache
def _gradient(dispersion: str, zero_inflated: bool) -> Callable[..., Any]:
    conditional, by_gene = dispersion == "entry", dispersion == "gene"
    poisson = dispersion == "none"

    def gradient(heads, log_theta, counts, factors):  # type: ignore[no-untyped-def]
        n_cells, n_genes = counts.shape
        scale = 1.0 / counts.size
        mu, inside, by_theta = np.empty(n_genes), np.empty(n_genes), np.empty(n_genes)
        theta, slope, by_gene_theta = np.empty(n_genes), np.empty(n_genes), np.zeros(n_genes)
        counted, y, more = np.empty(n_genes, np.int64), np.empty(n_genes), np.empty(n_genes)
        if by_gene:
            for j in range(n_genes):
                free = _exp(np.float64(log_theta[j]))
                theta[j] = _clip(free, GENE_DISPERSION_BOUNDS)
                slope[j] = free * scale if theta[j] == free else 0.0
        for i in range(n_cells):
            factor, observed = np.float64(factors[i]), counts[i]
            # Derivatives take the place of the heads.
            mean, dropout = heads[i, :n_genes], heads[i, -n_genes:]
            if poisson:
                for j in range(n_genes):
                    free = _exp(np.float64(mean[j]))
                    clipped = _clip(free, MEAN_BOUNDS)
                    mean[j] = (scale if free == clipped else 0.0) * (clipped * factor - observed[j])
                continue
            for j in range(n_genes):
                free = _exp(np.float64(mean[j]))
                clipped = _clip(free, MEAN_BOUNDS)
                inside[j] = scale if free == clipped else 0.0
                mu[j] = clipped * factor
            if conditional:
                dispersion = heads[i, n_genes : 2 * n_genes]
                for j in range(n_genes):
                    free, rise = _softplus_and_slope(np.float64(dispersion[j]))
                    theta[j] = _clip(free, DISPERSION_BOUNDS)
                    slope[j] = rise * scale if theta[j] == free else 0.0
            n_counted = _find_counted(observed, counted)
            for k in range(n_counted):
                y[k], more[k] = observed[counted[k]], theta[counted[k]]
            for k in range(n_counted):
                more[k] = _digamma_difference(y[k], more[k])
            for j in range(n_genes):
                both = theta[j] + mu[j]
                part = 1.0 / (theta[j] * both)
                rest = theta[j] * part  # 1 / (θ + μ)
                log_ratio = _log1p(mu[j] * (both * part))
                # d/dμ, times μ, the derivative of μ by its head.
                by_mean = theta[j] * (mu[j] - observed[j]) * rest
                by_theta[j] = log_ratio + (observed[j] - mu[j]) * rest
                if zero_inflated:
                    logit = np.float64(dropout[j])
                    # Share of NB in the probability of a zero.
                    share = _sigmoid(-theta[j] * log_ratio - logit) if observed[j] == 0 else 1.0
                    by_mean *= share
                    by_theta[j] *= share
                    dropout[j] = scale * (share - _sigmoid(-logit))
                mean[j] = inside[j] * by_mean
            for k in range(n_counted):
                by_theta[counted[k]] -= more[k]
            if conditional:
                for j in range(n_genes):
                    dispersion[j] = slope[j] * by_theta[j]
            else:
                by_gene_theta += by_theta
        if by_gene:
            return (by_gene_theta * slope).astype(np.float32)
        return np.zeros_like(log_theta)

    return _compiled(gradient)


@_inlined
def _find_counted(observed: Any, counted: Any) -> int:
    """Write down which genes have a count; return how many."""
    n = 0
    for j in range(len(observed)):
        counted[n] = j
        n += observed[j] != 0
    return n


@_inlined
def _clip(x: Any, bounds: Any) -> Any:
    return min(max(x, bounds[0]), bounds[1])


@_inlined
def _softplus(x: Any) -> Any:
    return max(x, 0.0) + _log1p(_exp(-abs(x)))


@_inlined
def _sigmoid(x: Any) -> Any:
    e = _exp(-abs(x))
    return (1.0 if x > 0 else e) / (1.0 + e)


@_inlined
def _softplus_and_slope(x: Any) -> Any:
    """Softplus and its derivative, the sigmoid, with one division for both."""
    e = _exp(-abs(x))
    u = 1.0 + e
    halved = u > _ROOT_2  # ln u is then ln 2 + ln(u/2).
    top, bottom = (e - 1.0, e + 3.0) if halved else (e, e + 2.0)
    part = 1.0 / (bottom * u)
    log_u = _log_by_ratio(top * (part * u)) + (_LN_2 if halved else 0.0)
    return max(x, 0.0) + log_u, (1.0 if x > 0 else e) * (part * bottom)


@_inlined
def _log_gamma_ratio(y: Any, theta: Any) -> Any:
    """Return ln Γ(θ + y) − ln Γ(θ), by Stirling's series after eight steps of Γ(x + 1) = x Γ(x)."""
    top, bottom = 1.0, 1.0
    for k in range(8):
        top *= theta + k
        bottom *= theta + y + k
    a, b = theta + y + 8, theta + 8
    return (
        (b - 0.5) * _log1p(y / b)
        + y * (_log(a) - 1.0)
        + _stirling(a)
        - _stirling(b)
        + _log(top / bottom)
    )


@_inlined
def _stirling(x: Any) -> Any:
    z = 1.0 / x
    f = z * z
    return z * (1 / 12 - f * (1 / 360 - f * (1 / 1260 - f * (1 / 1680 - f / 1188))))


@_inlined
def _digamma_difference(y: Any, theta: Any) -> Any:
    """ψ(θ + y) − ψ(θ), by the asymptotic series after six steps of ψ(x + 1) = ψ(x) + 1/x."""
    # Σ 1/((θ + k)(θ + y + k)) as one fraction: division is what costs.
    top_0, bottom_0 = _two_steps(y, theta)
    top_2, bottom_2 = _two_steps(y, theta + 2)
    top_4, bottom_4 = _two_steps(y, theta + 4)
    top = (top_0 * bottom_2 + top_2 * bottom_0) * bottom_4 + top_4 * (bottom_0 * bottom_2)
    steps = y * (top / (bottom_0 * bottom_2 * bottom_4))
    a, b = theta + y + 6, theta + 6
    part = 1.0 / (a * b)
    one_by_a, one_by_b = part * b, part * a
    return _log1p(y * one_by_b) + _digamma_tail(one_by_b) - _digamma_tail(one_by_a) + steps


@_inlined
def _two_steps(y: Any, theta: Any) -> Any:
    """1/(θ (θ + y)) + 1/((θ + 1)(θ + 1 + y)), as numerator and denominator."""
    a, b = theta * (theta + y), (theta + 1) * (theta + y + 1)
    return a + b, a * b


@_inlined
def _digamma_tail(z: Any) -> Any:
    """Return ln x − ψ(x), of z = 1/x."""
    f = z * z
    near, far = 1 / 12 - f * (1 / 120), 1 / 252 - f * (1 / 240 - f * (1 / 132))
    return z * (0.5 + z * (near + f * f * far))


_ROOT_2, _LN_2 = 1.4142135623730951, 0.6931471805599453


@_inlined
def _log1p(x: Any) -> Any:
    """ln(1 + x), x ≥ 0, as accurate for small x as for large."""
    u = 1.0 + x
    bits = _as_bits(u) - _ROOT_HALF
    m = _as_float((bits & 0xFFFFFFFFFFFFF) + _ROOT_HALF)
    top = x if u < _ROOT_2 else m - 1.0
    return _log_by_ratio(top / (m + 1.0)) + (bits >> 52) * _LN_2


@_inlined
def _exp(x: Any) -> Any:
    """exp(x) to a few units in the last place, |x| ≤ 700: 2ⁿ by its bits times a Taylor series.

    The series in groups of four, here and in the logarithm: one long chain would wait for itself.
    """
    x = min(max(x, -700.0), 700.0)
    n = np.rint(x * 1.4426950408889634)
    r = x - n * _LN_2
    r2 = r * r
    r4 = r2 * r2
    a = (1.0 + r) + r2 * (0.5 + r * (1 / 6))
    b = (1 / 24 + r * (1 / 120)) + r2 * (1 / 720 + r * (1 / 5040))
    c = (1 / 40320 + r * (1 / 362880)) + r2 * (1 / 3628800 + r * (1 / 39916800))
    return (a + r4 * (b + r4 * c)) * _as_float((np.int64(n) + 1023) << 52)


_ROOT_HALF = 0x3FE6A09E667F3BCD  # The bits of √½.


@_inlined
def _log(x: Any) -> Any:
    """Natural logarithm of a positive normal number: x = 2ᵉ m, √½ ≤ m < √2."""
    bits = _as_bits(x) - _ROOT_HALF
    m = _as_float((bits & 0xFFFFFFFFFFFFF) + _ROOT_HALF)
    return _log_by_ratio((m - 1.0) / (m + 1.0)) + (bits >> 52) * _LN_2


@_inlined
def _log_by_ratio(s: Any) -> Any:
    """Return ln m of s = (m − 1) / (m + 1), √½ ≤ m ≤ √2: the series of 2 artanh s."""
    s2 = s * s
    s4 = s2 * s2
    s8 = s4 * s4
    a = (1.0 + s2 * (1 / 3)) + s4 * (1 / 5 + s2 * (1 / 7))
    b = (1 / 9 + s2 * (1 / 11)) + s4 * (1 / 13 + s2 * (1 / 15))
    return 2.0 * s * (a + s8 * (b + s8 * (1 / 17 + s2 * (1 / 19))))


@intrinsic  # type: ignore[untyped-decorator]
def _as_bits(typing: Any, x: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(types.int64))

    return types.int64(types.float64), codegen


@intrinsic  # type: ignore[untyped-decorator]
def _as_float(typing: Any, bits: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(types.float64))

    return types.float64(types.int64), codegen
