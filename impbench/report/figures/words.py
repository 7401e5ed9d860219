"""Texts by the hundred: as one artist, and as outlines that are kept from figure to figure.

matplotlib lays out each text of a figure anew, and its rasteriser hints each glyph anew: together
1 ms a text, and the heat maps of a large run hold thousands.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.colors import to_rgba
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D, IdentityTransform
from numpy.typing import ArrayLike

from impbench.report.figures.palette import INK

CAPITALS = 0.73
"""Height of DejaVu Sans's capitals and figures over its size; that of other fonts is much alike."""

_DROP = {"baseline": 0.0, "center": CAPITALS / 2, "top": CAPITALS}
_BEFORE = {"left": 0.0, "center": 0.5, "right": 1.0}


def add_words(
    axes: Axes,
    x: ArrayLike,
    y: ArrayLike,
    texts: Sequence[str],
    colours: str | Sequence[str] = INK,
    **font: Any,
) -> None:
    """Write one line of text at each place of `axes`, in data coordinates.

    `font` are those of matplotlib's Text: ``fontsize``, ``fontweight``, ``rotation``, ``ha``, and
    ``va``, which is ``baseline`` unless said, or ``center`` or ``top`` of the capitals.
    """
    axes.add_artist(Words(x, y, texts, colours, **font))


class Lettering:
    """Lines of text gathered one by one and written together: one artist per font."""

    def __init__(self) -> None:
        self._lines: dict[tuple[tuple[str, Any], ...], list[tuple[float, float, str, str]]] = {}

    def add(self, x: float, y: float, text: str, colour: str = INK, **font: Any) -> None:
        """Take one line; arguments as in `add_words`."""
        self._lines.setdefault(tuple(sorted(font.items())), []).append((x, y, text, colour))

    def write(self, axes: Axes) -> None:
        """Add all lines to `axes`, in its data coordinates."""
        for font, lines in self._lines.items():
            x, y, texts, colours = zip(*lines, strict=True)
            add_words(axes, x, y, texts, colours, **dict(font))


class Words(Text):
    """Many lines of text of one font; see `add_words`."""

    def __init__(
        self,
        x: ArrayLike,
        y: ArrayLike,
        texts: Sequence[str],
        colours: str | Sequence[str],
        **font: Any,
    ) -> None:
        super().__init__(**font)
        self._places = np.column_stack(np.broadcast_arrays(x, y)).astype(float)
        self._words = texts
        named = [colours] * len(texts) if isinstance(colours, str) else colours
        self._tints = [to_rgba(colour) for colour in named]

    def draw(self, renderer: Any) -> None:
        """Write every line, without laying any out."""
        font, dot = self.get_fontproperties(), renderer.points_to_pixels(1.0)
        drop = 1j * _DROP[self.get_verticalalignment()] * font.get_size_in_points()
        anchor, angle = self.get_horizontalalignment(), self.get_rotation()
        turn = dot * np.exp(1j * np.radians(angle))
        height = renderer.get_canvas_width_height()[1]
        # A backend that writes text as text wants the anchor's place, and asks this one for it.
        pen = Text(ha=anchor, rotation_mode="anchor", transform=IdentityTransform())
        gc = renderer.new_gc()
        places = self.get_transform().transform(self._places) @ (1, 1j) - turn * drop
        for text, place, tint in zip(self._words, places, self._tints, strict=True):
            if text:
                pen.set_position((place.real, place.imag))
                gc.set_foreground(tint, isRGBA=True)
                start = place - turn * _BEFORE[anchor] * _outline(text, font.copy())[1]
                x, y = start.real, height - start.imag
                renderer.draw_text(gc, x, y, text, font, angle, mtext=pen)
        gc.restore()


class OutlineCanvas(FigureCanvasAgg):
    """A canvas of pixels on which text is filled outlines, unhinted; made for one figure."""

    def get_renderer(self) -> RendererAgg:
        """Return a new renderer of the figure's size."""
        width, height = self.get_width_height(physical=True)
        renderer: Any = _OutlineRenderer
        made: RendererAgg = renderer(width, height, self.figure.dpi)
        self.renderer = made
        return made


class _OutlineRenderer(RendererAgg):
    def draw_text(
        self,
        gc: Any,
        x: float,
        y: float,
        s: str,
        prop: FontProperties,
        angle: float,
        ismath: Any = False,
        mtext: Text | None = None,
    ) -> None:
        plain: Any = super()
        outline, _ = _outline(s, prop.copy())
        place = Affine2D().scale(self.dpi / 72).rotate_deg(angle)
        gc.set_linewidth(0)
        plain.draw_path(gc, outline, place.translate(x, self.height - y), gc.get_rgb())


@lru_cache(maxsize=8192)
def _outline(text: str, font: FontProperties) -> tuple[Path, float]:
    """The outline of a line of text, in points from where it starts, and its width."""
    path = TextPath((0, 0), text, prop=font)
    width = float(path.vertices[:, 0].max()) if len(path.vertices) else 0.0
    return Path(path.vertices, path.codes), width
