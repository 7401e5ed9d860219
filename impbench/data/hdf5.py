"""HDF5 files looked over before anything reads them, and the sparse matrices that come out.

A few kilobytes can claim a trillion entries, name files elsewhere as their content, or hold
indices that point outside their matrix, which compiled code follows into memory that is not its.
"""

from __future__ import annotations

import contextlib
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import scipy.sparse as sp

from impbench.data.hdf5_trial import survives
from impbench.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData


def check_hdf5(path: Path) -> None:
    """Refuse a file whose claims do not fit in memory or whose content lies in other files.

    A file on which HDF5 crashes is refused first. Content compressed by a filter that HDF5 lacks
    here is refused too: it is sound, and one package makes it readable.

    Raises
    ------
    InputError
        Names the file and the place in it.
    OSError
        If HDF5 cannot open it.
    """
    import h5py

    if not survives(path):
        raise InputError(
            f"{path}: HDF5 crashes or comes to no end where it reads this file, which is truncated "
            "or damaged: write or copy it again"
        )
    with contextlib.suppress(ImportError):
        import hdf5plugin  # noqa: F401  # once imported, HDF5 knows its filters
    claimed = 0
    largest = (0, "")

    def look(name: str, item: Any) -> None:
        nonlocal claimed, largest
        if isinstance(item, h5py.Group):
            _check_links(path, item)
        elif isinstance(item, h5py.Dataset):
            if item.external or item.is_virtual:
                raise InputError(f"{path}: {name} {_ELSEWHERE}")
            _check_filters(path, name, item)
            size = _bytes(item)
            claimed += size
            largest = max(largest, (size, f"{name} claims {item.shape}"))

    with h5py.File(path, "r") as file:
        _check_links(path, file)
        file.visititems(look)
    free = psutil.virtual_memory().available
    if claimed > free:
        raise InputError(
            f"{path} claims to hold {claimed / 2**30:.4g} GiB, and this machine has "
            f"{free / 2**30:.4g} GiB free ({largest[1]}); if the file is not damaged, take a part "
            "of its cells or a machine with more memory"
        )


_ELSEWHERE = "lies in another file; impbench reads files that stand alone: copy its content in"


def _check_links(path: Path, group: Any) -> None:
    import h5py

    for name in group:
        if isinstance(group.get(name, getlink=True), h5py.ExternalLink):
            raise InputError(f"{path}: {group.name.rstrip('/')}/{name} {_ELSEWHERE}")


def _check_filters(path: Path, name: str, item: Any) -> None:
    import h5py

    properties = item.id.get_create_plist()
    for i in range(properties.get_nfilters()):
        number, _, _, said = properties.get_filter(i)
        if not h5py.h5z.filter_avail(number):
            called = said.decode("utf-8", "replace").split(";")[0].strip() or "unknown"
            raise InputError(
                f"{path}: {name} is compressed with HDF5 filter {number} ({called}), which is not "
                "installed here: pip install hdf5plugin"
            )


def _bytes(item: Any) -> int:
    # The shape's own product: numpy's would wrap around.
    return math.prod([item.id.get_type().get_size(), *map(int, item.shape or ())])


def texts(stored: Any) -> list[str]:
    """Return the texts of a data set, which HDF5 keeps as bytes."""
    values = np.asarray(stored).ravel()
    return [v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in values]


def check_matrices(data: AnnData, path: Path) -> None:
    """Refuse sparse matrices, once read, that point outside themselves.

    Raises
    ------
    InputError
        Names the file and the matrix.
    """
    held = {f"layers[{key!r}]": matrix for key, matrix in data.layers.items()}
    held["X"] = data.X
    if data.raw is not None:
        held["raw.X"] = data.raw.X
    for key, matrix in held.items():
        if isinstance(matrix, sp.csr_matrix | sp.csc_matrix | sp.csr_array | sp.csc_array):
            check_sparse(matrix, f"{key} of {path}")


def check_sparse(matrix: Any, where: str) -> None:
    """Refuse one sparse matrix that points outside itself; errors as `check_matrices`."""
    try:
        kinds = {matrix.indices.dtype.kind, matrix.indptr.dtype.kind}
        if not kinds <= {"i", "u"}:
            raise ValueError("its indices are no whole numbers")
        matrix.check_format(full_check=True)
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(
            f"{where} is no sound sparse matrix: {error}; the file is damaged: write it again"
        ) from error
