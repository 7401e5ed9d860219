"""Keep a run's folder on disk: records, pictures, logs and the manifest, never half-written.

::

    reports/x/
        manifest.json       what was run, on what, under which conventions
        run.log             when runs began and ended here, and what they noticed
        records/KEY.json    one `Record` per job
        records.parquet     the records of a folder that `impbench merge` wrote; a file of the
                            same job in records/ counts instead
        pictures/KEY.npz    small samples for the figures, one per job (first seed only)
        logs/KEY.log        everything the worker printed
        results.parquet     the tidy table
        report.html, figures/, tables/
"""

from __future__ import annotations

import fcntl
import io
import json
import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from impbench.errors import InputError
from impbench.results.manifest import RunManifest
from impbench.results.packed import PACKED, PackError, pack, unpack
from impbench.results.record import Record, SchemaError
from impbench.results.table import storable, tidy
from impbench.write_atomically import PARTIAL, write_atomically


@dataclass(frozen=True)
class Store:
    """The folder of one run."""

    folder: Path

    @classmethod
    def create(cls, folder: Path, parts: Sequence[str] = ("records", "pictures", "logs")) -> Store:
        """Make the folder with these folders in it, or reuse it.

        Raises
        ------
        InputError
            If it cannot be written to.
        """
        store = cls(folder)
        try:
            for name in ("", *parts):
                (folder / name).mkdir(parents=True, exist_ok=True)
            write_atomically(folder / ".writable", b"")
            (folder / ".writable").unlink()
        except OSError as error:
            raise InputError(
                f"cannot write to the output folder {folder}: {error.strerror or error}; "
                "choose another with --out"
            ) from error
        return store

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs out of the folder; the system lifts the lock when we die.

        Whatever a killed run left half-written is removed first.

        Raises
        ------
        InputError
            If another run holds it; says which process.
        """
        with (self.folder / ".lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                file.seek(0)
                who = file.read(100).strip() or "unknown"
                raise InputError(
                    f"another impbench run (process {who}) is writing to {self.folder}; this one "
                    "ends here: wait for the other, or choose another folder with --out"
                ) from error
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            for partial in self.folder.rglob(f".*{PARTIAL}"):
                partial.unlink(missing_ok=True)
            yield

    def note(self, text: str) -> None:
        """Add a line to ``run.log``, with the time."""
        line = f"{datetime.now(UTC).isoformat(timespec='seconds')}  {text}\n"
        with (self.folder / "run.log").open(
            "a", encoding="utf-8", errors="backslashreplace"
        ) as log:
            log.write(line)

    @classmethod
    def open(cls, folder: Path) -> Store:
        """Open an existing run.

        Raises
        ------
        InputError
            If `folder` does not hold one.
        """
        if not (folder / "manifest.json").is_file():
            raise InputError(
                f"{folder} holds no impbench run (manifest.json is missing); "
                "give the folder that `impbench run --out` wrote"
            )
        return cls(folder)

    def write_manifest(self, manifest: Mapping[str, Any]) -> RunManifest:
        """Store what was run (see `impbench.runner.describe_run`) and return it as it is read.

        Raises
        ------
        InputError
            If it could not be read again.
        """
        data = json.dumps(manifest, indent=1, default=str).encode()
        path = self.folder / "manifest.json"
        told = RunManifest.from_json(data, str(path))
        write_atomically(path, data)
        return told

    def manifest(self) -> RunManifest:
        """Return what was run.

        Raises
        ------
        InputError
            If the file is missing, or not as `RunManifest` says; names the place.
        """
        path = self.folder / "manifest.json"
        try:
            data = path.read_bytes()
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error}") from error
        return RunManifest.from_json(data, str(path))

    def write_record(self, record: Record) -> Record:
        """Store a record; a kill at any instant leaves the old file or the new one, never half.

        Returns
        -------
        What whoever reads the file gets: a failure that says so where nobody could read `record`.
        """
        try:
            data = record.to_json().encode()
            stored = Record.from_json(data)
        except (ValueError, TypeError, RecursionError) as error:
            stored = record.unstorable(str(error))
            data = stored.to_json().encode()
        write_atomically(self.folder / "records" / f"{record.key}.json", data)
        return stored

    def record(self, key: str) -> Record | None:
        """Return the record stored under `key`, or None where there is none that can be read.

        Raises
        ------
        PackError
            If ``records.parquet`` is there and cannot be read.
        """
        try:
            return self._read(key)
        except PackError:
            raise
        except InputError:
            return None

    def readable(self, keys: Iterable[str]) -> tuple[dict[str, Record], list[str]]:
        """Read the records that there are under `keys`.

        Returns
        -------
        Records by key, and why others that are there cannot be read, one sentence each.

        Raises
        ------
        SchemaError
            If a record has another schema; says how to bring the folder up to date.
        PackError
            If ``records.parquet`` is there and cannot be read.
        """
        records, reasons = {}, []
        for key in keys:
            try:
                if record := self._read(key):
                    records[key] = record
            except (SchemaError, PackError):
                raise
            except InputError as error:
                reasons.append(str(error))
        return records, reasons

    def n_others(self, keys: Iterable[str]) -> int:
        """Return how many records lie here under other keys than these."""
        there = {path.stem for path in (self.folder / "records").glob("*.json")}
        return len((there | {*self._packed}) - {*keys})

    def _read(self, key: str) -> Record | None:
        """Return a record, None where there is no file; `InputError` where it is damaged."""
        path = self.folder / "records" / f"{key}.json"
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            packed = self._packed.get(key)
            if packed is None:
                return None
            data, path = packed, self.folder / PACKED / key
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error}") from error
        record = Record.from_json(data, str(path))
        if record.key != key:
            raise InputError(f"{path} holds the record of another job ({record.key[:60]!r})")
        return record

    @cached_property
    def _packed(self) -> Mapping[str, bytes]:
        """The packed records as they are in the file, read when a job has no file of its own."""
        return unpack(self.folder / PACKED)

    def write_packed(self, records: Iterable[Record]) -> None:
        """Store these records, and no others, in ``records.parquet``.

        Raises
        ------
        InputError
            If it cannot be written; an older file is as it was before.
        """
        write_atomically(self.folder / PACKED, pack(records))
        vars(self).pop("_packed", None)

    def read(self) -> StoredRun:
        """Read the manifest and the records that it lists, without unreadable ones.

        Errors as `manifest` and `record`.
        """
        manifest = self.manifest()
        found = map(self.record, manifest.keys)
        return StoredRun(self, manifest, [record for record in found if record is not None])

    def picture(self, key: str) -> dict[str, NDArray[Any]] | None:
        """Return the picture stored under `key`, or None."""
        path = self.folder / "pictures" / f"{key}.npz"
        try:
            with np.load(path, allow_pickle=False) as arrays:
                return dict(arrays)
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            return None

    def write_results(self, records: Iterable[Record]) -> pd.DataFrame:
        """Consolidate records to ``results.parquet``; return the table, see `tidy`."""
        table = tidy(records)
        for column in table.columns.difference(["seed", "value"]):
            table[column] = storable(table[column])
        buffer = io.BytesIO()
        table.to_parquet(buffer, index=False)
        write_atomically(self.folder / "results.parquet", buffer.getvalue())
        return table


@dataclass(frozen=True)
class StoredRun:
    """A run as it was stored, read once: whatever shows or judges it starts from here."""

    store: Store
    """Its folder, for pictures and for what is written beside them."""
    manifest: RunManifest
    records: Sequence[Record]
    """In the manifest's order; of some jobs there may be none."""
