"""Put runs together into one folder: one file of records, one manifest, one table."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from impbench.errors import InputError
from impbench.merging.agree import check_agreement
from impbench.merging.conflicts import Chosen, Prefer, choose
from impbench.merging.inputs import MergeInput
from impbench.merging.order import in_order
from impbench.merging.suite_parts import still_replaced, suite_of
from impbench.merging.union import unite
from impbench.plan.suite import Suite
from impbench.registry import Registry
from impbench.results.manifest import RunManifest
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
        What the runs are slices of; None looks it up by the name that they give.
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
    records = in_order(runs, chosen.records)
    missing = _missing(runs, records)
    keys = [*(record.key for record in records), *missing]
    known = suite or suite_of(runs[0].manifest, registry)
    lacking = partial(still_replaced, suite=known, registry=registry)
    told = unite(runs, keys, not missing, lacking, command)
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
    return [
        key
        for key in dict.fromkeys(k for run in runs for k in run.manifest.keys)
        if key not in there
    ]


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
