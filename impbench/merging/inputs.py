"""Read the runs that are to be put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from impbench.results.manifest import RunManifest
from impbench.results.record import Record
from impbench.results.store import Store


@dataclass(frozen=True)
class MergeInput:
    """One run to take records from.

    Attributes
    ----------
    name
        What messages call it: its path as the user wrote it.
    label
        What the page calls it: the name of its folder or file.
    folder
        Where its pictures and logs are; None where there are none.
    records
        By key, in the manifest's order.
    damaged
        Why records that are there cannot be read, a sentence each.
    """

    name: str
    label: str
    manifest: RunManifest
    records: Mapping[str, Record]
    folder: Path | None = None
    damaged: tuple[str, ...] = ()


def read_input(path: Path) -> MergeInput:
    """Read a run's folder.

    Raises
    ------
    InputError
        If it holds no run, or its manifest or ``records.parquet`` cannot be read.
    SchemaError
        If a record has another schema.
    """
    store = Store.open(path)
    manifest = store.manifest()
    records, damaged = store.readable(manifest.keys)
    return MergeInput(str(path), path.resolve().name, manifest, records, path, tuple(damaged))
