"""What stands between two matrix products of a ReLU layer, each in one compiled pass."""

from __future__ import annotations

from typing import Any

import numpy as np
from impbench_plugins.shared.compiled import njit


@njit(nogil=True)
def add_and_rectify(outputs: Any, bias: Any) -> None:
    """Make of x W, (cells, width), ReLU(x W + b) in place, float32; NaN stays NaN."""
    for cell in range(outputs.shape[0]):
        for unit in range(outputs.shape[1]):
            value = outputs[cell, unit] + bias[unit]
            outputs[cell, unit] = np.float32(0) if value < 0 else value


@njit(nogil=True)
def mask_and_add_up(by: Any, outputs: Any, sums: Any) -> None:
    """Set to 0 what ReLU holds back, (cells, width), in place; fill the columns' sums; float32."""
    sums[:] = 0
    for cell in range(by.shape[0]):
        for unit in range(by.shape[1]):
            value = by[cell, unit] if outputs[cell, unit] > 0 else np.float32(0)
            by[cell, unit] = value
            sums[unit] += value
