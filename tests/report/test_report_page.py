"""The page and its files: complete, self-contained, and nothing from the data runs in it."""

import html.parser
import io
import json
import os
import re
import subprocess
import sys
import warnings
import xml.etree.ElementTree as ET
from dataclasses import replace

import matplotlib
import pandas as pd
import pytest
from PIL import Image
from rich.console import Console

from impbench.errors import InputError
from impbench.report import leaderboard, terminal_report, write_report
from impbench.results.store import Store
from impbench.results.table import tidy

pytestmark = pytest.mark.slow


class Page(html.parser.HTMLParser):
    """Tags with their attributes, and the text outside scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self._inside = [], "", ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside not in ("script", "style"):
            self.text += data + " "


def read_page(store):
    path = write_report(store.read())
    assert path == store.folder / "report.html"
    return Page(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def default(default_run):
    return default_run, Page((default_run.folder / "report.html").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def hostile(hostile_run):
    return hostile_run, Page((hostile_run.folder / "report.html").read_text(encoding="utf-8"))


def test_every_section_of_the_issue_is_there(default):
    _, page = default
    sections = {attrs["id"] for tag, attrs in page.tags if tag == "section"}
    assert sections == {
        *("answer", "findings", "purposes", "run", "leaderboard", "glance", "time", "datasets"),
        *("statistics", "failures", "definitions", "environment", "cite"),
    }


def test_leaderboard_shows_mean_sd_rank_and_skill_with_the_best_in_bold(default):
    _, page = default
    assert re.search(r"0\.\d{3} ± 0\.\d{3}", page.text)
    assert re.search(r"rank 1 · skill \+0\.\d\d", page.text)
    assert sum(attrs.get("class") == "best" for tag, attrs in page.tags if tag == "td") > 10


def test_failures_stay_visible_with_reason_and_log(default):
    _, page = default
    for text in ("stopped after 600 s", "epoch 1\nepoch 2", "4.1 GiB of 4 GiB", "1 of 2 seeds"):
        assert text in page.text
    failed = [attrs for tag, attrs in page.tags if tag == "td" and attrs.get("class") == "failed"]
    assert failed
    assert all(attrs["title"] == "4.1 GiB of 4 GiB" for attrs in failed)


def test_definitions_conventions_environment_and_citations_are_printed(default):
    _, page = default
    for text in (
        "bserved and true counts are both divided by the true library sizes",
        "Mean squared error over all entries",
        "Hubert and Arabie (1985)",
        "MaskClass, section 2.8 (iii)",
        "impbench run default --seeds 2",
        "torch",
        "van Dijk et al. (2018)",
        "Zappia, Phipson and Oshlack (2017)",
        "at least 6 are needed",
        "Fingerprint",
    ):
        assert text in page.text, text


def test_page_loads_nothing_from_anywhere(default, hostile):
    for _, page in (default, hostile):
        for tag, attrs in page.tags:
            assert tag not in ("iframe", "object", "embed", "base", "form")
            for name in ("src", "href", "xlink:href", "action", "poster", "srcset", "data"):
                value = attrs.get(name) or "#"
                assert value.startswith(("#", "data:")), (tag, name, value)
        policy = next(
            attrs["content"]
            for tag, attrs in page.tags
            if tag == "meta" and attrs.get("http-equiv") == "Content-Security-Policy"
        )
        assert policy.startswith("default-src 'none'")


def test_nothing_from_the_data_becomes_markup(hostile):
    store, page = hostile
    assert sum(tag == "script" for tag, _ in page.tags) == 1
    for tag, attrs in page.tags:
        assert tag not in ("img", "b") or attrs.get("src", "").startswith("data:")
        assert not any(name.startswith("on") for name in attrs)
    assert "<script>alert(1)</script>" in page.text
    assert "{{ 7 * 7 }}" in page.text
    text = (store.folder / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", text)


def test_ids_are_unique_and_references_resolve(default, hostile):
    for _, page in (default, hostile):
        ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
        assert len(ids) == len(set(ids))
        for tag, attrs in page.tags:
            target = attrs.get("xlink:href") or attrs.get("href") or ""
            if target.startswith("#"):
                assert target[1:] in ids, (tag, target)
            for target in re.findall(r"url\(#([^)]*)\)", attrs.get("clip-path") or ""):
                assert target in ids


def test_figures_are_well_formed_named_safely_and_hold_names_as_text(default, hostile):
    for store, _ in (default, hostile):
        for path in (store.folder / "figures").iterdir():
            assert re.fullmatch(r"[a-z0-9.-]+\.svg", path.name)
            tags = {node.tag.rpartition("}")[2] for node in ET.parse(path).iter()}
            assert not tags & {"script", "foreignObject", "a", "animate", "set"}
    bars = next((hostile[0].folder / "figures").glob("bars-*.svg"))
    texts = [node.text for node in ET.parse(bars).iter() if node.tag.endswith("}text")]
    assert "<script>alert(1)</script>" in texts


def test_png_stands_beside_each_svg_where_it_is_asked_for(make_store):
    store = make_store(methods=["magic"], simulated=[])
    page = Page(write_report(store.read(), png=True).read_text(encoding="utf-8"))
    assert "every figure above as SVG and PNG" in page.text
    stems = {path.stem for path in (store.folder / "figures").glob("*.svg")}
    images = list((store.folder / "figures").glob("*.png"))
    assert {path.stem for path in images} == stems
    for path in images:
        with Image.open(path) as image:
            assert min(image.size) > 50


def test_all_of_our_figures_could_be_drawn(default, hostile):
    for store, page in (default, hostile):
        assert "could not be drawn" not in page.text
        drawn = {path.stem.partition("-")[0] for path in (store.folder / "figures").iterdir()}
        assert drawn >= {"purposes", "heatmap", "answers", "tradeoff", "bars", "cells", "genes"}


def test_svg_figures_have_a_description(default):
    _, page = default
    drawings = [attrs for tag, attrs in page.tags if tag == "svg"]
    assert len(drawings) >= 14
    assert all(attrs["role"] == "img" and attrs["aria-label"] for attrs in drawings)


def test_tables_come_as_csv_markdown_and_latex(default, hostile):
    store, _ = default
    scores = pd.read_csv(store.folder / "tables" / "scores.csv")
    assert {"mean", "sd", "rank", "skill", "n_scored", "n_jobs"} <= set(scores.columns)
    failures = pd.read_csv(store.folder / "tables" / "failures.csv")
    assert set(failures["status"]) == {"timeout", "memory"}
    markdown = (store.folder / "tables" / "simulated-truth-mse.md").read_text()
    assert "| **0." in markdown
    assert (store.folder / "tables" / "simulated-truth-mse.tex").read_text().count(r"\textbf{") > 1
    latex = (hostile[0].folder / "tables" / "clustering-ari.tex").read_text()
    assert r"\$x\textasciicircum{}\{2\}\$" in latex
    rows = (hostile[0].folder / "tables" / "clustering-ari.md").read_text().splitlines()[2:]
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1


@pytest.mark.parametrize(("n_methods", "n_datasets"), [(1, 1), (25, 1), (1, 6)])
def test_few_and_many_methods_and_datasets(make_store, n_methods, n_datasets):
    methods = [f"method-{i:02d}[a_rather_long_parameter=0.{i:03d}]" for i in range(n_methods)]
    datasets = [f"real_{i}" for i in range(n_datasets)]
    store = make_store(methods=methods, simulated=[], real=datasets, pictures=n_datasets == 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        page = read_page(store)
    assert all(name in page.text for name in methods)
    assert ((store.folder / "figures" / "ranks-clustering.svg").exists()) == (n_datasets >= 6)
    # No two labels of a figure look alike.
    bars = store.folder / "figures" / "bars-real-0-clustering.svg"
    texts = {node.text for node in ET.parse(bars).iter() if node.tag.endswith("}text")}
    assert len([text for text in texts if "…" in text]) == n_methods
    assert (store.folder / "report.html").stat().st_size < 8e6


def test_page_is_the_same_to_the_last_byte_in_every_process(make_store):
    methods = [f"method-{i}" for i in range(9)]
    store = make_store(methods=methods, simulated=[], real=[f"real_{i}" for i in range(6)])
    pages = set()
    for seed in ("1", "2"):
        command = [sys.executable, "-m", "impbench.cli", "report", str(store.folder)]
        subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": seed}, check=True)
        pages.add((store.folder / "report.html").read_bytes())
    assert b"Critical-difference diagram" in min(pages)
    assert len(pages) == 1


def test_run_without_any_result_has_a_page(make_store):
    page = read_page(make_store(all_fail=True))
    assert "No job gave a score." in page.text
    assert "ValueError: nothing works" in page.text


def test_run_without_any_record_has_a_page(tmp_path):
    store = Store.create(tmp_path / "empty")
    store.write_manifest({"keys": ["a" * 16], "interrupted": True})
    page = read_page(store)
    assert "This run is not complete." in page.text
    assert "1 planned job without a record" in re.sub(r"\s+", " ", page.text)


def test_interrupted_run_says_how_much_is_missing(make_store):
    store = make_store(simulated=[], pictures=False)
    manifest = json.loads((store.folder / "manifest.json").read_text())
    keys = manifest["keys"]
    for key in keys[-3:]:
        (store.folder / "records" / f"{key}.json").unlink()
    store.write_manifest(manifest | {"interrupted": True})
    text = re.sub(r"\s+", " ", read_page(store).text)
    assert "It was interrupted. 3 planned jobs without a record" in text
    assert f"{len(keys) - 3} of {len(keys)} jobs" in text


def test_unknown_metrics_and_truncated_pictures_do_no_harm(make_store):
    store = make_store(methods=["magic"], simulated=[])
    for record in store.read().records:
        scores = {**record.scores, "of-a-stranger": 0.5}
        store.write_record(replace(record, scores=scores))
    next((store.folder / "pictures").iterdir()).write_bytes(b"not a picture")
    page = read_page(store)
    assert "of-a-stranger" in page.text
    assert "Not installed here" in page.text


def test_missing_manifest_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match=r"manifest\.json"):
        Store.create(tmp_path / "empty").read()


def test_drawing_again_replaces_what_was_there_and_changes_nothing(make_store):
    store = make_store(methods=["magic"], simulated=[])
    first = write_report(store.read()).read_bytes()
    (store.folder / "figures" / "stale.svg").write_text("old")
    assert write_report(store.read()).read_bytes() == first
    assert not (store.folder / "figures" / "stale.svg").exists()


def test_report_leaves_matplotlib_as_it_was(make_store):
    before = dict(matplotlib.rcParams)
    write_report(make_store(methods=["magic"], simulated=[], pictures=False).read())
    assert dict(matplotlib.rcParams) == before


def test_leaderboard_from_results_is_that_from_the_store(make_store):
    stored = make_store(pictures=False).read()
    pd.testing.assert_frame_equal(
        leaderboard(stored), leaderboard(tidy(stored.records), stored.manifest)
    )


def test_terminal_prints_names_as_they_are(make_store):
    store = make_store(methods=["[red]not markup[/red]", "\x1b[31mesc"], pictures=False)
    console = Console(width=120, record=True, file=io.StringIO(), color_system=None)
    for part in terminal_report(store.read()):
        console.print(part)
    text = console.export_text()
    assert "[red]not markup[/red]" in text
    assert "\x1b" not in text
    assert "no-imputation" in text
    for title in ("simulated-truth, 2 simulated datasets", "clustering, 1 real dataset", "MSE"):
        assert title in text


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("landlock ABI 7", "and nothing else of the machine"),
        ("same user", "a method could read the user's files"),
        ("none", "a method could read what the runner can"),
    ],
)
def test_page_says_what_kept_methods_from_the_truth(make_store, name, meaning):
    store = make_store()
    manifest = json.loads((store.folder / "manifest.json").read_text())
    environment = {**manifest["environment"], "isolation": name, "opened": ["/dev/shm"]}
    store.write_manifest({**manifest, "environment": environment, "secret_seed": "12"})
    text = read_page(store).text
    for said in (name, meaning, "/dev/shm", "Secret seed"):
        assert said in text
