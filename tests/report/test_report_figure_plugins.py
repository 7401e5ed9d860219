"""Figures that strangers add to the page, through the command line; and what is kept from it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from impbench.errors import InputError
from impbench.listing import print_info
from impbench.page_figure import SECTIONS, PageFigure, figure
from impbench.registry import Registry, registry
from impbench.results.store import Store

pytestmark = pytest.mark.slow

PLUGINS = Path(__file__).parents[1] / "example_plugins"
IMPBENCH = str(Path(sys.executable).with_name("impbench"))
QUESTION = ["--datasets", "sim_equal[n_cells=40,n_genes=60]", "--protocols", "simulated-truth"]


def call(*words: str | Path, cwd: Path) -> str:
    done = subprocess.run(
        [IMPBENCH, *map(str, words)], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that a stranger's figures were drawn of."""
    folder = tmp_path_factory.mktemp("figures")
    run = ("run", *QUESTION, "--imputers", "gene-mean", "--seeds", "1", "--quiet", "--out", "x")
    call(*run, "--plugin", PLUGINS / "own_figures.py", cwd=folder)
    return folder


def test_stranger_s_figures_stand_on_the_page_where_they_belong(drawn: Path) -> None:
    page = (drawn / "x" / "report.html").read_text(encoding="utf-8")
    further = page[page.index('<section id="further">') : page.index('<section id="datasets">')]
    assert 'aria-label="Bars of the number of scores"' in further
    assert "<strong>Scores &amp; &lt;b&gt;counts&lt;/b&gt;.</strong> A bar per imputer." in further
    assert "Drawn by" in further
    assert "own_figures.py (SHA-256" in further
    assert '<a href="#further">' in page
    dataset = page[page.index('<section id="datasets">') : page.index('<section id="statistics">')]
    assert "Of sim_equal[n_cells=40,n_genes=60]." in dataset
    assert "never-shown" not in page
    assert "rank 1" in page
    names = {path.name for path in (drawn / "x" / "figures").iterdir()}
    assert {"score-counts.svg", "cells-and-genes-sim-equal-n-cells-40-n-genes-60.svg"} <= names


def test_figure_that_fails_is_a_note_and_the_page_has_all_else(drawn: Path) -> None:
    page = (drawn / "x" / "report.html").read_text(encoding="utf-8")
    notes = page[page.index("Figures that could not be drawn") :]
    for note in (
        "<strong>raises</strong>: ZeroDivisionError: &lt;b&gt;no&lt;/b&gt; simulated-truth",
        "<strong>exits</strong>: SystemExit: 1",
        "<strong>dies</strong>: its process died",
        "<strong>a-text</strong>: returned str; expected a matplotlib Figure or None",
    ):
        assert note in notes
    names = {path.stem.partition("-")[0] for path in (drawn / "x" / "figures").iterdir()}
    assert {"purposes", "heatmap", "bars", "cells", "genes"} <= names
    assert 'id="cite"' in page


def test_report_is_drawn_again_with_the_plugin_or_without(drawn: Path) -> None:
    call("report", "x", "--plugin", PLUGINS / "own_figures.py", "--png", cwd=drawn)
    figures = drawn / "x" / "figures"
    assert (figures / "score-counts.png").exists()
    call("report", "x", cwd=drawn)
    assert not list(figures.glob("score-counts.*"))
    assert "could not be drawn" not in (drawn / "x" / "report.html").read_text(encoding="utf-8")


def test_plugin_of_an_imputer_of_the_run_draws_nothing(
    drawn: Path, make_store: Callable[..., Store]
) -> None:
    plugin = ("--plugin", PLUGINS / "draws_itself.py")
    store = make_store(methods=["vain", "magic"], real=[], pictures=False)
    call("report", store.folder, *plugin, cwd=drawn)
    page = (store.folder / "report.html").read_text(encoding="utf-8")
    assert not (store.folder / "figures" / "praise.svg").exists()
    note = page[page.index("<strong>praise</strong>") :]
    assert "draws_itself.py brings both the imputer &#39;vain&#39; and the figure" in note
    # Where its imputer takes no part, it may.
    call("report", "x", *plugin, cwd=drawn)
    assert (drawn / "x" / "figures" / "praise.svg").exists()


def test_list_tells_of_figures(tmp_path: Path) -> None:
    plugin = ("--plugin", PLUGINS / "own_figures.py")
    listing = json.loads(call("list", "figures", "--json", *plugin, cwd=tmp_path))
    assert listing["broken"] == []
    assert listing["figures"]["score-counts"] == "How many scores each imputer has."
    assert {"bars", "heatmap-skill", "scaling"} <= set(listing["figures"])


def test_info_says_what_a_figure_shows(capsys: pytest.CaptureFixture[str]) -> None:
    print_info("bars")
    text = capsys.readouterr().out
    assert "Every score of a protocol on a dataset" in text
    assert "question" in text


def test_our_figures_keep_their_names(tmp_path: Path) -> None:
    plugin = tmp_path / "takes.py"
    own = (PLUGINS / "own_figures.py").read_text(encoding="utf-8")
    plugin.write_text(own.replace('"score-counts"', '"bars"'), encoding="utf-8")
    listing = json.loads(call("list", "figures", "--json", "--plugin", plugin, cwd=tmp_path))
    assert listing["figures"]["bars"].startswith("Every score of a protocol")
    assert "'bars' is taken" in listing["broken"][0]["reason"]


def test_a_run_does_not_import_what_only_the_report_needs() -> None:
    code = (
        "import sys; from impbench.registry import registry; known = registry(); "
        "known.imputer('magic'); known.metric('mse'); print('matplotlib' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_every_figure_of_ours_says_what_it_shows() -> None:
    for name, item in registry().figures.items():
        assert isinstance(item, PageFigure)
        assert item.name == name
        assert item.title
        assert item.summary.endswith(".")
        assert item.per in SECTIONS[item.section]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"name": "No Name"}, "lower-case letters"),
        ({"per": "seed"}, "expected one of run, protocol, dataset, question"),
        ({"section": "leaderboard"}, "has no drawing per run; expected one of purposes, glance"),
        ({"section": "elsewhere"}, "'elsewhere'"),
    ],
)
def test_figure_that_fits_nowhere_is_refused_when_it_is_declared(options: dict, why: str) -> None:
    fields = {"name": "a", "title": "A", "caption": "A.", **options}
    with pytest.raises(InputError, match=why):
        figure(**fields)


def test_scoring_registry_has_our_figures_only_when_they_are_asked_for() -> None:
    known = Registry([])
    assert "bars" in known.figures
    assert known.broken == []


def test_what_is_read_of_our_figures_is_what_importing_them_gives() -> None:
    figures = registry().figures
    assert len(figures) >= 10
    for name, summary in figures.summaries().items():
        assert (figures[name].name, figures[name].summary) == (name, summary)
