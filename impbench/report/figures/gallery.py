"""Draw every registered figure of a run; one that fails is a note on the page."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from markupsafe import Markup
from matplotlib.figure import Figure

from impbench.errors import InputError
from impbench.hooks import reason
from impbench.page_figure import PageFigure, Per
from impbench.plan.separation import Answering
from impbench.registry import registry
from impbench.report.figures.drawing import POINTS, save, style
from impbench.report.figures.scene import Scene
from impbench.report.text import plain, unique_slugs


@dataclass(frozen=True)
class Drawing:
    """A figure that stands on disk, ready for the page.

    Attributes
    ----------
    file
        Its file's name, without suffix.
    title, caption
        Of its figure; the caption says what this drawing shows.
    alt
        What it shows, for those who cannot see it.
    svg
        For inlining; its ids are its own.
    min_width
        Pixels below which its text would be too small to read.
    section, dataset, protocol
        Where it belongs.
    source
        The plugin that drew it, if a stranger's.
    """

    file: str
    title: str
    caption: str
    alt: str
    svg: Markup
    min_width: int
    section: str
    dataset: str
    protocol: str
    source: str


@dataclass
class Gallery:
    """Every drawing of the page, and what there is none of."""

    drawings: list[Drawing] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    """What figures leave out, so that the page stays small."""
    failed: dict[str, str] = field(default_factory=dict)
    """Why a figure was not drawn, or not everywhere, by its name."""

    def of(self, section: str, dataset: str = "", protocol: str = "") -> list[Drawing]:
        """Return the drawings of a section: all, or those of just this dataset and protocol."""
        about = (dataset, protocol)
        return [
            drawing
            for drawing in self.drawings
            if drawing.section == section
            and (about == ("", "") or about == (drawing.dataset, drawing.protocol))
        ]


def draw_all(scene: Scene, folder: Path, png: bool = False) -> Gallery:
    """Draw every figure into `folder`, as SVG, and as PNG too if asked.

    A stranger's figure is drawn unless its plugin also brings an imputer of the run: who judges
    must not answer.
    """
    gallery = Gallery(left_out=scene.left_out)
    if scene.summary.empty or not scene.summary["n_scored"].any():
        return gallery
    known = registry()
    answering = Answering.of(known, {facts.name for facts in scene.run.imputers.values()})
    datasets, protocols = unique_slugs(list(scene.run.datasets)), unique_slugs(scene.run.protocols)
    with answering.kept_out():
        for name in known.figures:
            with _noted(name, gallery.failed):
                answering.check(known, [("figure", name)])
                figure, entry = known.figures[name], known.figures.entry(name)
                source = "" if entry is None or entry.origin.is_ours else entry.origin.source
                for shown in _scenes(scene, figure.per):
                    slugs = (datasets.get(shown.dataset, ""), protocols.get(shown.protocol, ""))
                    file = "-".join(filter(None, [name, *slugs]))
                    with _noted(name, gallery.failed):
                        gallery.drawings += _draw(figure, shown, folder, file, png, source)
    return gallery


@contextmanager
def _noted(name: str, failed: dict[str, str]) -> Iterator[None]:
    """Turn whatever a figure raises into a note."""
    try:
        yield
    except InputError as error:
        failed[plain(name)] = plain(str(error))
    except (Exception, SystemExit) as error:
        failed[plain(name)] = plain(reason(error))


def _scenes(scene: Scene, per: Per) -> Iterator[Scene]:
    """Yield a scene for every drawing that there may be."""
    run = scene.run
    for dataset in run.datasets if per in ("dataset", "question") else ("",):
        for protocol in run.protocols if per in ("protocol", "question") else ("",):
            if per != "question" or (dataset, protocol) in run.problems:
                yield dataclasses.replace(scene, dataset=dataset, protocol=protocol)


def _draw(
    figure: PageFigure, scene: Scene, folder: Path, file: str, png: bool, source: str
) -> list[Drawing]:
    """Return the drawing of a scene, if there is one."""
    with style():
        drawn = figure.draw(scene)
        if drawn is None:
            return []
        if not isinstance(drawn, Figure):
            raise InputError(
                f"returned {type(drawn).__name__}; expected a matplotlib Figure or None"
            )
        while (folder / f"{file}.svg").exists():
            file += "-2"
        title, caption = plain(figure.title), figure.caption
        alt = plain(drawn.get_label() or " ".join(filter(None, [title, scene.dataset])))
        svg = save(drawn, folder, file, alt, png)
    return [
        Drawing(
            file,
            title,
            plain(caption if isinstance(caption, str) else caption(scene)),
            alt,
            svg,
            int(drawn.get_size_inches()[0] * POINTS),
            figure.section,
            scene.dataset,
            scene.protocol,
            plain(source),
        )
    ]
