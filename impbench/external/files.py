"""Pass data to a program and back: one h5ad file, or CSV for languages without HDF5."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from impbench.context import Context
from impbench.errors import InputError
from impbench.gives import only_embedding
from impbench.imputer import Imputed, Observed, Part, Scale

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd


class Conversation(Protocol):
    """How a program wants its files, and what it is called in messages."""

    name: ClassVar[str]
    format: ClassVar[Literal["h5ad", "csv"]]
    """Of both files."""
    input_scale: ClassVar[Scale]
    """What the program asks for beside counts."""
    output_scale: ClassVar[Scale | None]
    """Of what it writes; None for an embedding."""
    gives: ClassVar[tuple[Part, ...]]


def write_input(folder: Path, observed: Observed, imputer: Conversation, context: Context) -> Path:
    """Write what the program may see.

    Returns
    -------
    For h5ad the file: counts in ``X``, log values in ``layers["lognorm"]``, ``obs`` with
    ``size_factor`` and perhaps ``batch``, ``uns`` with ``seed``, ``threads`` and perhaps
    ``n_groups``. For CSV a folder: ``counts.csv`` (a row per cell, a column per gene, names first),
    the same as ``lognorm.csv`` where the manifest's input_scale asks for it, and ``cells.csv``
    (cell, size_factor and perhaps batch).
    """
    import pandas as pd

    cells = pd.DataFrame(
        {"size_factor": observed.size_factors}, index=pd.Index(observed.cell_names, name="cell")
    )
    if observed.batch is not None:
        cells["batch"] = observed.batch.astype(object)
    if imputer.format == "csv":
        return _write_csv(folder / "input", observed, cells, imputer.input_scale == "lognorm")
    import anndata

    facts: dict[str, Any] = {"seed": context.seed, "threads": context.threads}
    if observed.n_groups is not None:
        facts["n_groups"] = observed.n_groups
    adata = anndata.AnnData(
        X=observed.counts,
        obs=cells,
        var=pd.DataFrame(index=pd.Index(observed.gene_names, name="gene")),
        layers={"lognorm": observed.lognorm},
        uns=facts,
    )
    path = folder / "input.h5ad"
    adata.write_h5ad(path)
    return path


def _write_csv(folder: Path, observed: Observed, cells: pd.DataFrame, lognorm: bool) -> Path:
    import pandas as pd

    folder.mkdir()
    tables = {"counts": observed.dense_counts}
    if lognorm:
        tables["lognorm"] = observed.lognorm
    for name, values in tables.items():
        table = pd.DataFrame(values, index=cells.index, columns=list(observed.gene_names))
        table.to_csv(folder / f"{name}.csv")
    cells.to_csv(folder / "cells.csv")
    return folder


def read_output(path: Path, observed: Observed, imputer: Conversation) -> Imputed:
    """Read and check what the program wrote.

    For h5ad the values are in ``X``, with ``layers["std"]`` and ``obsm["embedding"]`` if there; a
    CSV is like ``counts.csv``. Cells and genes must be those of the input, in the same order. Of a
    program that gives only an embedding, ``obsm["embedding"]`` alone is read, or a CSV with one
    column for each dimension.

    Raises
    ------
    InputError
        If the file is missing, cannot be read, or holds other cells, genes or kinds of values.
    """
    if not path.is_file():
        raise InputError(f"{imputer.name}: the program ended well, but wrote no {path.name}")
    try:
        found = _read_csv(path) if imputer.format == "csv" else _read_h5ad(path)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise InputError(
            f"{imputer.name}: {path.name} cannot be read as {imputer.format}: {reason}"
        ) from error
    cells, genes, values, std, embedding = found
    _same_names(imputer.name, path, "cell", cells, observed.cell_names)
    if only_embedding(imputer.gives):
        coordinates = values if imputer.format == "csv" else embedding
        if coordinates is None:
            raise InputError(f"{imputer.name}: {path.name} holds no obsm['embedding']")
        return Imputed(embedding=_numbers(imputer.name, path, coordinates))
    if values is None:
        raise InputError(f"{imputer.name}: {path.name} cannot be read as h5ad: X is empty")
    _same_names(imputer.name, path, "gene", genes, observed.gene_names)
    return Imputed(
        _numbers(imputer.name, path, values),
        imputer.output_scale,
        std=None if std is None else _numbers(imputer.name, path, std),
        embedding=embedding,
    )


_Found = tuple["Sequence[str]", "Sequence[str]", Any, Any, Any]


def _read_h5ad(path: Path) -> _Found:
    import anndata

    adata = anndata.read_h5ad(path)
    std, embedding = adata.layers.get("std"), adata.obsm.get("embedding")
    return list(adata.obs_names), list(adata.var_names), adata.X, std, embedding


def _read_csv(path: Path) -> _Found:
    import pandas as pd

    with path.open(encoding="utf-8", newline="") as file:
        genes = next(csv.reader(file), [])[1:]
    # Missing values are looked for in the numbers only: a cell may be called "NA".
    missing: Any = {column: ["NA", "NaN", "nan"] for column in range(1, len(genes) + 1)}
    table = pd.read_csv(
        path,
        header=None,
        skiprows=1,
        dtype={0: str},
        keep_default_na=False,
        na_values=missing,
        low_memory=False,
    )
    return table[0].tolist(), genes, table.drop(columns=0).to_numpy(), None, None


def _same_names(
    imputer: str, path: Path, what: str, found: Sequence[str], expected: Sequence[str]
) -> None:
    if len(found) != len(expected):
        raise InputError(
            f"{imputer}: {path.name} holds {len(found)} {what}s, expected {len(expected)}"
        )
    for i, (name, right) in enumerate(zip(found, expected, strict=True)):
        if name != right:
            raise InputError(
                f"{imputer}: {what} {i + 1} of {path.name} is {name!r}, expected {right!r}; keep "
                f"the {what}s and their order"
            )


def _numbers(imputer: str, path: Path, values: Any) -> NDArray[Any]:
    array = values.toarray() if hasattr(values, "toarray") else np.asarray(values)
    if array.dtype.kind not in "fiu":
        raise InputError(f"{imputer}: {path.name} holds {array.dtype} values, expected numbers")
    return array.astype(np.float32)
