"""How much of the noise between technical controls is left, and of the signal between cells.

`noise_moments` are every library's x², x y and y², x observed and y imputed deviations from the
group's mean on the log2 scale, such that their sums are variances (`impbench.protocols.
technical_noise`). Of controls they are noise, of cells noise and biology; so sums over cells less
sums over controls are biology.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impbench.metrics.cells import CellSums, of_cells
from impbench.metrics.metric import loss

Moments = NDArray[np.float64]
Cells = NDArray[np.bool_]


def _errors(noise_moments: Moments, noise_control: Cells) -> CellSums:
    xx, xy, yy = noise_moments.T
    errors = np.where(noise_control, 2 * xy - xx, yy - 2 * xy + xx)
    return _together(errors, noise_control), _together(
        np.where(noise_control, -xx, xx), noise_control
    )


def _together(values: NDArray[np.float64], noise_control: Cells) -> NDArray[np.float64]:
    """Add each control's value to that of a cell, (cells that are no controls,).

    A draw of cells for an interval then holds as many controls as it should: with more or fewer of
    them, the difference of two variances would change for no reason in the data.
    """
    sums, controls = values[~noise_control].copy(), values[noise_control]
    np.add.at(sums, np.arange(len(controls)) % len(sums), controls)
    return sums


def _noise(noise_moments: Moments, noise_control: Cells) -> CellSums:
    return noise_moments[:, 2] * noise_control, noise_moments[:, 0] * noise_control


@loss(
    title="Noise and signal error",
    meaning=(
        "How far differences between cells of a group are from those that biology makes: 0 exact, "
        "1 as if all were alike; both noise left and signal lost count."
    ),
    reference=(
        "mean squared error against the expression behind the counts, estimated as "
        "(var y − 2 (cov xy − cov xy of controls) + B) / B, B = var x − var x of controls"
    ),
    per_cell=_errors,
)
def technical_error(noise_moments: Moments, noise_control: Cells) -> float:
    """Squared error of the cells' deviations, over the variance that is biology.

    With b the biological deviation, E(y - b)² = var y - 2 cov(y, b) + var b. Neither b nor its
    covariance is seen, but cov(y, x) is cov(y, b) and the noise that y lets through, which controls
    show alone. All cells alike score 1, cells as they are noise / biology, and by chance a score
    may fall below 0.
    """
    return of_cells(_errors(noise_moments, noise_control))


@loss(
    title="Noise left",
    meaning=(
        "The share of the variance between technical controls, all of it noise, that is left; "
        "flattening everything leaves none."
    ),
    reference="variance of imputed over variance of observed controls, within groups, log2 scale",
    bound="none",
    per_cell=_noise,
)
def technical_noise_left(noise_moments: Moments, noise_control: Cells) -> float:
    """Share of the controls' variance that the imputation leaves."""
    return of_cells(_noise(noise_moments, noise_control))


@loss(
    title="Signal lost or added",
    meaning=(
        "How much of the differences that cells have of their own is lost or exaggerated: 0 as "
        "they are, 1 if none is left."
    ),
    reference="|1 − (cov xy − cov xy of controls) / (var x − var x of controls)|, log2 scale",
    bound="none",
)
def technical_signal_error(noise_moments: Moments, noise_control: Cells) -> float:
    """Distance from 1 of the share of biology that is kept; doing nothing keeps all."""
    sign = np.where(noise_control, -1.0, 1.0)
    signal, kept = float(sign @ noise_moments[:, 0]), float(sign @ noise_moments[:, 1])
    return abs(1 - kept / signal) if signal > 0 else math.nan


@loss(
    title="Group differences lost",
    meaning=(
        "How much of the differences between groups of cells, such as media, is lost or "
        "exaggerated: 0 none, 1 if groups became alike."
    ),
    reference="|1 − b|, b the slope of imputed on observed differences of group means, all genes",
    bound="none",
)
def technical_groups_error(group_means: NDArray[np.floating[Any]]) -> float:
    """Distance from 1 of the slope between the groups' mean differences, imputed on observed."""
    x, y = group_means - group_means.mean(axis=1, keepdims=True)
    squares = float(np.square(x).sum())
    return abs(1 - float((x * y).sum()) / squares) if squares > 0 else math.nan
