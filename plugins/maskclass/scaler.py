"""Gene scaling: winsorise, standardise, rescale to [−1, 1]; the MaskClass paper, section 2.4."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
_EPSILON = 1e-8
_GENES_PER_BLOCK = 64


@dataclass(frozen=True)
class GeneScaler:
    """Per-gene parameters of the scaling, (genes,) float64 each.

    Attributes
    ----------
    q_low, q_high
        q⁽²⁾ and q⁽⁹⁹·⁵⁾, the winsorising bounds.
    mean, sd
        μ and σ of the winsorised values; σ below 1e-8 counts as 1.
    z_min, z_range
        Smallest z-score, and largest minus smallest; a range below 1e-8 counts as 1.
    """

    q_low: Float
    q_high: Float
    mean: Float
    sd: Float
    z_min: Float
    z_range: Float

    @classmethod
    def fit(cls, lognorm: NDArray[Any], quantiles: tuple[float, float] = (2.0, 99.5)) -> GeneScaler:
        """Estimate from log-normalised values, (cells, genes), some genes at a time.

        Parameters
        ----------
        lognorm
            (cells, genes), log2 scale.
        quantiles
            Lower and upper winsorising percentile, linearly interpolated.
        """
        q_low, q_high, mean, sd = np.empty((4, lognorm.shape[1]))
        for start in range(0, lognorm.shape[1], _GENES_PER_BLOCK):
            genes = slice(start, start + _GENES_PER_BLOCK)
            block = np.array(lognorm[:, genes].T, dtype=np.float64, order="C")
            q_low[genes], q_high[genes] = np.percentile(block, quantiles, axis=1)
            np.clip(block, q_low[genes, None], q_high[genes, None], out=block)
            mean[genes], sd[genes] = block.mean(axis=1), block.std(axis=1)
        sd[sd < _EPSILON] = 1
        # Winsorised values reach their bounds, so the extreme z-scores are those of the bounds.
        z_min = (q_low - mean) / sd
        z_range = (q_high - q_low) / sd
        z_range[z_range < _EPSILON] = 1
        return cls(q_low, q_high, mean, sd, z_min, z_range)

    @property
    def slope(self) -> Float:
        """Scaled units per log2 unit, (genes,): the three steps are affine inside the bounds."""
        return 2 / (self.sd * self.z_range)

    @property
    def s0(self) -> Float:
        """s₀, the image of 0 under the affine part, not winsorised, (genes,)."""
        return 2 * (-self.mean / self.sd - self.z_min) / self.z_range - 1

    def scale(self, lognorm: NDArray[Any]) -> NDArray[np.float32]:
        """Map log-normalised values to [−1, 1]; (cells, genes) float32."""
        low, high = self.q_low.astype(np.float32), self.q_high.astype(np.float32)
        scaled = np.clip(lognorm, low, high, dtype=np.float32)
        scaled -= low
        scaled *= self.slope.astype(np.float32)
        scaled -= 1
        return scaled

    def invscale(self, scaled: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map scaled values back to the log2 scale, without undoing the winsorising; float32."""
        lognorm = scaled + np.float32(1)
        lognorm *= (1 / self.slope).astype(np.float32)
        lognorm += self.q_low.astype(np.float32)
        return lognorm
