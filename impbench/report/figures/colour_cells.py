"""Draw a matrix as coloured cells, and choose what is read on a colour.

As `seaborn.heatmap` draws it. That takes a second longer: seaborn imports SciPy's statistics, and
draws the whole figure once to see whether labels overlap, of which there are none here.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import Colormap
from numpy.typing import NDArray

_BRIGHT = 0.408
"""Relative luminance above which dark text is read better than white."""


def colour_cells(
    axes: Axes, values: NDArray[np.float64], colours: Colormap, low: float, high: float
) -> QuadMesh:
    """Fill the axes with a cell for each of `values`, one unit wide and high, row 0 on top.

    A cell without a number (NaN) has the colour that the colour map has for those.
    """
    n_rows, n_columns = values.shape
    mesh = axes.pcolormesh(
        np.ma.masked_invalid(values),
        cmap=colours,
        vmin=low,
        vmax=high,
        linewidths=0.8,
        edgecolor="white",
    )
    axes.set(xlim=(0, n_columns), ylim=(n_rows, 0), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    return mesh


def text_colours(mesh: QuadMesh) -> list[str]:
    """Return the colour of text on each cell, row by row (contrast as WCAG 2 defines it)."""
    mesh.update_scalarmappable()
    rgb = np.asarray(mesh.get_facecolor())[:, :3]
    linear = np.where(rgb <= 0.03928, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return [".15" if each > _BRIGHT else "w" for each in linear @ [0.2126, 0.7152, 0.0722]]
