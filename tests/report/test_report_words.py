"""Lines of text written together stand where matplotlib would have put each of them."""

import io
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from impbench.report.figures.drawing import sheet, style
from impbench.report.figures.words import Lettering, OutlineCanvas, add_words

TEXTS = ["maskclass", "0.25", "", "<i>$x^2$ & 名"]


def svg_texts(figure: Figure) -> list[tuple[str, str, str]]:
    """Text, anchor and place of every line."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg")
    nodes = [node for node in ET.fromstring(buffer.getvalue()).iter() if node.tag.endswith("}text")]
    return [(node.text or "", node.attrib["style"], node.attrib["transform"]) for node in nodes]


@pytest.mark.filterwarnings("ignore:Glyph .* missing")
@pytest.mark.parametrize("ha", ["left", "center", "right"])
@pytest.mark.parametrize("rotation", [0, 32])
def test_words_stand_where_single_texts_would(ha, rotation):
    font = {"ha": ha, "rotation": rotation, "rotation_mode": "anchor", "fontsize": 7}
    x, y = np.arange(4) + 0.5, [1.0, 2.0, 1.5, 0.5]
    with style():
        ours, theirs = Figure(figsize=(5, 3)), Figure(figsize=(5, 3))
        add_words(sheet(ours), x, y, TEXTS, "#123456", **font)
        axes = sheet(theirs)
        for at, up, text in zip(x, y, TEXTS, strict=True):
            axes.text(at, up, text, color="#123456", **font)
        found, wanted = svg_texts(ours), svg_texts(theirs)
    assert [line[:2] for line in found] == [line[:2] for line in wanted]
    assert len(found) == 3
    for (*_, place), (*_, expected) in zip(found, wanted, strict=True):
        numbers = [np.array(_numbers(text)) for text in (place, expected)]
        np.testing.assert_allclose(*numbers, atol=0.05)


def _numbers(transform: str) -> list[float]:
    return [float(part) for part in transform.replace("(", " ").replace(")", " ").split()[1:]]


def pixels(figure: Figure, outlines: bool) -> np.ndarray:
    if outlines:
        OutlineCanvas(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    return np.asarray(Image.open(buffer).convert("L"), dtype=float)


def test_outlines_look_like_the_rasterisers_own_text():
    with style():
        figure = Figure(figsize=(4, 1))
        axes = sheet(figure)
        lines = Lettering()
        lines.add(2, 0.4, "nonzero-mean", ha="center", fontsize=20)
        lines.add(0.1, 0.9, "−0.25", "#b42318", fontsize=14)
        lines.write(axes)
        own, outlined = pixels(figure, False), pixels(figure, True)
    assert 0.9 < (255 - outlined).sum() / (255 - own).sum() < 1.1
    for axis in (0, 1):
        edges = [np.flatnonzero((image < 128).any(axis=axis))[[0, -1]] for image in (own, outlined)]
        np.testing.assert_allclose(*edges, atol=4, err_msg="hinting moves edges by pixels at most")
