"""What every MaskClass engine starts from: the settings and the prepared data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impbench import large

from .biozero import Biozero, DropoutCurve
from .scaler import GeneScaler

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class MaskClassSettings:
    """Hyper-parameters with the paper's symbols; the defaults are the paper's (2.3, 2.5 to 2.7)."""

    gamma: float = 0.0
    p_zero: float = 0.01
    p_nonzero: float = 0.30
    nu: float = 0.2
    w_bio: float = 2.0
    w_nz: float = 1.0
    learning_rate: float = 1e-4
    batch_size: int = 32
    epochs: int = 300
    hidden: int = 64
    bottleneck: int = 32


@dataclass(frozen=True)
class MaskClassData:
    """A data set ready for training.

    Attributes
    ----------
    lognorm
        x, (cells, genes), log2 scale, 0 where nothing was observed.
    p_bio
        (cells, genes), 0 where something was observed.
    max_count
        max(c_max, 1), (genes,): the largest raw count of each gene.
    scaler
        Gene scaling fitted on `lognorm`.
    curve
        The dropout curve behind `p_bio`.
    """

    lognorm: Float32
    p_bio: Float32
    max_count: Float32
    scaler: GeneScaler
    curve: DropoutCurve

    @classmethod
    def prepare(
        cls,
        counts: Any,
        lognorm: Float32,
        alpha: float = 0.3,
        quantiles: tuple[float, float] = (2.0, 99.5),
    ) -> MaskClassData:
        """Estimate p_bio from the counts and the gene scaling from the log-normalised values.

        Parameters
        ----------
        counts
            (cells, genes), dense or CSR.
        lognorm
            (cells, genes) float32.
        alpha, quantiles
            See `Biozero.p_bio` and `GeneScaler.fit`.
        """
        largest = counts.max(axis=0)
        largest = largest.toarray().ravel() if hasattr(largest, "toarray") else largest
        scaler = GeneScaler.fit(lognorm, quantiles)
        large.release(lognorm)
        biozero = Biozero.fit(counts)
        return cls(
            lognorm=lognorm,
            p_bio=biozero.p_bio(counts, alpha),
            max_count=np.maximum(largest, 1).astype(np.float32),
            scaler=scaler,
            curve=biozero.curve,
        )

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return int(self.lognorm.shape[0])

    @property
    def n_genes(self) -> int:
        """Number of genes."""
        return int(self.lognorm.shape[1])
