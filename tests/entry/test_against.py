"""A method among published rows: the rest is not run again, and the controls must agree."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from published import DATASETS, PROTOCOLS, SETTINGS, SUITE

from impbench.entry.against import place_among
from impbench.entry.controls import choose_controls
from impbench.errors import InputError
from impbench.merging.inputs import read_input
from impbench.registry import load_file, registry
from impbench.results.record import Record
from impbench.results.store import Store
from impbench.runner.outcome import Results
from impbench.runner.walls import Openings
from impbench.worker.isolation import in_force

pytestmark = pytest.mark.slow

IMPBENCH = Path(sys.executable).with_name("impbench")


def place(published: Path, out: Path, **options: object) -> Results:
    options = {
        "executor": "local",
        "imputers": ["fine"],
        "settings": SETTINGS,
        "report": False,
        **options,
    }
    return place_among(published, SUITE, out, **options)  # type: ignore[arg-type]


def spoilt(published: Path, to: Path, edit: Callable[[Record], Record]) -> Path:
    """Publish the same with every record edited."""
    shutil.copytree(published, to)
    store = Store(to)
    store.write_packed(map(edit, store.read().records))
    return to


def test_a_method_is_placed_among_all_rows_and_only_it_and_two_controls_run(
    published: Path, tmp_path: Path
) -> None:
    before = {path: path.read_bytes() for path in published.rglob("*") if path.is_file()}
    results = place(published, tmp_path / "out", report=True)
    rows = Store.open(published).read()
    kept = [record for record in results.stored.records if record.job.imputer != "fine"]
    assert kept == list(rows.records)
    mine = results.scores[results.scores.imputer == "fine"]
    assert {*mine.dataset} == {*DATASETS}
    assert {*mine.protocol} == {*PROTOCOLS}
    assert {*mine.status} == {"ok"}
    ran = {r.job.imputer for r in Store.open(tmp_path / "out" / "entry").read().records}
    assert ran == {"fine", "no-imputation", "gene-mean", "oracle", "attainable"} or (
        ran == {"fine", "no-imputation", "nonzero-mean", "oracle", "attainable"}
    )
    assert results.report is not None
    page = results.report.read_text(encoding="utf-8")
    assert "Put together from 2 runs" in page
    assert "Not the suite" not in page
    assert before == {path: path.read_bytes() for path in published.rglob("*") if path.is_file()}


def test_it_can_be_restricted_and_resumed(published: Path, tmp_path: Path) -> None:
    choice = {"datasets": [DATASETS[1]], "protocols": [PROTOCOLS[0]]}
    first = place(published, tmp_path, **choice)
    mine = first.scores[first.scores.imputer == "fine"]
    assert {*zip(mine.dataset, mine.protocol, strict=True)} == {(DATASETS[1], PROTOCOLS[0])}
    records = tmp_path / "entry" / "records"
    stamps = {path: path.stat().st_mtime_ns for path in records.iterdir()}
    again = place(published, tmp_path, **choice)
    assert stamps == {path: path.stat().st_mtime_ns for path in records.iterdir()}
    assert again.scores.equals(first.scores)


def test_a_control_that_scores_otherwise_is_refused_and_the_method_never_runs(
    published: Path, tmp_path: Path
) -> None:
    def better(record: Record) -> Record:
        if record.job.imputer != "no-imputation" or "mse" not in record.scores:
            return record
        return dataclasses.replace(record, scores={**record.scores, "mse": 0.125})

    other = spoilt(published, tmp_path / "other", better)
    with pytest.raises(InputError) as refused:
        place(other, tmp_path / "out")
    lines = str(refused.value).splitlines()
    assert "controls of" in lines[0]
    assert len(lines) == 1 + len(DATASETS)
    for line, dataset in zip(lines[1:], DATASETS, strict=True):
        assert f"no-imputation on {dataset}, simulated-truth, seed 1, mse: published" in line
        assert "published as 0.125, here " in line
    records = Store.open(tmp_path / "out" / "entry").read().records
    assert "fine" not in {record.job.imputer for record in records}
    assert not (tmp_path / "out" / "manifest.json").exists()


def fingerprint(tree: dict) -> None:  # type: ignore[type-arg]
    tree["datasets"][DATASETS[0]]["fingerprint"] = "other"


def scoring(tree: dict) -> None:  # type: ignore[type-arg]
    tree["scoring"] = "1"


def suite(tree: dict) -> None:  # type: ignore[type-arg]
    tree["suite"]["name"] = "large"


def controls(tree: dict) -> None:  # type: ignore[type-arg]
    for about in tree["imputers"].values():
        about["stochastic"] = True


def version(tree: dict) -> None:  # type: ignore[type-arg]
    tree["imputers"]["fine"] = {"name": "fine", "version": "0"}


DIFFERING = {
    fingerprint: r"fingerprint of the dataset sim_equal.*: other in .*published",
    scoring: r"scored by version 1 of the scoring; this impbench, of version \d",
    suite: r"is a run of the suite large, not of small",
    controls: r"two controls that draw nothing at random must be run again.*has none",
    version: r"has fine of version 0, and here it is",
}


@pytest.mark.parametrize("edit", DIFFERING)
def test_what_was_published_otherwise_is_refused_by_name(
    published: Path,
    tmp_path: Path,
    edit: Callable[[dict], None],  # type: ignore[type-arg]
) -> None:
    other = tmp_path / "published"
    shutil.copytree(published, other)
    tree = json.loads((other / "manifest.json").read_text())
    edit(tree)
    (other / "manifest.json").write_text(json.dumps(tree))
    with pytest.raises(InputError, match=DIFFERING[edit]):
        place(other, tmp_path / "out")


PEEKING = """from pathlib import Path
import impbench

class Peeks(impbench.Imputer):
    name = "peeks"
    summary = "Looks its neighbours' scores up."

    def impute(self, observed, context):
        for path in {paths!r}:
            try:
                Path(path).read_bytes()
            except PermissionError:
                continue
            raise RuntimeError("could read " + path)
        return impbench.Imputed(observed.lognorm, scale="lognorm")

@impbench.hookimpl
def impbench_imputers():
    return [Peeks]
"""


@pytest.mark.skipif(not in_force().startswith("landlock"), reason="needs Landlock")
def test_a_method_cannot_read_the_published_rows_even_where_the_user_opened_a_folder_around_them(
    published: Path, tmp_path: Path
) -> None:
    paths = [str(published / name) for name in ("manifest.json", "records.parquet")]
    plugin = tmp_path / "peeks.py"
    plugin.write_text(PEEKING.format(paths=paths))
    load_file(plugin)
    settings = dataclasses.replace(SETTINGS, openings=Openings(readable=(published.parent.parent,)))
    choice = {"datasets": [DATASETS[0]], "protocols": [PROTOCOLS[0]], "settings": settings}
    results = place(published, tmp_path / "out", imputers=["peeks"], **choice)
    mine = results.scores[results.scores.imputer == "peeks"]
    assert {*mine.status} == {"ok"}, mine.reason.unique()


def test_nothing_is_written_over(published: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is the published run itself"):
        place(published, published)
    shutil.copytree(published, tmp_path / "mine")
    with pytest.raises(InputError, match="holds another run"):
        place(published, tmp_path / "mine")
    with pytest.raises(InputError, match=r"asks nothing of the dataset sim_equal\["):
        place(published, tmp_path / "out", datasets=["sim_equal[n_cells=41]"])


def test_controls_are_chosen_by_what_they_do(published: Path) -> None:
    rows = read_input(published)
    questions = {(item.dataset, item.protocol) for item in rows.manifest.problems}
    first, *others = choose_controls(rows, registry(), questions)
    assert rows.manifest.imputer(first).role == "nothing"
    assert all(rows.manifest.imputer(spec).stochastic is False for spec in others)
    assert len(others) == 1


def test_the_command_places_the_methods_of_a_plugin_file(tmp_path: Path) -> None:
    suite = tmp_path / "tiny.toml"
    suite.write_text(
        'title = "tiny"\nimputers = []\nseeds = 1\n[[question]]\n'
        f'datasets = ["{DATASETS[0]}"]\nprotocols = ["simulated-truth"]\n'
    )
    plugin = tmp_path / "mine.py"
    plugin.write_text(
        "import impbench\n\n\nclass Mine(impbench.Imputer):\n"
        '    """Mine."""\n\n    name = "mine"\n    summary = "Mine."\n    version = "1"\n\n'
        "    def impute(self, observed, context):\n"
        "        return impbench.Imputed(observed.lognorm, scale='lognorm')\n\n\n"
        "@impbench.hookimpl\ndef impbench_imputers():\n    return [Mine]\n"
    )

    def call(*args: str) -> subprocess.CompletedProcess[str]:
        command = [IMPBENCH, *args]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    ours = call("run", "--suite", "tiny.toml", "--out", "ours", "--no-report", "--quiet")
    assert ours.returncode == 0, ours.stderr
    asked = ["run", "--suite", "tiny.toml", "--against", "ours", "--plugin", "mine.py"]
    done = call(*asked, "--out", "x", "--no-report")
    assert done.returncode == 0, done.stderr
    assert "mine" in done.stdout
    assert "permuted" in done.stdout
    assert "first, to see that scores here are the published ones" in done.stderr
    refused = call(*asked, "--out", "y", "--seeds", "3", "--secret-seed")
    assert refused.returncode == 2
    assert "--seeds, --secret-seed or --revealed-seed and --against do not go" in refused.stderr
