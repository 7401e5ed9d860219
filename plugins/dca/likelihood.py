"""DCA's negative log-likelihoods and their gradients (Eraslan et al. 2019, equations 1 to 5).

Heads are what the network's last layer puts out, (cells, heads × genes), before activation: the
mean, then, where the noise model has them, the dispersion and the dropout. Everything is computed
in float64, without intermediate arrays and in arithmetic that runs in vectors: a step of training
spends as long here as in its matrix products.
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
    conditional, poisson = dispersion == "entry", dispersion == "none"

    def loss(heads, log_theta, counts, factors):  # type: ignore[no-untyped-def]
        n_cells, n_genes = counts.shape
        entry, total = np.empty(n_genes), 0.0
        for i in range(n_cells):
            factor = np.float64(factors[i])
            mean, dropout = heads[i, :n_genes], heads[i, -n_genes:]
            dispersion = heads[i, n_genes : 2 * n_genes] if conditional else log_theta
            for j in range(n_genes):
                y = np.float64(counts[i, j])
                mu = _clip(_exp(np.float64(mean[j])), MEAN_BOUNDS) * factor
                if poisson:
                    entry[j] = mu - y * _log(mu) + _log_gamma_ratio(y, 1.0)
                    continue
                x = np.float64(dispersion[j])
                if conditional:
                    theta = _clip(_softplus(x), DISPERSION_BOUNDS)
                else:
                    theta = _clip(_exp(x), GENE_DISPERSION_BOUNDS)
                nb = (
                    _log_gamma_ratio(y, 1.0)
                    - _log_gamma_ratio(y, theta)
                    + (theta + y) * _log1p(mu / theta)
                    + y * (_log(theta) - _log(mu))
                )
                if zero_inflated:
                    logit = np.float64(dropout[j])
                    at_zero = _softplus(-logit) - _softplus(-nb - logit)
                    nb = at_zero if y == 0 else nb + _softplus(logit)
                entry[j] = nb
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
        by_log_theta, row = np.zeros_like(log_theta), np.empty_like(log_theta)
        for i in range(n_cells):
            factor = np.float64(factors[i])
            # Derivatives take the place of values: with more arrays than these four, the compiler
            # cannot make sure that none overlap, and writes no vector instructions.
            mean, dropout, observed = heads[i, :n_genes], heads[i, -n_genes:], counts[i]
            dispersion = heads[i, n_genes : 2 * n_genes] if conditional else row
            if by_gene:
                row[:] = log_theta
            for j in range(n_genes):
                y = np.float64(observed[j])
                free_mean = _exp(np.float64(mean[j]))
                clipped_mean = _clip(free_mean, MEAN_BOUNDS)
                inside = scale if free_mean == clipped_mean else 0.0
                mu = clipped_mean * factor
                if poisson:
                    mean[j] = inside * (mu - y)
                    continue
                x = np.float64(dispersion[j])
                if conditional:
                    free = _softplus(x)
                    theta, slope = _clip(free, DISPERSION_BOUNDS), _sigmoid(x)
                else:
                    free = _exp(x)
                    theta, slope = _clip(free, GENE_DISPERSION_BOUNDS), free
                slope = slope * scale if theta == free else 0.0
                log_ratio, rest = _log1p(mu / theta), 1.0 / (theta + mu)
                # d/dμ, times μ, the derivative of μ by its head.
                by_mean = theta * (mu - y) * rest
                by_theta = log_ratio + (y - mu) * rest - _digamma_difference(y, theta)
                if zero_inflated:
                    logit = np.float64(dropout[j])
                    # Share of NB in the probability of a zero.
                    share = _sigmoid(-theta * log_ratio - logit) if y == 0 else 1.0
                    by_mean *= share
                    by_theta *= share
                    dropout[j] = scale * (share - _sigmoid(-logit))
                mean[j] = inside * by_mean
                dispersion[j] = slope * by_theta
            if by_gene:
                by_log_theta += row
        return by_log_theta

    return _compiled(gradient)


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
def _log_gamma_ratio(y: Any, theta: Any) -> Any:
    """Return ln Γ(θ + y) − ln Γ(θ), by Stirling's series after eight steps of Γ(x + 1) = x Γ(x)."""
    steps = 1.0
    for k in range(8):
        steps *= (theta + k) / (theta + y + k)
    a, b = theta + y + 8, theta + 8
    return (
        (b - 0.5) * _log1p(y / b) + y * (_log(a) - 1.0) + _stirling(a) - _stirling(b) + _log(steps)
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
    top, bottom = 0.0, 1.0
    for k in range(6):
        product = (theta + k) * (theta + y + k)
        top = top * product + bottom
        bottom *= product
    b = theta + 6
    return _log1p(y / b) + _digamma_tail(b) - _digamma_tail(b + y) + y * (top / bottom)


@_inlined
def _digamma_tail(x: Any) -> Any:
    """Return ln x − ψ(x)."""
    z = 1.0 / x
    f = z * z
    series = 1 / 12 - f * (1 / 120 - f * (1 / 252 - f * (1 / 240 - f * (1 / 132))))
    return z * (0.5 + z * series)


@_inlined
def _log1p(x: Any) -> Any:
    u = 1.0 + x
    return _log(u) + (x - (u - 1.0)) / u


@_inlined
def _exp(x: Any) -> Any:
    """exp(x) to a few units in the last place, |x| ≤ 700: 2ⁿ by its bits times a Taylor series."""
    x = min(max(x, -700.0), 700.0)
    n = np.rint(x * 1.4426950408889634)
    r = x - n * 0.6931471805599453
    p = 1 / 39916800
    for c in (
        1 / 3628800, 1 / 362880, 1 / 40320, 1 / 5040, 1 / 720, 1 / 120, 1 / 24, 1 / 6, 0.5, 1.0, 1.0
    ):  # fmt: skip
        p = p * r + c
    return p * _as_float((np.int64(n) + 1023) << 52)


_ROOT_HALF = 0x3FE6A09E667F3BCD  # The bits of √½.


@_inlined
def _log(x: Any) -> Any:
    """Natural logarithm of a positive normal number: x = 2ᵉ m, √½ ≤ m < √2, 2 artanh series."""
    bits = _as_bits(x) - _ROOT_HALF
    m = _as_float((bits & 0xFFFFFFFFFFFFF) + _ROOT_HALF)
    s = (m - 1.0) / (m + 1.0)
    s2 = s * s
    p = 1 / 19
    for c in (1 / 17, 1 / 15, 1 / 13, 1 / 11, 1 / 9, 1 / 7, 1 / 5, 1 / 3, 1.0):
        p = p * s2 + c
    return 2.0 * s * p + (bits >> 52) * 0.6931471805599453


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
