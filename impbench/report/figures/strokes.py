"""Straight strokes gathered one by one and drawn together: one artist per kind of line."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from numpy.typing import ArrayLike, NDArray


class Strokes:
    """Strokes with the arguments of `Axes.hlines` and `Axes.vlines`."""

    def __init__(self) -> None:
        self._kinds: dict[
            tuple[float, str, float], tuple[list[NDArray[np.float64]], list[str]]
        ] = {}

    def add(
        self,
        x: tuple[ArrayLike, ArrayLike],
        y: tuple[ArrayLike, ArrayLike],
        colours: str | list[str],
        width: float,
        style: str = "-",
        zorder: float = 1,
    ) -> None:
        """Take strokes from (x[0], y[0]) to (x[1], y[1]), `width` points wide; all broadcast."""
        ends = np.broadcast_arrays(x[0], y[0], x[1], y[1])
        segments = np.stack(ends, axis=-1).astype(float).reshape(-1, 2, 2)
        places, tints = self._kinds.setdefault((width, style, zorder), ([], []))
        places.extend(segments)
        tints += [colours] * len(segments) if isinstance(colours, str) else colours

    def draw(self, axes: Axes) -> None:
        """Add all strokes to `axes`, in its data coordinates; its limits stay."""
        for (width, style, zorder), (places, tints) in self._kinds.items():
            lines = LineCollection(
                places, colors=tints, linewidths=width, linestyles=style, zorder=zorder
            )
            axes.add_collection(lines, autolim=False)
