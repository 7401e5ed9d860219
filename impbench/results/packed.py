"""Keep many records in one file, ``records.parquet``: small to publish, whole enough to resume.

One row a record. ``record`` is its JSON as ``records/KEY.json`` would hold it; the other columns
say the same for whoever opens the file in pandas.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from impbench.errors import InputError
from impbench.results.record import Record
from impbench.results.table import storable

PACKED = "records.parquet"
"""Its name in a run's folder."""

COLUMNS = ("key", "dataset", "protocol", "imputer", "seed", "status", "record")

_REMEDY = (
    "restore it from where it was published; or delete it, and `impbench run` with this folder as "
    "--out computes what it held again"
)


class PackError(InputError):
    """A file of packed records cannot be read; nobody may take it for an empty one."""


def pack(records: Iterable[Record]) -> bytes:
    """Return the records as one Parquet file, in their order."""
    rows = []
    for record in records:
        rows.append((record.key, *record.job.cell, record.status, record.to_json()))
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype({"seed": "int64"})
    for name in ("dataset", "protocol", "imputer"):
        table[name] = storable(table[name])
    buffer = io.BytesIO()
    # With checksums no changed byte gives another score.
    table.to_parquet(
        buffer, index=False, compression="zstd", compression_level=9, write_page_checksum=True
    )
    return buffer.getvalue()


def unpack(path: Path) -> Mapping[str, bytes]:
    """Return key → JSON of every record in the file; nothing where there is no file.

    Raises
    ------
    PackError
        If it cannot be read, or is not as `pack` writes it; names the file.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise PackError(f"{path} cannot be read: {error.strerror or error}") from error
    try:
        keys, texts = _columns(data)
    except (ValueError, TypeError, KeyError, OSError, MemoryError, OverflowError) as error:
        why = " ".join(str(error).split())[:200] or type(error).__name__
        raise PackError(
            f"{path} holds no packed records that can be read ({why}); {_REMEDY}"
        ) from (error)
    found = dict(zip(keys, texts, strict=True))
    if len(found) < len(keys):
        twice = next(key for key in found if keys.count(key) > 1)
        raise PackError(f"{path} holds two records under the key {twice[:60]!r}; {_REMEDY}")
    return found


def _columns(data: bytes) -> tuple[list[str], list[bytes]]:
    # Imported late: most folders hold no such file.
    import pyarrow
    import pyarrow.parquet

    wanted = ["key", "record"]
    try:
        file = pyarrow.parquet.ParquetFile(
            pyarrow.BufferReader(data), page_checksum_verification=True
        )
        if lacking := [name for name in wanted if name not in file.schema_arrow.names]:
            raise ValueError(f"it has no column {' and no column '.join(lacking)}")
        # A key alone takes more than a byte, however it is packed.
        if not 0 <= file.metadata.num_rows <= len(data):
            raise ValueError(f"it claims {file.metadata.num_rows} rows in {len(data)} bytes")
        # No threads: figures are drawn in forks of this process.
        table = file.read(columns=wanted, use_threads=False)
        table.validate(full=True)
    except (pyarrow.ArrowException, NotImplementedError) as error:
        raise ValueError(str(error)) from error
    text = (pyarrow.string(), pyarrow.large_string())
    for name in wanted:
        column = table.column(name)
        if column.type not in text or column.null_count:
            raise ValueError(f"its column {name} is not all text")
    keys, texts = (table.column(name).to_pylist() for name in wanted)
    return keys, [text.encode() for text in texts]
