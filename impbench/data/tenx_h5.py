"""Output of 10x's Cell Ranger as HDF5, of versions 2 and 3, and what CellBender makes of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from impbench.data.hdf5 import check_sparse, texts
from impbench.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData

EXPRESSION = "Gene Expression"
"""10x's name for the features that are genes."""

OTHERS = frozenset(
    [
        *("Antibody Capture", "Antigen Capture", "CRISPR Guide Capture", "Custom"),
        *("Multiplexing Capture", "Peaks"),
    ]
)
"""10x's names for the others."""

_PARTS = {"barcodes", "data", "indices", "indptr", "shape"}


def is_10x(file: Any) -> bool:
    """Whether an open HDF5 file has a matrix as Cell Ranger lays it out."""
    return bool(_groups(file))


def read_10x_h5(path: Path, part: str, notes: list[str]) -> AnnData:
    """Read the genes of a 10x file; other features are left out, which is noted.

    Parameters
    ----------
    part
        The genome, for a file of version 2 that holds several; empty for all others.

    Returns
    -------
    AnnData: `X` counts, CSR; `var` with ``gene_ids``, named by symbol, or by identifier where
    symbols repeat.

    Raises
    ------
    InputError
        If there are several genomes and none is named, or no gene, or indices that point outside
        the matrix.
    """
    import h5py

    with h5py.File(path, "r") as file:
        groups = _groups(file)
        if part and part not in groups:
            raise InputError(f"{path} holds no genome {part!r}; it holds {', '.join(groups)}")
        if len(groups) > 1 and not part:
            raise InputError(
                f"{path} holds {len(groups)} genomes ({', '.join(groups)}), each a matrix of its "
                f"own; name one behind the file: {path}/{next(iter(groups))}"
            )
        group = groups[part] if part else next(iter(groups.values()))
        parts = [np.asarray(group[part]) for part in ("data", "indices", "indptr")]
        n_genes, n_cells = (int(length) for length in group["shape"])
        # Columns of genes × cells are rows of cells × genes.
        matrix = sp.csr_matrix(tuple(parts), shape=(n_cells, n_genes))
        check_sparse(matrix, f"{group.name.strip('/')} of {path}")
        names = names_in(group)
    return with_genes(matrix, *names, str(path), notes)


def names_in(group: Any) -> tuple[list[str], list[str], list[str], list[str]]:
    """Return names of cells, identifiers and symbols of features, and their kinds where told."""
    features = group.get("features", group)
    ids = texts(features["id" if "id" in features else "genes"])
    symbols = texts(features["name" if "name" in features else "gene_names"])
    kinds = texts(features["feature_type"]) if "feature_type" in features else []
    return texts(group["barcodes"]), ids, symbols, kinds


def with_genes(
    counts: sp.csr_matrix,
    cells: list[str],
    ids: list[str],
    symbols: list[str],
    kinds: list[str],
    where: str,
    notes: list[str],
) -> AnnData:
    """Put 10x's parts together, cells × features, and keep the features that are genes."""
    import anndata
    import pandas as pd

    frame = pd.DataFrame({"gene_ids": ids, "gene_symbols": symbols}, index=pd.Index(symbols))
    data = anndata.AnnData(counts, pd.DataFrame(index=pd.Index(cells)), frame)
    others = sorted({kind for kind in kinds if kind != EXPRESSION})
    genes = np.array([kind == EXPRESSION for kind in kinds], dtype=bool)
    if genes.any() and others:
        notes.append(f"left out {int((~genes).sum())} features that are {', '.join(others)}")
        data = data[:, genes].copy()
    elif others and {*others} <= OTHERS:
        raise InputError(f"{where} holds {', '.join(others)} and no {EXPRESSION}")
    if not data.var_names.is_unique:
        # Symbols repeat in 10x output; identifiers do not.
        data.var_names = data.var["gene_ids"].astype(str)
    return data


def _groups(file: Any) -> dict[str, Any]:
    import h5py

    groups = {name: item for name, item in file.items() if isinstance(item, h5py.Group)}
    return {name: group for name, group in groups.items() if {*group} >= _PARTS}
