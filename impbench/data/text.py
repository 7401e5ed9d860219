"""Text as people and programs write it: compressed or not, in any encoding; and tables of counts.

Names are text: ``1.10`` stays ``1.10``, ``001`` stays ``001``, and ``NA`` and ``nan`` are names.
"""

from __future__ import annotations

import bz2
import contextlib
import csv
import gzip
import io
import itertools
import lzma
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar, cast

from impbench.data.names import BARCODE, like_genes
from impbench.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

T = TypeVar("T")

SEPARATORS = {"\t": "tabs", ";": "semicolons", ",": "commas", " ": "spaces"}
"""Tried in this order: the first that gives every line as many fields."""

SAMPLE = 40
"""Lines that the separator is found from."""

MISSING = ("", "NA", "NaN", "nan", "N/A", "<NA>", "null", "NULL")
"""What stands for a missing number. Among names they are names."""

_COMMENT = re.compile(r'"?[#%!]')
_DECIMAL_COMMA = re.compile(r"-?\d+(,\d+)?([eE][-+]?\d+)?")
_THOUSANDS = re.compile(r"-?[1-9]\d{0,2}(,\d{3})+")
_RAGGED = re.compile(r"Expected (\d+) fields in line (\d+), saw (\d+)")
_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?")


def read_text(path: Path, parse: Callable[[IO[str]], T], notes: list[str]) -> T:
    """Return what `parse` makes of a text file's lines.

    UTF-8, UTF-16 and, where bytes are neither, Latin-1, which is noted; compressed by gzip, bzip2
    or xz, whatever the file is called.

    Raises
    ------
    InputError
        If the file is a zip or zstd archive, or holds no text.
    EOFError, OSError, lzma.LZMAError, zlib.error
        If its compression is broken.
    """
    encoding = _encoding(path)
    try:
        with open_unpacked(path) as raw:
            return parse(io.TextIOWrapper(raw, encoding, newline=""))
    except UnicodeDecodeError:
        if encoding != "utf-8-sig":
            raise
        notes.append(f"{path.name} is no UTF-8: read as Latin-1")
    with open_unpacked(path) as raw:
        return parse(io.TextIOWrapper(raw, "latin-1", newline=""))


def read_table(path: Path, notes: list[str]) -> AnnData:
    """Read a table: a header of gene names and one row per cell, its name first.

    Separated by tabs, semicolons (then also with decimal commas), commas or spaces; the header may
    lack the first column, as R writes it, and lines of comment may go before.

    Raises
    ------
    InputError
        If the lines differ in length, a column holds text, or the file names no cells.
    """
    head = read_text(path, lambda text: list(itertools.islice(_lines(text), SAMPLE)), [])
    separator, skipped = _layout(head, path)
    if skipped:
        notes.append(f"passed over {skipped} lines of comment before the table")
    return read_text(path, lambda text: _parse(text, path, separator, skipped, notes), notes)


def read_annotation(path: Path, names: str = "") -> pd.DataFrame:
    """Read a table that says something about cells, all of it text.

    Parameters
    ----------
    names
        Column with the names of the cells; empty: the first, whose header may be missing.

    Raises
    ------
    InputError
        If the lines differ in length, or there is no such column.
    """
    import pandas as pd

    lines = read_text(path, lambda text: list(_lines(text)), [])
    separator, skipped = _layout(lines[:SAMPLE], path)
    header, *rows = (fields(line, separator) for line in lines[skipped:])
    if rows and len(header) < len(rows[0]):
        header = ["", *header]
    if any(len(row) != len(header) for row in rows) or (names and names not in header):
        raise InputError(f"{path} is no table of cells with the columns {', '.join(header)}")
    table = pd.DataFrame(rows, columns=pd.Index(header), dtype=object)
    at = header.index(names) if names else 0
    return table.set_index(pd.Index([row[at] for row in rows]))


def fields(line: str, separator: str = "\t") -> list[str]:
    """Split one line at `separator`, quotes taken off."""
    line = line.strip() if separator == " " else line.rstrip("\r\n")
    if '"' in line:
        with contextlib.suppress(csv.Error):  # a field of 128 KiB: this is no separator
            return next(csv.reader([line], delimiter=separator, skipinitialspace=separator == " "))
    return line.split(None if separator == " " else separator)


def open_unpacked(path: Path) -> IO[bytes]:
    """Open a file's bytes, unpacked where it is compressed; errors as `read_text`."""
    with path.open("rb") as file:
        start = file.read(6)
    for signature, unpack in _COMPRESSIONS.items():
        if start.startswith(signature):
            return cast(IO[bytes], unpack(path))
    for signature, (kind, cure) in _ARCHIVES.items():
        if start.startswith(signature):
            raise InputError(f"{path} holds {kind}: {cure}")
    return path.open("rb")


_COMPRESSIONS: dict[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
_ARCHIVES = {
    b"PK\x03\x04": ("a zip archive or an Excel sheet", "unpack it, or save the sheet as csv"),
    b"\x28\xb5\x2f\xfd": ("zstd, which Python cannot unpack", "unpack it with zstd -d"),
}


def _encoding(path: Path) -> str:
    with open_unpacked(path) as raw:
        start = raw.read(1 << 12)
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    even, odd = start[::2].count(0), start[1::2].count(0)
    if 3 * odd > len(start) // 2 and not even:
        return "utf-16-le"
    if 3 * even > len(start) // 2 and not odd:
        return "utf-16-be"
    if even + odd:
        raise InputError(f"{path} holds no text (it begins with {start[:16]!r})")
    return "utf-8-sig"


def _lines(text: IO[str]) -> Iterator[str]:
    return (line for line in text if line.strip())


def _layout(lines: list[str], path: Path) -> tuple[str, int]:
    """Find the separator, and how many lines of comment go before the header."""
    for separator in SEPARATORS:
        widths = [len(fields(line, separator)) for line in lines]
        skipped = 0
        while skipped < len(lines) - 1 and _COMMENT.match(lines[skipped]):
            if widths[skipped] in (widths[-1], widths[-1] - 1) and widths[-1] > 1:
                break
            skipped += 1
        header, *rows = widths[skipped:] or [0]
        width = rows[0] if rows else header
        ends_empty = bool(lines) and not fields(lines[skipped], separator)[-1]
        fits = header in (width, width - 1) or (header == width + 1 and ends_empty)
        if width > 1 and fits and set(rows) <= {width}:
            return separator, skipped
    widest = max(SEPARATORS, key=lambda key: sum(len(fields(line, key)) > 1 for line in lines))
    widths = [len(fields(line, widest)) for line in lines]
    odd = next((i for i, width in enumerate(widths[1:], 1) if width != widths[-1]), 0)
    said = (
        f"; separated by {SEPARATORS[widest]}, line {odd + 1} has {widths[odd]} fields and line "
        f"{len(widths)} has {widths[-1]}"
        if max(widths, default=0) > 1
        else ""
    )
    raise InputError(
        f"{path} holds no table of numbers: expected a header of gene names and one row per cell, "
        f"its name first, separated by tabs, commas, semicolons or spaces{said}"
    )


def _parse(text: IO[str], path: Path, separator: str, skipped: int, notes: list[str]) -> AnnData:
    import anndata
    import pandas as pd

    for _ in itertools.islice(_lines(text), skipped):
        pass
    header = fields(next(_lines(text)), separator)
    try:
        table = _numbers(text, separator, len(header))
    except pd.errors.ParserError as error:
        if not (said := _RAGGED.search(str(error))):
            raise
        line = int(said[2]) + skipped + 1
        raise InputError(
            f"{path}: line {line} has {said[3]} fields, the lines before {said[1]}; every line "
            "needs as many"
        ) from error
    if not len(table):
        raise InputError(f"{path} holds no row below its header")
    names = table[0]
    table = table.iloc[:, 1:]
    if not header[-1] and len(table.columns) and table.iloc[:, -1].isna().all():
        table = table.iloc[:, :-1]  # every line ends with a separator
    header = header[: len(table.columns) + 1]
    genes = header[len(header) - len(table.columns) :]
    first = header[0] if len(header) > len(genes) else ""
    _need_names(names, first, genes, path)
    matrix = _values(table, genes, separator, path, notes)
    return anndata.AnnData(
        X=matrix, obs=pd.DataFrame(index=pd.Index(names)), var=pd.DataFrame(index=pd.Index(genes))
    )


def _numbers(text: IO[str], separator: str, width: int) -> pd.DataFrame:
    """Rows with the name as text in column 0, numbers where all of a column are numbers."""
    import pandas as pd

    missing: Any = dict.fromkeys(range(1, width + 2), MISSING)
    try:
        return pd.read_csv(
            text,
            sep=r"\s+" if separator == " " else separator,
            header=None,
            dtype={0: str},
            keep_default_na=False,
            na_values=missing,
            low_memory=False,
        )
    except pd.errors.EmptyDataError:
        return pd.DataFrame()


def _values(
    table: pd.DataFrame, genes: list[str], separator: str, path: Path, notes: list[str]
) -> Any:
    import pandas as pd

    words = [at for at in table if not pd.api.types.is_numeric_dtype(table[at])]
    texts = [str(text) for at in words for text in pd.unique(table[at].astype(str))]
    said = [text for text in texts if text not in MISSING]
    if separator != "," and said and all(_DECIMAL_COMMA.fullmatch(text) for text in said):
        with_comma = [text for text in said if "," in text]
        if separator != ";" and with_comma and all(map(_THOUSANDS.fullmatch, with_comma)):
            raise InputError(
                f"{path} holds numbers such as {with_comma[0]!r}, whose comma may set off "
                "thousands or decimals: write them with a point, or without thousands' commas"
            )
        for at in words:
            table[at] = pd.to_numeric(table[at].astype(str).str.replace(",", "."), errors="coerce")
        if with_comma:
            notes.append(f"read a table of {SEPARATORS[separator]} with decimal commas")
        words = []
    if words:
        at = words[0]
        odd = (text for text in table[at].astype(str) if not _NUMBER.fullmatch(text))
        value = next(odd, texts[0])
        raise InputError(
            f"{path}: column {genes[table.columns.get_loc(at)]!r} holds text (such as "
            f"{value!r}); a table may hold counts only: store annotation as obs of an h5ad file"
        )
    return table.to_numpy()


def _need_names(names: pd.Series, first: str, genes: list[str], path: Path) -> None:
    """Refuse numbers where names should be: they are counts that would be lost."""
    counted = bool(genes) and all(map(_NUMBER.fullmatch, genes))
    if counted and (len(set(genes)) < len(genes) or _alike(first, names[0])):
        raise InputError(
            f"{path}: its first line holds numbers, no gene names; write the names of the genes "
            "above their columns"
        )
    counted = all(map(_NUMBER.fullmatch, names))
    if counted and (not names.is_unique or like_genes([first]) or _alike(first, genes[0])):
        raise InputError(
            f"{path}: its first column ({first!r}) holds numbers that look like counts, no cell "
            "names; write one row per cell, its name first"
        )


def _alike(first: str, second: str) -> bool:
    """Whether two names differ in their digits alone, or are both barcodes."""
    bare = [re.sub(r"\d+", "", name) for name in (first, second)]
    barcodes = BARCODE.fullmatch(first) and BARCODE.fullmatch(second)
    return bool(first) and (bare[0] == bare[1] or bool(barcodes))
