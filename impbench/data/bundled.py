"""The real data set that is always at hand: 700 PBMC that scanpy carries inside its package.

Its counts are stored as ln(1 + 10⁴ · count / n_counts), rounded to three decimals; here they are
turned back into the integers they came from.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from impbench.data.dataset import Dataset
from impbench.errors import InputError, UnavailableError

TARGET = 1e4
"""Every cell was scaled to this total before the log."""

PRECISION = 5.5e-4
"""Half a unit of the third decimal the stored logs were rounded to, and room for float32."""


def read_pbmc68k_reduced() -> Dataset:
    """Read scanpy's `pbmc68k_reduced`: 700 cells × 765 genes, 10 cell types, no network.

    Returns
    -------
    Dataset named ``pbmc68k-reduced``: integer counts (CSR, float32); library sizes over all genes
    of the cell (`obs["n_counts"]`), not only over these 765; labels from `obs["bulk_labels"]`.

    Raises
    ------
    UnavailableError
        If this version of scanpy does not carry the file.
    InputError
        If the file is laid out otherwise, or a stored value is not the log of an integer count.
    """
    path = pbmc68k_path()
    try:
        stored = _as_it_lies(path)
    except (KeyError, ValueError, IndexError):
        stored = _through_anndata(path)
    return Dataset(
        name="pbmc68k-reduced",
        counts=recover_counts(stored.logs, stored.totals, str(path)),
        gene_names=stored.genes,
        cell_names=stored.cells,
        library_size=stored.totals,
        labels=stored.labels,
        steps=(
            "integer counts recovered from the stored logs: "
            "round(expm1(raw) * n_counts / 10000), every residual within the stored precision",
            "library sizes are the stored n_counts, over all genes of the cell",
        ),
    )


class _Stored(NamedTuple):
    logs: sp.csr_matrix
    cells: tuple[str, ...]
    genes: tuple[str, ...]
    labels: NDArray[np.str_]
    totals: NDArray[np.float64]


def _as_it_lies(path: Path) -> _Stored:
    """Read the file as scanpy has carried it since 2018.

    anndata, which reads it too, takes longer to import than all that a first run prepares.
    """
    import h5py

    with h5py.File(path) as file:
        group, shape = file["raw.X"], file["raw.X"].attrs["h5sparse_shape"]
        parts = tuple(group[name][:] for name in ("data", "indices", "indptr"))
        cells, genes = file["obs"][:], file["raw.var"]["index"]
        types = file["uns/bulk_labels_categories"][:].astype(np.str_)
    return _Stored(
        sp.csr_matrix(parts, shape=tuple(shape)),
        tuple(cells["index"].astype(str).tolist()),
        tuple(genes.astype(str).tolist()),
        types[cells["bulk_labels"]],
        cells["n_counts"].astype(np.float64),
    )


def _through_anndata(path: Path) -> _Stored:
    """Read the file as a later scanpy may have written it anew."""
    import anndata

    data = anndata.read_h5ad(path)
    try:
        return _Stored(
            sp.csr_matrix(data.raw.X),
            tuple(data.obs_names.astype(str)),
            tuple(data.raw.var_names.astype(str)),
            data.obs["bulk_labels"].to_numpy().astype(np.str_),
            data.obs["n_counts"].to_numpy(dtype=np.float64),
        )
    except (KeyError, AttributeError) as error:
        raise InputError(
            f"{path} is not laid out as expected ({error}); this is not the file that impbench "
            "knows: reinstall scanpy"
        ) from error


def pbmc68k_path() -> Path:
    """Return the path of the file inside scanpy's package, without importing scanpy.

    Raises
    ------
    UnavailableError
        If it is not there.
    """
    spec = importlib.util.find_spec("scanpy")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / "datasets" / "10x_pbmc68k_reduced.h5ad"
        if path.is_file():
            return path
    raise UnavailableError(
        "scanpy's package lacks datasets/10x_pbmc68k_reduced.h5ad; "
        "reinstall it: pip install --force-reinstall scanpy"
    )


def recover_counts(logs: sp.csr_matrix, totals: NDArray[np.float64], where: str) -> sp.csr_matrix:
    """Invert ln(1 + 10⁴ · count / total) to integer counts.

    Parameters
    ----------
    logs
        (cells, genes) stored logs, rounded to three decimals.
    totals
        (cells,) total counts of each cell.
    where
        File, for the error.

    Returns
    -------
    (cells, genes) CSR, float32, integers.

    Raises
    ------
    InputError
        If a value lies further from an integer than its rounding explains, or if that rounding
        leaves the integer in doubt; names the cell.
    """
    total = np.repeat(totals, np.diff(logs.indptr)) / TARGET
    stored = logs.data.astype(np.float64)
    exact = np.expm1(stored) * total
    counts = np.rint(exact)
    allowed = np.exp(stored) * total * PRECISION
    wrong = ~((np.abs(exact - counts) <= allowed) & (allowed < 0.5))
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        cell = int(np.searchsorted(logs.indptr, first, side="right")) - 1
        raise InputError(
            f"{where}: {int(wrong.sum())} stored values are not logs of integer counts "
            f"(first in cell {cell}, gene {logs.indices[first]}: {exact[first]:.4f}); "
            "this is not the file that impbench knows"
        )
    recovered = logs.copy()
    recovered.data = counts.astype(np.float32)
    return recovered
