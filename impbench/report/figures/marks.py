"""Markers of many imputers as one artist, and the key that names them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.markers import MarkerStyle
from matplotlib.path import Path
from matplotlib.transforms import IdentityTransform
from numpy.typing import ArrayLike

from impbench.report.figures.drawing import sheet
from impbench.report.figures.palette import Look
from impbench.report.figures.words import add_words

KEY_ROW = 0.165
"""Inches from line to line of a key."""


def add_marks(
    axes: Axes,
    x: ArrayLike,
    y: ArrayLike,
    looks: Sequence[Look],
    size: float,
    colours: Sequence[str] | None = None,
    edge: float = 0.0,
) -> None:
    """Draw each imputer's marker, `size` points wide, at its place in data coordinates.

    In its own colour unless `colours` says otherwise, with a white edge of `edge` points.
    """
    places = np.column_stack([np.asarray(x, dtype=float), np.asarray(y, dtype=float)])
    marks = PathCollection(
        [_outline(look.marker) for look in looks],
        sizes=[size**2],
        offsets=places,
        offset_transform=axes.transData,
        facecolors=[look.colour for look in looks] if colours is None else list(colours),
        edgecolors="white",
        linewidths=edge,
        zorder=3,
    )
    marks.set_transform(IdentityTransform())
    axes.add_collection(marks, autolim=False)
    axes.update_datalim(places)
    axes.autoscale_view()


def add_key(figure: Figure, left: float, looks: Sequence[Look], labels: Sequence[str]) -> None:
    """Name the markers in a column `left` inches from the figure's left edge, from its top."""
    axes = sheet(figure)
    y = 0.14 + KEY_ROW * np.arange(len(looks))
    add_marks(axes, np.full(len(looks), left + 0.1), y, looks, 7)
    add_words(axes, left + 0.24, y, labels, va="center")


@lru_cache
def _outline(marker: str) -> Path:
    style = MarkerStyle(marker)
    return style.get_path().transformed(style.get_transform())
