"""The values of dropouts in ccImpute 1.8.0: means over the neighbours that express the gene."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .consensus import Consensus, Floats
from .solve import find_dropouts


def fill_with_means(
    consensus: Consensus, expression: NDArray[Any], as_original: bool
) -> tuple[Floats, int]:
    """Replace the dropouts in some genes; every other entry stays.

    With C_ij the consensus weight between cells i and j, the value at j is Σ_i C_ij x_i over the
    sum of C_ij over those i that express the gene; a dropout has at least one.

    Parameters
    ----------
    expression
        (cells, genes) logged values, not negative.
    as_original
        As in `find_dropouts`.

    Returns
    -------
    (cells, genes) float64, and how many entries were replaced.
    """
    expressed = expression > 0
    is_dropout = find_dropouts(consensus, expressed, as_original)
    weights = consensus.agreement @ consensus.sums(expressed)
    means = consensus.agreement @ consensus.sums(expression) / np.maximum(weights, 1.0)
    filled = np.where(is_dropout, means[consensus.profile], expression)
    return filled, int(is_dropout.sum())
