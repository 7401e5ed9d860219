"""Names of cells and genes: there, unique, and along the side they belong to."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

from impbench.errors import InputError

ENSEMBL = re.compile(r"ENS[A-Z]{0,4}G\d{6,}")
BARCODE = re.compile(r"[ACGT]{8,}([-_.]\w+)?")
EXPRESSED_EVERYWHERE = frozenset(
    ["ACTB", "B2M", "EEF1A1", "FTH1", "GAPDH", "MALAT1", "PPIA", "RPLP0", "TMSB4X", "TPT1", "UBC"]
)
"""Symbols of genes that nearly every file of human or mouse cells holds."""


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
    blank = [i for i, name in enumerate(names) if not name.strip() or name == "nan"]
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
    rows, columns = _like_genes(cells), _like_genes(genes)
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


def _like_genes(names: Sequence[str]) -> list[str]:
    return [name for name in names if name.upper() in EXPRESSED_EVERYWHERE or ENSEMBL.match(name)]
