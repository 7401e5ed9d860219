"""Figures on disk (SVG and PNG) and on the page (inline SVG), in one style, on one canvas.

Figures are laid out in inches by hand: automatic layouts draw everything several times over.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from impbench.report.figures.palette import FAINT, INK, SOFT
from impbench.report.figures.words import OutlineCanvas

WIDTH = 10.4
"""Inches of a full-width figure."""

PNG_DPI = 150
RASTER_DPI = 120
"""Of what is drawn as pixels inside an SVG: clouds of points."""

_PNG = {"compress_level": 3}

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
    "savefig.facecolor": "white",
    "svg.fonttype": "none",
    "svg.hashsalt": "impbench",
    "text.color": INK,
    # Names of genes and cell types may hold dollar signs; they are no formulas.
    "text.parse_math": False,
    "xtick.color": SOFT,
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


@dataclass(frozen=True)
class Drawing:
    """A figure that stands on disk, ready for the page.

    Attributes
    ----------
    name
        File name without suffix.
    alt
        What it shows, for those who cannot see it.
    svg
        For inlining; its ids are its own.
    min_width
        Pixels below which its text would be too small to read.
    """

    name: str
    alt: str
    svg: Markup
    min_width: int


@contextmanager
def style() -> Iterator[None]:
    """Draw in the report's style, whatever the user has set up, and leave that as it was."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)  # type: ignore[arg-type, unused-ignore]
        yield


def blank(width: float, height: float) -> Figure:
    """Return an empty figure of so many inches, without pyplot's global state."""
    return Figure(figsize=(width, height))


def panel(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Add axes measured in inches from the figure's upper left corner."""
    total_width, total_height = figure.get_size_inches()
    bottom = total_height - top - height
    return figure.add_axes(
        (
            left / total_width,
            bottom / total_height,
            width / total_width,
            height / total_height,
        )
    )


def sheet(figure: Figure) -> Axes:
    """Add bare axes over all of the figure, in inches from its upper left corner."""
    width, height = figure.get_size_inches()
    axes = panel(figure, 0, 0, width, height)
    axes.set(xlim=(0, width), ylim=(height, 0), autoscale_on=False)
    axes.axis("off")
    return axes


def save(figure: Figure, folder: Path, name: str, alt: str) -> Drawing:
    """Write ``name.svg`` and ``name.png`` to `folder` and return the figure for the page."""
    buffer = io.StringIO()
    with warnings.catch_warnings():
        # Names may be in a script this font lacks; a browser draws the SVG with one that has it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(buffer, format="svg", dpi=RASTER_DPI, metadata={"Date": None})
        OutlineCanvas(figure)
        figure.savefig(folder / f"{name}.png", format="png", dpi=PNG_DPI, pil_kwargs=_PNG)
    svg = _with_web_fonts(buffer.getvalue())
    (folder / f"{name}.svg").write_text(svg, encoding="utf-8")
    pixels = int(figure.get_size_inches()[0] * 72)
    return Drawing(name, alt, _inline(svg, name, alt), pixels)


def _with_web_fonts(svg: str) -> str:
    """Name fonts that readers have; text was laid out for DejaVu Sans, which is wider."""
    return svg.replace("'DejaVu Sans'", _FONT)


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
