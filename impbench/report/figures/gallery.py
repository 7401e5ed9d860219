"""Draw every registered figure of a run; one that fails is a note on the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from markupsafe import Markup
from matplotlib.figure import Figure

from impbench.errors import InputError
from impbench.hooks import reason
from impbench.page_figure import PageFigure, Per
from impbench.plan.separation import Answering
from impbench.registry import Registry, registry
from impbench.report.figures.drawing import POINTS, save, style
from impbench.report.figures.scene import Scene
from impbench.report.figures.side_by_side import side_by_side
from impbench.report.text import plain, unique_slugs


@dataclass(frozen=True)
class Drawing:
    """A figure that stands on disk, ready for the page."""

    file: str
    """Its file's name, without suffix."""
    title: str
    """Of its figure."""
    caption: str
    """What this drawing shows."""
    alt: str
    """What it shows, for those who cannot see it."""
    svg: Markup
    """For inlining; its ids are its own."""
    min_width: int
    """Pixels below which its text would be too small to read."""
    section: str
    """Where it belongs, with the next two."""
    dataset: str
    protocol: str
    source: str
    """The plugin that drew it, if a stranger's."""


@dataclass
class Gallery:
    """Every drawing of the page, and what there is none of."""

    drawings: list[Drawing] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    """What figures leave out, so that the page stays small."""
    failed: dict[str, str] = field(default_factory=dict)
    """Why a figure was not drawn, or not everywhere, by its name."""

    def add(self, other: Gallery) -> None:
        """Take up the drawings and notes of another; a note that is there already stays once."""
        self.drawings += other.drawings
        self.failed.update(other.failed)
        self.left_out += [note for note in other.left_out if note not in self.left_out]

    def of(self, section: str, dataset: str = "", protocol: str = "") -> list[Drawing]:
        """Return the drawings of a section: all, or those of just this dataset and protocol."""
        about = (dataset, protocol)
        return [
            drawing
            for drawing in self.drawings
            if drawing.section == section
            and (about == ("", "") or about == (drawing.dataset, drawing.protocol))
        ]


@dataclass(frozen=True)
class Request:
    """One figure of one scene: what to draw, and into which file."""

    name: str
    figure: PageFigure
    scene: Scene
    file: str
    source: str


def draw_all(scene: Scene, folder: Path, png: bool = False) -> Callable[[], Gallery]:
    """Begin to draw every figure into `folder`, as SVG, and as PNG too if asked.

    Where a process can be forked safely, figures are drawn in some, while this one goes on.
    A stranger's figure is drawn unless its plugin also brings an imputer of the run: who judges
    must not answer.

    Returns
    -------
    A function that waits for all drawings and returns them, in the order of the page.
    """
    gallery = Gallery()
    if scene.summary.empty or not scene.summary["n_scored"].any():
        return lambda: gallery
    known = registry()
    answering = Answering.of(known, {facts.name for facts in scene.run.imputers.values()})
    requests = _requests(scene, known, answering, gallery.failed)

    def draw(place: int) -> Gallery:
        """Draw one request; what comes of it, a note or a drawing, is a gallery of its own."""
        request, drawn = requests[place], Gallery()
        # One list for each drawing: requests may be drawn in processes side by side.
        shown = replace(request.scene, left_out=drawn.left_out)
        with answering.kept_out(), _noted(request.name, drawn.failed):
            drawn.drawings += _draw(replace(request, scene=shown), folder, png)
        return drawn

    results = side_by_side(draw, len(requests))

    def finished() -> Gallery:
        for request, drawn in zip(requests, results(), strict=True):
            gallery.add(drawn or Gallery(failed={plain(request.name): "its process died"}))
        return gallery

    return finished


def _requests(
    scene: Scene, known: Registry, answering: Answering, failed: dict[str, str]
) -> list[Request]:
    """Return what there is to draw; note figures that cannot be loaded or may not judge."""
    requests: list[Request] = []
    files: set[str] = set()
    datasets, protocols = unique_slugs(list(scene.run.datasets)), unique_slugs(scene.run.protocols)
    for name in known.figures:
        with answering.kept_out(), _noted(name, failed):
            answering.check(known, [("figure", name)])
            figure, entry = known.figures[name], known.figures.entry(name)
            source = "" if entry is None or entry.origin.is_ours else entry.origin.source
            for shown in _scenes(scene, figure.per):
                slugs = (datasets.get(shown.dataset, ""), protocols.get(shown.protocol, ""))
                file = "-".join(filter(None, [name, *slugs]))
                while file in files:
                    file += "-2"
                files.add(file)
                requests.append(Request(name, figure, shown, file, source))
    return requests


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
                yield replace(scene, dataset=dataset, protocol=protocol)


def _draw(request: Request, folder: Path, png: bool) -> list[Drawing]:
    """Return the drawing of a request, if there is one."""
    figure, scene = request.figure, request.scene
    with style():
        drawn = figure.draw(scene)
        if drawn is None:
            return []
        if not isinstance(drawn, Figure):
            raise InputError(
                f"returned {type(drawn).__name__}; expected a matplotlib Figure or None"
            )
        title, caption = plain(figure.title), figure.caption
        alt = plain(drawn.get_label() or " ".join(filter(None, [title, scene.dataset])))
        svg = save(drawn, folder, request.file, alt, png)
    return [
        Drawing(
            request.file,
            title,
            plain(caption if isinstance(caption, str) else caption(scene)),
            alt,
            svg,
            int(drawn.get_size_inches()[0] * POINTS),
            figure.section,
            scene.dataset,
            scene.protocol,
            plain(request.source),
        )
    ]
