"""What scMAE's network is shown: cells and genes with counts, the most variable genes, z-scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from impbench import Observed
from impbench.data.genes import highly_variable
from impbench.scale import lognorm


@dataclass(frozen=True)
class Prepared:
    """The input of the network.

    Attributes
    ----------
    values
        (cells, genes) float32, each gene with mean 0 and variance 1 (n − 1) over the cells that
        have counts. Natural or binary logs make no difference after that.
    genes
        Indices of the genes seen.
    training
        Indices of the cells with counts; only those are trained on.
    mean, sd
        Of each gene seen, log2 scale.
    """

    values: NDArray[np.float32]
    genes: NDArray[np.int64]
    training: NDArray[np.int64]
    mean: NDArray[np.float32]
    sd: NDArray[np.float32]


def prepare_counts(observed: Observed, n_hvg: int | None) -> Prepared:
    """Prepare as the published program does: counts are rounded up, empty genes and cells left out.

    Parameters
    ----------
    n_hvg
        Genes of highest normalised dispersion to keep; None keeps all.
    """
    counts = observed.counts.ceil() if sp.issparse(observed.counts) else np.ceil(observed.counts)
    training = np.flatnonzero(np.asarray(counts.sum(axis=1)).ravel())
    genes = np.flatnonzero(np.asarray(counts.sum(axis=0)).ravel())
    kept = counts[training][:, genes]
    best = highly_variable(
        kept, observed.size_factors[training], len(genes) if n_hvg is None else n_hvg, "dispersion"
    )
    genes = genes[best]
    logs = lognorm(counts[:, genes], observed.size_factors)
    mean, sd = logs[training].mean(axis=0), logs[training].std(axis=0, ddof=1)
    sd[sd == 0] = 1
    return Prepared((logs - mean) / sd, genes, training, mean, sd)
