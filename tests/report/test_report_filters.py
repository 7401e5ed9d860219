"""The filters of the page: what a browser computes is what Python computes."""

import json
from dataclasses import replace
from urllib.parse import quote

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from impbench.report import write_report
from impbench.report.analysis.facets import Facets, facets_of
from impbench.report.analysis.run import make_run
from impbench.report.analysis.tables import summarise
from impbench.report.page.filters import filters, purpose_table
from impbench.results.manifest import AboutDataset
from tests.report.conftest import build_run

# With the five below eight: means of ranks in eighths, some just between two decimals.
SIMULATED = ["sim_1", "sim_2", "sim_3"]
REAL = {
    "real_1": (200, "umi", "experimental"),
    "real_2": (900, "umi", "experimental"),
    "real_3": (300, "full-length", "computational"),
    "real_4": (5000, "umi", "genotype"),
    "real_5": (1001, "", ""),
}


@pytest.fixture(scope="module")
def filtered(tmp_path_factory):
    """A run over eight data sets of several kinds, with failures, and its page."""
    store = build_run(
        tmp_path_factory.mktemp("filtered"),
        methods=["magic", "alra", "maskclass-best", "saver"],
        simulated=SIMULATED,
        real=list(REAL),
        pictures=False,
        failing={
            ("real_2", "magic", 1): ("failed", "ValueError", ""),
            ("real_4", "alra", 1): ("timeout", "stopped", ""),
            ("real_4", "alra", 2): ("timeout", "stopped", ""),
            ("sim_1", "saver", 1): ("unavailable", "no package", ""),
            ("sim_1", "saver", 2): ("unavailable", "no package", ""),
        },
    )
    manifest = json.loads((store.folder / "manifest.json").read_text())
    for name, (n_cells, technology, labels) in REAL.items():
        about = manifest["datasets"][name]
        about |= {"n_cells": n_cells, "labels_confidence": labels}
        about["facts"] |= {"technology": technology} if technology else {}
    store.write_manifest(manifest)
    stored = store.read()
    write_report(stored)
    run = make_run(stored)
    return store, run, summarise(run)


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        (AboutDataset(simulated=True, n_cells=2000), ("simulated", "large", "simulated")),
        (
            AboutDataset(n_cells=300, labels_confidence="sorted", facts={"technology": "umi"}),
            ("umi", "small", "measured"),
        ),
        (
            AboutDataset(n_cells=301, labels_confidence="markers", facts={"technology": "other"}),
            ("other", "middling", "computed"),
        ),
        (AboutDataset(n_cells=1001), ("unknown", "large", "unlabelled")),
        (AboutDataset(facts={"technology": "<b>"}), ("unknown", "unknown", "unlabelled")),
    ],
)
def test_a_data_set_has_technology_size_and_kind(about, expected):
    assert facets_of(about) == Facets(*expected)


@pytest.mark.slow
def test_a_purpose_on_too_few_data_sets_ranks_nobody(filtered):
    _, run, summary = filtered
    table = purpose_table(run, summary[summary["dataset"].isin(["real_1", "sim_1", "real_3"])])
    notes = {column.title: column.note for column in table.columns}
    assert notes["simulated-truth"] == "1 question, 1 dataset: too few"
    assert notes["clustering"] == "3 questions, 3 datasets"
    at = list(notes).index("simulated-truth")
    assert {row.cells[at].text for row in table.rows} == {"—"}


@pytest.mark.slow
def test_few_data_sets_have_no_filters(filtered):
    _, run, summary = filtered
    assert filters(run, summary[summary["dataset"].isin(list(REAL)[:3])]) is None
    assert filters(run, summary[summary["dataset"].isin(list(REAL)[:4])]) is not None


@pytest.mark.slow
def test_table_without_javascript_is_over_all_data_sets(filtered):
    store, run, summary = filtered
    page = (store.folder / "report.html").read_text()
    assert "8 questions, 8 datasets" in page
    assert 'class="filters"' in page
    # A failure counts as the worst, and who failed is not called best.
    column = [c.title for c in purpose_table(run, summary).columns].index("clustering")
    cells = {row.name: row.cells[column] for row in purpose_table(run, summary).rows}
    assert cells["alra"].text.endswith("*")
    assert "best" not in (cells["alra"].kind, cells["magic"].kind)
    assert [name for name, cell in cells.items() if cell.kind == "best"] == ["maskclass-best"]


@pytest.mark.slow
def test_manifests_of_before_have_no_technology(filtered):
    _, run, summary = filtered
    before = {name: replace(about, facts={}) for name, about in run.manifest.datasets.items()}
    old = replace(run, manifest=replace(run.manifest, datasets=before))
    technologies = dict(
        next(c for c in filters(old, summary).choices if c.key == "technology").options
    )
    assert set(technologies) == {"simulated", "unknown"}


def shown(browser):
    """The table in the page: by imputer, text and note of every visible cell; and its heads."""
    return browser.execute_script(
        "const table = document.querySelector('#purposes table.board');"
        "const told = (row) => [...row.cells].slice(1).filter(c => !c.hidden).map(c => {"
        " const small = c.querySelector('small')?.textContent ?? '';"
        " return [c.textContent.slice(0, c.textContent.length - small.length), small,"
        "  c.className]; });"
        "return [Object.fromEntries([...table.tBodies[0].rows].map("
        " row => [row.cells[0].dataset.sort, told(row)])), "
        " told(table.tHead.rows[0]).map(h => h[1])]"
    )


def computed(run, summary, datasets):
    """The same, by Python."""
    table = purpose_table(run, summary[summary["dataset"].isin(datasets)])
    cells = {row.name: [[c.text, c.note, c.kind] for c in row.cells] for row in table.rows}
    return [cells, [column.note for column in table.columns]]


def choose(browser, **choices):
    for name in ("purpose", "technology", "size", "kind"):
        element = browser.find_element(By.CSS_SELECTOR, f".filters select[name={name}]")
        Select(element).select_by_value(choices.get(name, ""))


def said(browser):
    return browser.find_element(By.CSS_SELECTOR, ".filters .said").text


@pytest.fixture
def opened(browser, filtered):
    browser.get("about:blank")
    browser.get_log("browser")
    browser.set_window_size(1280, 900)
    browser.get((filtered[0].folder / "report.html").as_uri())
    return browser


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize(
    ("choices", "kept"),
    [
        ({}, [*SIMULATED, *REAL]),
        ({"technology": "umi"}, ["real_1", "real_2", "real_4"]),
        ({"kind": "real"}, list(REAL)),
        ({"kind": "simulated"}, SIMULATED),
        ({"size": "middling"}, [*SIMULATED, "real_2"]),
        ({"kind": "measured", "technology": "umi"}, ["real_1", "real_2", "real_4"]),
    ],
)
def test_browser_computes_what_python_computes(opened, filtered, choices, kept):
    _, run, summary = filtered
    choose(opened, **choices)
    cells, notes = shown(opened)
    expected, expected_notes = computed(run, summary, kept)
    present = dict(
        zip([column.title for column in purpose_table(run, summary).columns], notes, strict=True)
    )
    if "sim_1" not in kept:
        # Python has no column for a purpose that nobody asked of these; the page keeps it, empty.
        assert present.pop("simulated-truth") == "0 questions, 0 datasets: too few"
        cells = {name: [row[0], *row[2:]] for name, row in cells.items()}
    assert list(present.values()) == expected_notes
    assert {name: cells[name] for name in expected} == expected
    assert opened.get_log("browser") == []


@pytest.mark.browser
@pytest.mark.slow
def test_too_few_data_sets_rank_nobody_and_say_so(opened):
    choose(opened, kind="computed")
    assert said(opened).startswith("Nobody is ranked: 1 dataset and 1 question left")
    cells, _ = shown(opened)
    assert {cell[0] for row in cells.values() for cell in row} == {"—"}
    sections = opened.find_elements(By.CSS_SELECTOR, "details.dataset")
    assert sum(section.is_displayed() for section in sections) == 1
    opened.find_element(By.CSS_SELECTOR, ".filters button").click()
    assert said(opened) == "The table rests on 8 datasets and 11 questions."


@pytest.mark.browser
@pytest.mark.slow
def test_a_view_can_be_linked_and_sorted_by_keyboard(opened, filtered):
    choose(opened, purpose="clustering", kind="real")
    head = opened.find_elements(By.CSS_SELECTOR, "#purposes table.board thead th")[3]
    head.find_element(By.TAG_NAME, "button").send_keys(Keys.ENTER)
    assert head.get_attribute("aria-sort") == "descending"
    address = opened.find_element(By.CSS_SELECTOR, ".filters a").get_attribute("href")
    assert opened.current_url == address
    assert address.endswith(f"#purposes?purpose=clustering&kind=real&sort={quote('-clustering')}")
    before = shown(opened)
    opened.get("about:blank")
    opened.get(address)
    assert shown(opened) == before
    assert len(before[1]) == 1
    heads = opened.find_elements(By.CSS_SELECTOR, "#purposes table.board thead th")
    assert heads[3].get_attribute("aria-sort") == "descending"
    # Nothing in an address becomes more than a choice.
    opened.get("about:blank")
    opened.get((filtered[0].folder / "report.html").as_uri() + "#purposes?kind=<b>&sort=%3Cb%3E")
    assert said(opened) == "The table rests on 8 datasets and 11 questions."


@pytest.mark.browser
@pytest.mark.slow
def test_plain_tables_sort_too(opened):
    heads = opened.find_elements(By.CSS_SELECTOR, "#run table.plain thead th")
    cells = heads[2].find_element(By.TAG_NAME, "button")
    cells.send_keys(Keys.ENTER)
    rows = opened.find_elements(By.CSS_SELECTOR, "#run table.plain tbody tr")
    numbers = [int(row.find_elements(By.TAG_NAME, "td")[1].text) for row in rows]
    assert numbers == sorted(numbers)
    assert len(set(numbers)) > 3
    assert heads[2].get_attribute("aria-sort") == "ascending"
