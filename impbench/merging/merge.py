"""Put runs together into one folder: one file of records, one manifest, one table."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

import pandas as pd

from impbench.errors import ImpbenchError, InputError
from impbench.merging.agree import check_agreement
from impbench.merging.conflicts import Chosen, Prefer, choose
from impbench.merging.inputs import MergeInput, read_input
from impbench.merging.row_file import read_row
from impbench.merging.union import unite
from impbench.plan.plan import Plan, make_plan
from impbench.plan.suite import Suite, read_suite
from impbench.registry import Registry
from impbench.results.manifest import AboutSuite, RunManifest
from impbench.results.record import Record
from impbench.results.store import Store, StoredRun
from impbench.write_atomically import write_atomically


@dataclass(frozen=True)
class Merged:
    """What came of putting runs together."""

    stored: StoredRun
    """As it lies in its folder."""
    table: pd.DataFrame
    """Its tidy table."""
    notes: tuple[str, ...]
    """Sentences the user should know: which records gave way, which cannot be read."""


def read_run(path: Path) -> MergeInput:
    """Read a run's folder (`read_input`), or the row of a method in one file (`read_row`)."""
    return read_row(path) if path.is_file() else read_input(path)


def merge(
    runs: Sequence[MergeInput],
    out: Path,
    registry: Registry,
    *,
    prefer: Prefer | None = None,
    suite: Suite | None = None,
    pictures: bool = True,
    replaces: bool = False,
    command: str = "",
) -> Merged:
    """Write ``manifest.json``, ``records.parquet`` and ``results.parquet`` of all runs into `out`.

    A kill at any instant leaves every file as it was or whole, and the same call goes on. Of
    `runs`, `out` alone is changed, if it is one of them: its records move into the one file.

    Parameters
    ----------
    prefer
        As in `choose`.
    suite
        What the runs are slices of, and what they are called together; None looks it up by the name
        that they give.
    pictures
        Take along the samples that the page draws cells and genes from.
    replaces
        Whether a run that `out` holds already may be replaced, though it is none of `runs`.
    command
        What would do this again.

    Raises
    ------
    InputError
        If there are no records, runs disagree (`check_agreement`) or contradict each other
        (`choose`), `out` holds another run, or it cannot be written to.
    """
    if not any(run.records for run in runs):
        raise InputError("there is nothing to put together: these runs hold no record")
    check_agreement(runs)
    chosen = choose(runs, prefer)
    records = _in_order(runs, chosen.records)
    missing = _missing(runs, records)
    keys = [*(record.key for record in records), *missing]
    known = suite or _suite_of(runs[0].manifest, registry)
    lacking = partial(_still_replaced, suite=known, registry=registry)
    told = unite(runs, keys, not missing, lacking, command)
    if suite is not None:
        about = AboutSuite(suite.name, suite.title, suite.description, told.suite.replaced)
        told = dataclasses.replace(told, suite=about)
    store = Store.create(out, ())
    with store.locked():
        named = any(_same(out, run.folder) for run in runs if run.folder is not None)
        if (out / "manifest.json").exists() and not named and not replaces:
            raise InputError(
                f"{out} holds a run already, which is none of those to be put together: name it "
                "too, or choose another folder with --out"
            )
        _carry(chosen, store, pictures)
        stored, table = _write(store, told, records)
        names = ", ".join(run.name for run in runs)
        notes = (*chosen.notes, *(text for run in runs for text in run.damaged))
        store.note(f"put together from {names}: {len(records)} records")
        for text in notes:
            store.note(text)
    return Merged(stored, table, notes)


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()


def _missing(runs: Sequence[MergeInput], records: Iterable[Record]) -> list[str]:
    """Return the keys of which no run has a record: nobody may take them for done."""
    there = {key for run in runs for key in run.records} | {record.key for record in records}
    asked = dict.fromkeys(key for run in runs for key in run.manifest.keys)
    return [key for key in asked if key not in there]


def _suite_of(told: RunManifest, registry: Registry) -> Suite | None:
    """Return the suite that a run was of, or None where no suite of that name is known here."""
    try:
        return read_suite(registry.suite(told.suite.name))
    except ImpbenchError:
        return None


def _still_replaced(told: RunManifest, suite: Suite | None, registry: Registry) -> list[str]:
    """Return those of ``told.suite.replaced`` of which the suite has more than the runs together.

    What the runs have besides, such as another's method, replaces nothing.
    """
    replaced = list(told.suite.replaced)
    if suite is None:
        return replaced
    try:
        whole = _whole(make_plan(suite, registry))
    except ImpbenchError:
        # A name of it is not known here, so nobody can say whether it was run.
        return replaced
    there: dict[str, set[str] | set[int]] = {
        "datasets": {*told.datasets, *(item.dataset for item in told.skipped)},
        "protocols": set(told.protocols),
        "imputers": set(told.imputers),
        "seeds": set(told.seeds),
    }
    return [part for part in replaced if part not in whole or not whole[part] <= there[part]]


def _whole(plan: Plan) -> dict[str, set[str] | set[int]]:
    return {
        "datasets": {item.source.spec for item in plan.asked},
        "protocols": {item.protocol.spec for item in plan.asked},
        "imputers": {imputer.spec for item in plan.asked for imputer in item.imputers},
        "seeds": set(plan.seeds),
    }


def _in_order(runs: Sequence[MergeInput], records: Iterable[Record]) -> list[Record]:
    """Sort by dataset, by what was shown to the imputer, then methods, controls, who sees truth.

    Datasets, methods and questions come as the runs have them, one run after the other. A run
    stores side by side what it scored of one imputation; so it tells which questions showed the
    same.
    """
    datasets = _places(name for run in runs for name in run.manifest.datasets)
    about = {spec: run.manifest.imputer(spec) for run in runs for spec in run.manifest.imputers}
    controls = {spec for spec, told in about.items() if told.is_control}
    seeing = {spec for spec, told in about.items() if told.needs_truth}
    seen = _places(record.job.imputer for run in runs for record in run.records.values())
    views, questions = _views(runs)

    def turn(record: Record) -> tuple[int, ...]:
        job = record.job
        question = (job.dataset, job.protocol)
        return (
            datasets.get(job.dataset, len(datasets)),
            views[question],
            (job.imputer in controls) + (job.imputer in seeing),
            seen[job.imputer],
            job.seed,
            questions[question],
        )

    return sorted(records, key=turn)


def _places(names: Iterable[str]) -> dict[str, int]:
    return {name: place for place, name in enumerate(dict.fromkeys(names))}


_Question = tuple[str, str]


def _views(runs: Sequence[MergeInput]) -> tuple[Mapping[_Question, int], Mapping[_Question, int]]:
    """Return the place of what each question showed, and each question's own place."""
    views: dict[_Question, int] = {}
    questions: dict[_Question, int] = {}
    for run in runs:
        jobs = (record.job for record in run.records.values())
        for _, group in groupby(jobs, lambda job: (job.dataset, job.imputer, job.seed)):
            together = [(job.dataset, job.protocol) for job in group]
            view = next((views[item] for item in together if item in views), len(views))
            for item in together:
                views.setdefault(item, view)
                questions.setdefault(item, len(questions))
    return views, questions


def _write(
    store: Store, told: RunManifest, records: Sequence[Record]
) -> tuple[StoredRun, pd.DataFrame]:
    """Write the records before the manifest that lists them: until then, the old one holds."""
    store.write_packed(records)
    told = store.write_manifest(dataclasses.asdict(told))
    # A file of its own would count instead of what was packed.
    for record in records:
        (store.folder / "records" / f"{record.key}.json").unlink(missing_ok=True)
    with suppress(OSError):
        (store.folder / "records").rmdir()
    return StoredRun(store, told, records), store.write_results(records)


def _carry(chosen: Chosen, store: Store, pictures: bool) -> None:
    """Copy what the page shows besides records: pictures, and the whole logs of failures."""
    for record in chosen.records:
        names = [f"pictures/{record.key}.npz"] if pictures else []
        names += [f"logs/{record.key}.log"] if record.status != "ok" else []
        for name in names:
            folder = chosen.origin[record.key].folder
            if folder is None:
                continue
            source, target = folder / name, store.folder / name
            if source.is_file() and not _same(source, target):
                target.parent.mkdir(exist_ok=True)
                write_atomically(target, source.read_bytes())
