"""Slices of a suite, put together: the same as the whole, or a reason why not."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from slices import DATASETS, FINE, OTHER, PROTOCOLS, run, scores, together

from impbench.errors import InputError
from impbench.regress.measured import measure
from impbench.report import write_report
from impbench.results.packed import PACKED
from impbench.results.record import Record
from impbench.results.store import Store

pytestmark = pytest.mark.slow

Slice = Callable[..., Path]


def copied(folder: Path, to: Path) -> Path:
    shutil.copytree(folder, to)
    return to


def change(folder: Path, imputer: str, **fields: object) -> Record:
    """Change the first record of an imputer, as another machine might have it."""
    store = Store(folder)
    record = next(item for item in store.read().records if item.job.imputer == imputer)
    changed = dataclasses.replace(record, **fields)  # type: ignore[arg-type]
    store.write_record(changed)
    return changed


def change_manifest(folder: Path, edit: Callable[[dict], None]) -> None:  # type: ignore[type-arg]
    path = folder / "manifest.json"
    tree = json.loads(path.read_text())
    edit(tree)
    path.write_text(json.dumps(tree))


HALVES = {
    "datasets": [{"datasets": [DATASETS[0]]}, {"datasets": [DATASETS[1]]}],
    "protocols": [{"protocols": PROTOCOLS[:2]}, {"protocols": PROTOCOLS[2:]}],
    "imputers": [{"imputers": [FINE]}, {"imputers": [OTHER]}],
}


@pytest.mark.parametrize("by", HALVES)
def test_halves_together_are_the_whole_bit_for_bit(sliced: Slice, tmp_path: Path, by: str) -> None:
    halves = [sliced(f"{by}-{i}", **choice) for i, choice in enumerate(HALVES[by])]
    whole = Store.open(sliced("whole")).read()
    merged = together(tmp_path / "out", *halves).stored
    pd.testing.assert_frame_equal(
        scores(merged.store.folder), scores(whole.store.folder), check_exact=True
    )
    told, known = merged.manifest, whole.manifest
    assert told.keys == known.keys
    for part in ("datasets", "protocols", "problems", "seeds", "skipped", "unasked", "suite"):
        assert getattr(told, part) == getattr(known, part), part
    assert told.imputers == known.imputers
    assert told.finished
    assert not told.interrupted
    assert [part.name for part in told.merged] == [half.name for half in halves]
    assert told.environment == known.environment


def test_halves_by_seed_hold_the_same_scores(sliced: Slice, tmp_path: Path) -> None:
    halves = [sliced(f"seed-{seed}", seeds=[seed]) for seed in (2, 1)]
    merged = together(tmp_path / "out", *halves).stored
    pd.testing.assert_frame_equal(
        scores(merged.store.folder), scores(sliced("whole")), check_exact=True
    )
    assert merged.manifest.seeds == (1, 2)
    assert merged.manifest.suite.replaced == ()


def test_what_the_slices_lack_of_the_suite_is_said(sliced: Slice, tmp_path: Path) -> None:
    halves = [sliced(f"datasets-{i}", **choice) for i, choice in enumerate(HALVES["datasets"])]
    assert together(tmp_path / "one", halves[0]).stored.manifest.suite.replaced == ("datasets",)
    assert together(tmp_path / "two", *halves).stored.manifest.suite.replaced == ()


def test_slices_have_the_name_of_the_suite_that_they_are_said_to_be_of(
    sliced: Slice, tmp_path: Path
) -> None:
    half = copied(sliced("datasets-0", **HALVES["datasets"][0]), tmp_path / "half")
    told = json.loads((half / "manifest.json").read_text())
    told["suite"] |= {"name": "first", "title": "First"}
    (half / "manifest.json").write_text(json.dumps(told))
    suite = together(tmp_path / "one", half).stored.manifest.suite
    assert (suite.name, suite.title, suite.replaced) == ("sliced", "Sliced", ("datasets",))


def test_a_packed_folder_is_drawn_and_resumed_without_running_anything(
    sliced: Slice, tmp_path: Path
) -> None:
    whole = sliced("imputers-0", **HALVES["imputers"][0])
    packed = together(tmp_path / "packed", whole).stored.store.folder
    published = tmp_path / "published"
    published.mkdir()
    for name in ("manifest.json", PACKED):
        shutil.copy(packed / name, published)
    stored = Store.open(published).read()
    assert list(stored.records) == Store.open(whole).read().records
    assert measure(published) == measure(whole)
    text = write_report(stored).read_text(encoding="utf-8")
    assert "Put together from 1 run" in text
    assert "imputers-0" in text
    again = run(published, imputers=[FINE])
    assert not list((published / "records").iterdir())
    assert list(again.stored.records) == list(stored.records)
    assert again.stored.manifest.merged == stored.manifest.merged


def test_a_run_that_goes_on_in_a_packed_folder_is_named_there_too(
    sliced: Slice, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    together(out, sliced("seed-1", seeds=[1]))
    run(out)
    told = Store.open(out).manifest()
    assert [part.name for part in told.merged] == ["seed-1", "out"]
    assert told.merged[1].finished == told.finished
    merged = together(out, out).stored
    assert not (out / "records").exists()
    assert merged.manifest.merged == told.merged
    pd.testing.assert_frame_equal(scores(out), scores(sliced("whole")), check_exact=True)


def test_scores_that_differ_are_listed_unless_one_run_is_preferred(
    sliced: Slice, tmp_path: Path
) -> None:
    ours = sliced("seed-1", seeds=[1])
    theirs = copied(ours, tmp_path / "theirs")
    old = next(r for r in Store.open(ours).read().records if r.job.imputer == FINE)
    new = change(theirs, FINE, scores={**old.scores, "mse": old.scores["mse"] + 0.5})
    with pytest.raises(InputError) as refused:
        together(tmp_path / "out", ours, theirs)
    (line,) = [text for text in str(refused.value).splitlines() if "mse" in text]
    a, b = (record.scores["mse"] for record in (old, new))
    where = f"{FINE} on {DATASETS[0]}, simulated-truth, seed 1"
    assert line.strip() == f"{where}, mse: {a:.9g} in {ours}, {b:.9g} in {theirs}"
    assert not (tmp_path / "out").exists()
    for prefer, winner in (("first", old), ("last", new)):
        merged = together(tmp_path / prefer, ours, theirs, prefer=prefer)
        assert next(r for r in merged.stored.records if r.key == old.key).scores == winner.scores
        assert "scores differ" in merged.notes[0]


def test_rounding_and_time_are_no_conflict(sliced: Slice, tmp_path: Path) -> None:
    ours = sliced("seed-1", seeds=[1])
    theirs = copied(ours, tmp_path / "theirs")
    old = next(r for r in Store.open(ours).read().records if r.job.imputer == FINE)
    scores = {**old.scores, "mse": old.scores["mse"] * (1 + 1e-8), "wall-seconds": 99.0}
    change(theirs, FINE, scores=scores)
    merged = together(tmp_path / "out", ours, theirs)
    assert merged.notes == ()
    assert next(r for r in merged.stored.records if r.key == old.key) == old


@pytest.mark.parametrize("order", [1, -1])
def test_a_success_takes_the_place_of_a_failure_and_it_is_said(
    sliced: Slice, tmp_path: Path, order: int
) -> None:
    ours = sliced("seed-1", seeds=[1])
    theirs = copied(ours, tmp_path / "theirs")
    lost = change(theirs, FINE, status="memory", reason="too much", scores={})
    merged = together(tmp_path / "out", *[ours, theirs][::order])
    assert next(r for r in merged.stored.records if r.key == lost.key).status == "ok"
    assert merged.notes == (
        f"{FINE}: a failure gave way to a success (1 job: {ours} instead of {theirs})",
    )
    assert merged.notes[0] in (tmp_path / "out" / "run.log").read_text()


def fingerprint(tree: dict) -> None:  # type: ignore[type-arg]
    tree["datasets"][DATASETS[0]]["fingerprint"] = "other"


def version(tree: dict) -> None:  # type: ignore[type-arg]
    tree["imputers"][FINE]["version"] = "2"


def scoring(tree: dict) -> None:  # type: ignore[type-arg]
    tree["scoring"] = "1"


def secret(tree: dict) -> None:  # type: ignore[type-arg]
    tree["secret_seed"] = "ab" * 16


def metrics(tree: dict) -> None:  # type: ignore[type-arg]
    tree["problems"][0]["metrics"].remove("mse")


DISAGREEING = {
    fingerprint: rf"fingerprint of the dataset {DATASETS[0][:9]}.*: \w+ in .*, other in .*theirs",
    version: rf"version of the imputer {FINE}: .* in .*, 2 in .*theirs",
    scoring: r"version of the scoring: \d in .*, 1 in .*theirs",
    secret: r"secret seed: none in .*, (ab){16} in .*theirs",
    metrics: r"metrics of simulated-truth on sim_equal.*: .*'mse'.* in .*theirs",
}


@pytest.mark.parametrize("edit", DISAGREEING)
def test_runs_that_asked_something_else_are_refused_by_name(
    sliced: Slice,
    tmp_path: Path,
    edit: Callable[[dict], None],  # type: ignore[type-arg]
) -> None:
    ours = sliced("seed-1", seeds=[1])
    theirs = copied(ours, tmp_path / "theirs")
    change_manifest(theirs, edit)
    with pytest.raises(InputError, match=DISAGREEING[edit]):
        together(tmp_path / "out", ours, theirs, prefer="last")


def test_jobs_without_a_record_stay_planned(sliced: Slice, tmp_path: Path) -> None:
    theirs = copied(sliced("seed-1", seeds=[1]), tmp_path / "theirs")
    change_manifest(theirs, lambda tree: tree.update(interrupted=True, finished=None))
    victim, damaged = sorted((theirs / "records").iterdir())[:2]
    victim.unlink()
    damaged.write_text("{")
    merged = together(tmp_path / "out", theirs)
    told = merged.stored.manifest
    assert told.keys[-2:] == tuple(k for k in told.keys if k in (victim.stem, damaged.stem))
    assert not told.finished
    assert told.interrupted
    assert str(damaged) in merged.notes[0]
    whole = together(tmp_path / "out", tmp_path / "out", sliced("seed-1", seeds=[1])).stored
    assert len(whole.records) == len(told.keys) == len(whole.manifest.keys)
    assert whole.manifest.finished
    assert not whole.manifest.interrupted


def test_another_run_in_the_folder_is_left_alone(sliced: Slice, tmp_path: Path) -> None:
    ours, other = sliced("seed-1", seeds=[1]), sliced("seed-2", seeds=[2])
    out = copied(other, tmp_path / "out")
    before = (out / "manifest.json").read_bytes()
    with pytest.raises(InputError, match=r"holds a run already.*name it too"):
        together(out, ours)
    assert (out / "manifest.json").read_bytes() == before
    assert not (out / PACKED).exists()


@pytest.mark.parametrize("renames", [0, 1, 2, 5])
def test_a_killed_merge_leaves_nothing_half_written(
    sliced: Slice, tmp_path: Path, renames: int
) -> None:
    """The process dies at the given rename, after which nothing of it can clean up."""
    halves = [sliced(f"seed-{seed}", seeds=[seed]) for seed in (1, 2)]
    out = copied(halves[0], tmp_path / "out")
    code = (
        "import os, signal, sys; from pathlib import Path; sys.path.insert(0, sys.argv[1])\n"
        "from slices import together\n"
        "left, rename = int(sys.argv[2]), Path.replace\n"
        "def dying(self, target):\n"
        "    global left\n"
        "    if left == 0: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    left -= 1\n"
        "    return rename(self, target)\n"
        "Path.replace = dying\n"
        "together(Path(sys.argv[3]), Path(sys.argv[3]), Path(sys.argv[4]))\n"
    )
    here = str(Path(__file__).parent)
    command = [sys.executable, "-c", code, here, str(renames), str(out), str(halves[1])]
    died = subprocess.run(command, check=False, env={**os.environ})
    assert died.returncode == -signal.SIGKILL
    stored = Store.open(out).read()
    assert len(stored.records) == len(stored.manifest.keys)
    assert {record.job.seed for record in stored.records} in ({1}, {1, 2})
    together(out, out, halves[1])
    pd.testing.assert_frame_equal(scores(out), scores(sliced("whole")), check_exact=True)
    assert not list(out.rglob("*.tmp"))


IMPBENCH = Path(sys.executable).with_name("impbench")


def test_the_command_draws_the_page_of_all(sliced: Slice, tmp_path: Path) -> None:
    halves = [sliced(f"seed-{seed}", seeds=[seed]) for seed in (1, 2)]
    command = [IMPBENCH, "merge", *halves, "-o", "m"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    n = len(Store.open(tmp_path / "m").read().records)
    assert done.stdout == f"{n} records in m\nreport: m/report.html\n"
    page = (tmp_path / "m" / "report.html").read_text(encoding="utf-8")
    assert "Put together from 2 runs" in page
    assert list((tmp_path / "m" / "pictures").iterdir())
    bare = subprocess.run(
        [*command[:2], "m", "-o", "bare", "--no-pictures", "--no-report"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert bare.returncode == 0
    assert {p.name for p in (tmp_path / "bare").iterdir() if not p.name.startswith(".")} == {
        "manifest.json",
        "records.parquet",
        "results.parquet",
        "run.log",
    }
