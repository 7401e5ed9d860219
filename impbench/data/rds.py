"""SingleCellExperiment files of R (``.rds``), read without R through rds2py."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from impbench.errors import InputError, UnavailableError

if TYPE_CHECKING:
    from anndata import AnnData

ASSAYS = ("counts", "normcounts")
"""Assays on a linear scale, the better first; SingleCellExperiment's own names."""


def read_rds(path: Path, notes: list[str]) -> AnnData:
    """Read a SingleCellExperiment.

    Returns
    -------
    AnnData: `X` the assay ``counts``, or ``normcounts`` where there is none (cells × genes, its
    name in ``uns["assay"]``); `obs` the colData.

    Raises
    ------
    UnavailableError
        If rds2py is not installed.
    InputError
        If the file cannot be parsed, or holds another object or neither assay.
    """
    import anndata

    try:
        from rds2py import parse_rds
    except ImportError as error:
        raise UnavailableError(
            f"reading {path} needs rds2py, which is not installed: pip install rds2py"
        ) from error
    _need_whole_gzip(path)
    try:
        robject = parse_rds(str(path))
    except Exception as error:  # the parser raises whatever the damage leads to
        raise InputError(f"{path} cannot be read as rds: {error}") from error
    if robject.get("class_name") != "SingleCellExperiment":
        raise InputError(
            f"{path} holds an R object of class {robject.get('class_name')}; expected a "
            "SingleCellExperiment (an SCESet of old scater must be converted in R first)"
        )
    try:
        assays = _assays(robject)
        cells = _data_frame(_slot(robject, "colData"))
        genes = _gene_names(robject)
    except (KeyError, TypeError, IndexError) as error:
        raise InputError(
            f"{path}: this SingleCellExperiment is laid out in a way impbench does not know "
            f"({error!r}); convert it in R, for example with zellkonverter::writeH5AD"
        ) from error
    name = next((name for name in ASSAYS if name in assays), None)
    if name is None:
        raise InputError(f"{path} has the assays {', '.join(assays)}; expected one of {ASSAYS}")
    return anndata.AnnData(
        X=assays[name].T, obs=cells, var=pd.DataFrame(index=genes), uns={"assay": name}
    )


def _need_whole_gzip(path: Path) -> None:
    """Read a compressed file through once, since the parser never returns from a truncated one."""
    with path.open("rb") as file:
        if file.read(2) != b"\x1f\x8b":
            return
    try:
        with gzip.open(path) as unpacked:
            while unpacked.read(1 << 20):
                pass
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(
            f"{path} cannot be read as rds: {error}; it is truncated or damaged: fetch it again"
        ) from error


def _slot(robject: dict[str, Any], *names: str) -> Any:
    for name in names:
        robject = robject["attributes"][name]
    return robject


def _named(robject: dict[str, Any]) -> dict[str, Any]:
    return dict(zip(_slot(robject, "names")["data"], robject["data"], strict=True))


def _assays(robject: dict[str, Any]) -> dict[str, Any]:
    """Every assay by name, genes × cells, as R keeps it."""
    listed = _named(_slot(robject, "assays", "data", "listData"))
    return {name: _matrix(assay) for name, assay in listed.items()}


def _matrix(robject: dict[str, Any]) -> Any:
    if robject["class_name"] == "dgCMatrix":
        x, i, p, dim = (np.asarray(_slot(robject, key)["data"]) for key in ("x", "i", "p", "Dim"))
        return sp.csc_matrix((x, i, p), shape=tuple(dim))
    shape = tuple(_slot(robject, "dim")["data"])
    return np.asarray(robject["data"]).reshape(shape, order="F")


def _gene_names(robject: dict[str, Any]) -> list[str]:
    """Row names: of the ranges where the object has ranges, else of the object itself."""
    own = _slot(robject, "NAMES")
    if own["type"] == "null":
        own = _slot(robject, "rowRanges", "partitioning", "NAMES")
    return [str(name) for name in own["data"]]


def _data_frame(robject: dict[str, Any]) -> pd.DataFrame:
    columns = _named(_slot(robject, "listData"))
    index = [str(name) for name in _slot(robject, "rownames")["data"]]
    values = {key: _column(value) for key, value in columns.items() if "data" in value}
    return pd.DataFrame(values, index=index)


def _column(robject: dict[str, Any]) -> Any:
    attributes = robject.get("attributes", {})
    if "levels" not in attributes:
        return list(robject["data"])
    levels = attributes["levels"]["data"]
    # R counts levels from 1; a missing value is the smallest integer.
    return [levels[code - 1] if code > 0 else None for code in robject["data"]]
