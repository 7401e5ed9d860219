"""The index of runs: it stands alone, leads to files that are there, and invents no DOI."""

import re
from html import unescape
from urllib.parse import unquote

import pytest
from typer.testing import CliRunner

from impbench.cli import app
from impbench.errors import InputError
from impbench.report import write_index
from impbench.results.store import Store
from tests.report.conftest import HOSTILE


def make_run(folder, finished="2026-01-01T10:01:40+00:00", **suite):
    """A run as it is published: manifest, page, results and a table, no records."""
    store = Store.create(folder)
    store.write_manifest(
        {
            "suite": {"title": "Default suite", **suite},
            "command": "impbench run default --seeds 2",
            "finished": finished,
            "keys": ["a1", "b2"],
            "datasets": {"x": {}},
            "imputers": {"magic": {}, "gene-mean": {"is_control": True}},
            "environment": {
                "impbench": "0.1.0",
                "cpu": "A processor",
                "cores": 2,
                "memory_bytes": 2**33,
                "versions": {"numpy": "2.4.6"},
            },
        }
    )
    (folder / "report.html").write_text("<p>the page</p>")
    (folder / "results.parquet").write_bytes(b"0" * 2_000_000)
    (folder / "tables").mkdir()
    (folder / "tables" / "scores.csv").write_text("a,b\n")
    return folder


@pytest.fixture
def published(tmp_path):
    make_run(tmp_path / "old run")
    make_run(tmp_path / "by machine" / "new", "2026-03-01T00:00:00+00:00", title="Newer")
    return tmp_path


def read(folder):
    return write_index(folder).read_text(encoding="utf-8")


def test_every_link_leads_to_a_file_that_is_there(published):
    links = [unescape(link) for link in re.findall(r'href="([^"]+)"', read(published))]
    links = [link for link in links if link != "data:,"]
    assert len(set(links)) == 2 * 4
    assert all((published / unquote(link)).is_file() for link in links)


def test_runs_are_told_with_date_version_machine_and_command(published):
    page = read(published)
    for text in (
        "2026-03-01",
        "0.1.0",
        "A processor, 2 cores, 8.0 GiB of memory",
        "impbench run default --seeds 2",
        "results.parquet</a> (2.0 MB)",
        "numpy",
    ):
        assert text in page
    assert page.index("Newer") < page.index("Default suite")


def test_page_stands_alone(published):
    page = read(published)
    assert "default-src 'none'" in page
    assert not re.search(r'(src|href)="(https?:)?//', page)
    assert page.count("<script") == 1
    assert read(published) == page


def test_citation_has_no_doi_until_somebody_adds_one(published):
    page = read(published)
    cited = (published / "CITATION.cff").read_text()
    assert 'title: "Newer: results of a run of impbench"' in cited
    assert 'date-released: "2026-03-01"' in cited
    assert not re.search(r"(?m)^doi:", cited)
    assert not re.search(r"10\.\d{4,}/", page)
    (published / "CITATION.cff").write_text(cited + "doi: 10.5281/zenodo.1\n")
    assert "doi: 10.5281/zenodo.1" in read(published)
    assert "doi: 10.5281/zenodo.1" in (published / "CITATION.cff").read_text()


def test_names_from_runs_do_not_become_markup(tmp_path):
    make_run(tmp_path / "x", title=HOSTILE[0], description=HOSTILE[1])
    page = read(tmp_path)
    assert page.count("<script") == 1
    assert "<img" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_folder_without_pages_is_an_error_and_the_command_writes(published, tmp_path_factory):
    empty = tmp_path_factory.mktemp("empty")
    with pytest.raises(InputError, match=r"holds no run with a page.*report\.html"):
        write_index(empty)
    assert not list(empty.iterdir())
    done = CliRunner().invoke(app, ["index", str(published)])
    assert done.exit_code == 0
    assert done.output.strip() == str(published / "index.html")
