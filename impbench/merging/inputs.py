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
    """One run to take records from."""

    name: str
    """What messages call it: its path as the user wrote it."""
    label: str
    """What the page calls it: the name of its folder or file."""
    manifest: RunManifest
    records: Mapping[str, Record]
    """By key, in the manifest's order."""
    folder: Path | None = None
    """Where its pictures and logs are; None where there are none."""
    damaged: tuple[str, ...] = ()
    """Why records that are there cannot be read, a sentence each."""


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
