"""A metric: how far the share of zeros is from the true one."""

from __future__ import annotations

import numpy as np

from impbench import metric


@metric(
    "far-zero-error",
    title="Zero error",
    direction="min",
    range=(0, 1),
    reference="this package",
)
def zero_error(imputed: np.ndarray, truth: np.ndarray) -> float:
    """Difference between the shares of zeros in imputation and truth."""
    return abs(float((imputed <= 0).mean()) - float((truth == 0).mean()))
