"""Names of cells and genes: there, unique, and along the side they belong to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from impbench.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

ENSEMBL = re.compile(r"ENS[A-Z]{0,4}G\d{6,}")
BARCODE = re.compile(r"[ACGT]{8,}([-_.]\w+)?")
EXPRESSED_EVERYWHERE = frozenset(
    ["ACTB", "B2M", "EEF1A1", "FTH1", "GAPDH", "MALAT1", "PPIA", "RPLP0", "TMSB4X", "TPT1", "UBC"]
)
"""Symbols of genes that nearly every file of human or mouse cells holds."""

CELL_COLUMNS = (
    *("cellid", "obs_names", "_index", "barcode", "barcodes", "cell_barcode", "cell_id", "cell"),
    *("cell_name", "cell_names", "cells", "index", "unnamed: 0", "rownames"),
)
"""Columns that hold the names of cells where the names themselves were lost, the best first."""

GENE_COLUMNS = (
    *("gene", "var_names", "_index", "gene_name", "gene_names", "gene_symbol", "gene_symbols"),
    *("symbol", "feature_name", "genes", "accession", "gene_id", "gene_ids", "ensembl_id"),
    *("ensembl", "feature_id", "index", "unnamed: 0", "rownames"),
)
"""The same for genes."""


def find_lost_names(data: AnnData, where: str) -> list[str]:
    """Give cells and genes that are called 0, 1, 2, … the names that a column still holds.

    Returns
    -------
    What was done, or that there are no names, as sentences; nothing where names are names.
    """
    notes = []
    for side, frame, columns, what in (
        ("obs", data.obs, CELL_COLUMNS, "cells"),
        ("var", data.var, GENE_COLUMNS, "genes"),
    ):
        if not is_numbered(frame.index):
            continue
        column = naming_column(frame, columns)
        if column is None:
            notes.append(f"{where} names no {what}; they are called 0, 1, 2, …")
            continue
        setattr(data, f"{side}_names", frame[column].astype(str).to_list())
        notes.append(f"{what} are named by {side}[{column!r}], since the file calls them 0, 1, 2")
    return notes


def naming_column(frame: pd.DataFrame, columns: Sequence[str]) -> str | None:
    """Return the column whose text names every row differently.

    The first of `columns`, in any case; else the only such column of all, since a library puts
    the names into a column called after the index.
    """
    naming = {str(key).lower(): str(key) for key in frame.columns if _names_all(frame[key])}
    known = [naming[name] for name in columns if name in naming]
    if known or len(naming) == 1:
        return [*known, *naming.values()][0]
    return None


def _names_all(values: pd.Series) -> bool:
    texts = {value.strip() for value in values if isinstance(value, str)} - {""}
    return len(texts) == len(values) > 0


def is_numbered(names: Sequence[str] | pd.Index) -> bool:
    """Whether the names are 0, 1, 2, …, which libraries give where there are none."""
    return len(names) > 0 and all(str(name) == str(i) for i, name in enumerate(names))


def check_names(names: Sequence[str], what: str, cure: str) -> None:
    """Refuse missing and repeated names.

    Parameters
    ----------
    names
        Of all cells or all genes.
    what
        How one is called in the message, such as ``my.h5ad: gene name``.
    cure
        How to make repeated names unique.

    Raises
    ------
    InputError
        Names the first that is missing or repeated.
    """
    import pandas as pd

    blank = [i for i, name in enumerate(names) if not name.strip()]
    if blank:
        raise InputError(f"{what} {blank[0]} is missing ({len(blank)} in all); every one needs one")
    index = pd.Index(names)
    if not index.is_unique:
        repeated = index[index.duplicated()].unique()
        raise InputError(
            f"{what}s repeat: {repeated[0]!r} stands for more than one ({len(repeated)} such "
            f"names); make them unique, such as with {cure}"
        )


def check_orientation(cells: Sequence[str], genes: Sequence[str], where: str) -> None:
    """Refuse genes × cells where the names give it away; sizes alone prove nothing.

    Raises
    ------
    InputError
        If more rows than columns are named like genes, or most columns like cell barcodes.
    """
    rows, columns = like_genes(cells), like_genes(genes)
    barcodes = sum(bool(BARCODE.fullmatch(name)) for name in genes)
    if len(rows) > max(len(columns), 1):
        sign = f"{len(rows)} of its {len(cells)} rows are named like genes (such as {rows[0]!r})"
    elif 2 * barcodes > len(genes):
        sign = f"{barcodes} of its {len(genes)} columns are named like cell barcodes"
    else:
        return
    raise InputError(
        f"{where} looks like genes × cells: {sign}; impbench needs cells × genes: turn it with "
        "--transpose (or leave --transpose out, if you gave it)"
    )


def like_genes(names: Sequence[str]) -> list[str]:
    """Return those of `names` that are called as genes are."""
    return [name for name in names if name.upper() in EXPRESSED_EVERYWHERE or ENSEMBL.match(name)]
