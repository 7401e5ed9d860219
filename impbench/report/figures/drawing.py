"""Figures in one style, on disk (SVG, and PNG if asked) and on the page (inline SVG).

They are laid out in inches: automatic layouts draw everything several times over.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.markers import MarkerStyle
from numpy.typing import ArrayLike

from impbench.report.figures.palette import FAINT, INK, SOFT, Look

WIDTH = 10.4
"""Inches of a full-width figure."""

POINTS = 72
"""An inch has so many, and an SVG as many pixels."""

PNG_DPI = 150
RASTER_DPI = 120
"""Of what is drawn as pixels inside an SVG: clouds of points."""

_STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": SOFT,
    "axes.grid": False,
    "axes.labelcolor": INK,
    "axes.labelsize": 8.5,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlecolor": INK,
    "figure.facecolor": "white",
    "font.family": ["DejaVu Sans"],
    "font.size": 8,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "legend.title_fontsize": 7.5,
    "lines.markersize": 5,
    "savefig.facecolor": "white",
    "svg.fonttype": "none",
    "svg.hashsalt": "impbench",
    "text.color": INK,
    # As wide on pixels as in the SVG.
    "text.hinting": "none",
    # Names of genes and cell types may hold dollar signs; they are no formulas.
    "text.parse_math": False,
    "xtick.color": SOFT,
    "xtick.labelcolor": INK,
    "xtick.labelsize": 7.5,
    "xtick.major.size": 2.5,
    "xtick.major.width": 0.6,
    "ytick.color": SOFT,
    "ytick.labelcolor": INK,
    "ytick.labelsize": 8,
    "ytick.major.size": 2.5,
    "ytick.major.width": 0.6,
}

_FONT = "Inter, 'Helvetica Neue', Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"


@contextmanager
def style() -> Iterator[None]:
    """Draw in the report's style, whatever the user has set up, and leave that as it was."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)  # type: ignore[arg-type, unused-ignore]
        yield


def blank(width: float, height: float) -> Figure:
    """Return an empty figure of so many inches, without pyplot's global state."""
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure


def panel(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Add axes measured in inches from the figure's upper left corner."""
    whole_width, whole_height = figure.get_size_inches()
    bottom = whole_height - top - height
    return figure.add_axes(
        (left / whole_width, bottom / whole_height, width / whole_width, height / whole_height)
    )


def name_looks(
    figure: Figure,
    looks: Mapping[str, Look],
    width: float,
    top: float = 0.0,
    lines: bool = True,
    **legend: Any,
) -> Legend:
    """Name the markers of imputers, by label, in a column at the right; with their lines, if any.

    It begins `width` inches from the figure's right edge and `top` from the upper one.
    """
    whole_width, whole_height = figure.get_size_inches()
    handles = [Line2D([], [], marker=look.marker, **look.line) for look in looks.values()]
    for handle in handles if not lines else ():
        handle.set(linestyle="", markersize=7, markeredgewidth=0)
    return figure.legend(
        handles,
        list(looks),
        loc="upper left",
        bbox_to_anchor=(1 - width / whole_width, 1 - top / whole_height),
        labelspacing=0.45,
        alignment="left",
        **legend,
    )


def name_rows(axes: Axes, looks: Iterable[Look], places: Iterable[float]) -> None:
    """Write imputers' labels left of the axes at their places, where those of ticks would stand.

    A tick is five artists, and every one is drawn and measured for its label alone.
    """
    transform, va, ha = axes.get_yaxis_text1_transform(matplotlib.rcParams["ytick.major.pad"])
    as_tick: dict[str, Any] = {"fontsize": matplotlib.rcParams["ytick.labelsize"]}
    as_tick |= {"transform": transform, "ha": ha, "va": va}
    for look, place in zip(looks, places, strict=True):
        axes.text(0, place, look.label, color=SOFT if look.is_control else INK, **as_tick)
    axes.set_yticks([])


def scatter(
    axes: Axes, x: ArrayLike, y: ArrayLike, looks: Sequence[Look], **kwargs: Any
) -> PathCollection:
    """Draw one point per look, in its colour and with its marker, as a single artist."""
    points = axes.scatter(x, y, c=[look.colour for look in looks], **kwargs)
    markers = [MarkerStyle(look.marker) for look in looks]
    points.set_paths([each.get_path().transformed(each.get_transform()) for each in markers])
    return points


def save(figure: Figure, folder: Path, name: str, alt: str, png: bool) -> Markup:
    """Write ``name.svg`` to `folder`, and ``name.png`` if asked; return the SVG for the page."""
    buffer = io.StringIO()
    with warnings.catch_warnings():
        # Names may be in a script this font lacks; a browser draws the SVG with one that has it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(buffer, format="svg", dpi=RASTER_DPI, metadata={"Date": None})
        if png:
            figure.savefig(folder / f"{name}.png", dpi=PNG_DPI)
    # Readers have these fonts; text was laid out for DejaVu Sans, which is wider.
    svg = buffer.getvalue().replace("'DejaVu Sans'", _FONT)
    (folder / f"{name}.svg").write_text(svg, encoding="utf-8")
    return _inline(svg, name, alt)


def _inline(svg: str, name: str, alt: str) -> Markup:
    """Strip what only a file needs, and give every id the figure's name: a page holds many."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg, count=1, flags=re.DOTALL)
    svg = re.sub(r">\s+<", "><", svg)
    used = set(re.findall(r'(?:href="|url\()#([\w-]+)', svg))

    def slim(match: re.Match[str]) -> str:
        tag = match[0].replace(f"font-family: {_FONT}; ", "").replace("\n", "")
        tag = re.sub(r'\sid="([\w-]+)"', lambda m: m[0] if m[1] in used else "", tag)
        tag = re.sub(r'(\sid="|href="#|url\(#)', rf"\1{name}-", tag)
        # Two decimals of a point are finer than any screen.
        return re.sub(r"(\.\d\d)\d+(?=[^\w.])", r"\1", tag)

    # Tags alone: names from data stand between them, with their own angle brackets escaped.
    svg = re.sub(r"<[^>]*>", slim, svg)
    return Markup(svg.replace("<svg ", f'<svg role="img" aria-label="{escape(alt)}" ', 1))
