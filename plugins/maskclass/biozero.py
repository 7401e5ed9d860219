"""How likely each observed zero is biological: p_bio of the MaskClass paper, section 2.6.

Counts follow a zero-inflated negative binomial model. A zero is either a dropout, with
probability δ, or a true zero of the negative binomial, with probability f(0); p_bio is the share of
the second in the sum of both. Everything is estimated per gene (mean μ, dispersion φ), per cell
(size factor ℓ, share of zeros z) and for the whole data set (the dropout curve).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.optimize import OptimizeWarning, curve_fit
from scipy.special import expit, logit

from impbench import large

Float = NDArray[np.float64]
_CELLS_PER_BLOCK = 128


@dataclass(frozen=True)
class DropoutCurve:
    """Probability of a zero as a logistic function of ln μ, falling since k < 0."""

    k: float
    x0: float

    def zero_probability(self, log_mean: Float) -> Float:
        """Return 1 / (1 + exp(−k (ln μ − x0)))."""
        return np.asarray(expit(self.k * (log_mean - self.x0)))


@dataclass(frozen=True)
class Biozero:
    """The fitted model of section 2.6.

    Attributes
    ----------
    size_factor
        ℓ, (cells,): library size over the median of the positive library sizes.
    zero_fraction
        z, (cells,): share of zeros, rescaled to [0, 1] between its 5th and 95th percentile.
    mean, dispersion
        μ and φ, (genes,): of the counts divided by ℓ, and of the raw non-zero counts.
    curve
        The dropout curve.
    """

    size_factor: Float
    zero_fraction: Float
    mean: Float
    dispersion: Float
    curve: DropoutCurve

    @classmethod
    def fit(cls, counts: Any) -> Biozero:
        """Estimate the model from counts, (cells, genes), dense or CSR."""
        n_cells, n_genes = counts.shape
        library = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
        usable = np.isfinite(library) & (library > 0)
        size_factor = np.ones(n_cells)
        if usable.any():
            size_factor[usable] = library[usable] / np.median(library[usable])

        scaled_sum, n_nonzero = np.zeros(n_genes), np.zeros(n_genes)
        total, cell_zeros = np.zeros(n_genes), np.zeros(n_cells)
        for cells, block in _blocks(counts):
            scaled_sum += (block / size_factor[cells, None]).sum(axis=0)
            n_nonzero += np.count_nonzero(block, axis=0)
            total += block.sum(axis=0)
            cell_zeros[cells] = 1 - np.count_nonzero(block, axis=1) / n_genes
        mean = scaled_sum / n_cells

        nonzero_mean = total / np.maximum(n_nonzero, 1)
        squares = np.zeros(n_genes)
        for _, block in _blocks(counts):
            squares += np.where(block != 0, np.square(block - nonzero_mean), 0).sum(axis=0)
        variance = squares / np.maximum(n_nonzero - 1, 1)

        return cls(
            size_factor=size_factor,
            zero_fraction=_rescaled(cell_zeros),
            mean=mean,
            dispersion=_dispersion(nonzero_mean, variance, n_nonzero),
            curve=fit_dropout_curve(np.log(mean + 1e-8), 1 - n_nonzero / n_cells),
        )

    def p_bio(self, counts: Any, alpha: float = 0.3) -> NDArray[np.float32]:
        """Return Pr(true count = 0 | observed count = 0), 0 where a count was observed.

        Parameters
        ----------
        counts
            (cells, genes), dense or CSR, as given to `fit`.
        alpha
            α of the cell sparsity adjustment p_bio ← p_bio (1 − α z); 0 leaves it out.

        Returns
        -------
        (cells, genes) float32. Computed in float64 a few cells at a time, so that nothing else of
        that size is ever held.
        """
        result = large.empty(counts.shape)
        phi = np.maximum(self.dispersion, 1e-12)
        poisson = self.dispersion <= 1e-12
        for cells, block in _blocks(counts):
            mu = self.mean * self.size_factor[cells, None]
            p_zero = self.curve.zero_probability(np.log(np.maximum(mu, 1e-12)))
            f0 = np.exp(np.where(poisson, -mu, -np.log1p(mu * phi) / phi))
            f0 = np.minimum(f0, p_zero + 1e-6)
            # Where f(0) reaches 1 there is no dropout left to explain the zero: δ is 0.
            delta = (p_zero - f0) / np.where(f0 < 1, 1 - f0, np.inf)
            delta = np.clip(delta, 0, 1 - 1e-6)
            biological = (1 - delta) * f0
            p = biological / np.maximum(delta + biological, np.finfo(np.float64).tiny)
            p *= 1 - alpha * self.zero_fraction[cells, None]
            result[cells] = np.where(block == 0, p, 0)
            large.release(result, rows=cells)
        return result


def fit_dropout_curve(log_mean: Float, zero_fraction: Float) -> DropoutCurve:
    """Fit the genes' share of zeros against the log of their mean by bounded least squares.

    Parameters
    ----------
    log_mean, zero_fraction
        (genes,) each: ln(μ + 1e-8), and the share of cells without a count.
    """
    middle = (zero_fraction > 0.2) & (zero_fraction < 0.8)
    x0 = float(np.median(log_mean[middle] if middle.any() else log_mean))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OptimizeWarning)
            (k, x0_fitted), _ = curve_fit(
                lambda x, k, x0: expit(k * (x - x0)),
                log_mean,
                zero_fraction,
                p0=(-1.0, x0),
                bounds=([-np.inf, -np.inf], [0.0, np.inf]),
            )
    except (RuntimeError, ValueError):
        return _straight_line(log_mean, zero_fraction, x0)
    return DropoutCurve(float(k) if k <= -1e-4 else -1.0, float(x0_fitted))


def _straight_line(log_mean: Float, zero_fraction: Float, x0: float) -> DropoutCurve:
    """Fit logit(zero fraction) = k (x − x0); the way out when least squares does not converge."""
    spread = log_mean - log_mean.mean()
    y = logit(np.clip(zero_fraction, 1e-6, 1 - 1e-6))
    k = float(spread @ y) / max(float(spread @ spread), 1e-12)
    if k > -1e-3:
        return DropoutCurve(-1.0, x0)
    return DropoutCurve(k, float(log_mean.mean() - y.mean() / k))


def _dispersion(mean: Float, variance: Float, n_nonzero: Float) -> Float:
    """Moment estimates on non-zero counts, shrunk to their median where non-zeros are few."""
    positive_mean = np.where(mean > 0, mean, 1)
    moments = np.maximum(0, (variance - mean) / positive_mean**2)
    positive = moments[moments > 0]
    centre = float(np.median(positive)) if positive.size else 0.0
    weight = 1 / (1 + n_nonzero / 20)
    return np.asarray(weight * centre + (1 - weight) * moments)


def _rescaled(zero_fraction: Float) -> Float:
    low, high = np.percentile(zero_fraction, [5, 95])
    if high <= low:
        return np.zeros_like(zero_fraction)
    return np.asarray(np.clip((zero_fraction - low) / (high - low), 0, 1))


def _blocks(counts: Any) -> Iterator[tuple[slice, Float]]:
    """Yield a few cells at a time, dense and in float64."""
    for start in range(0, counts.shape[0], _CELLS_PER_BLOCK):
        cells = slice(start, start + _CELLS_PER_BLOCK)
        block = counts[cells]
        yield cells, np.asarray(block.toarray() if sp.issparse(block) else block, np.float64)
        large.release(counts, rows=cells)
