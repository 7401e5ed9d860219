"""Where the truth waits: in files without a name, which only the scoring processes inherit.

A worker runs as the same user, so a folder with truth in it could be found by a plugin that looks
around. A file that is deleted while open can only be read by a process that was given it.
"""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from impbench.protocols.protocol import Hidden
from impbench.scale import Matrix

_CHUNK = 2**30


def conceal(hidden: Hidden, folder: Path) -> int:
    """Write `hidden` to a file without a name on the disk of `folder`.

    Returns
    -------
    Its descriptor, open for reading; the caller closes it.
    """
    arrays: dict[str, Any] = {
        name: np.asarray(value, dtype=np.str_)
        for name, value in (("labels", hidden.labels), ("batch", hidden.batch))
        if value is not None
    }
    if hidden.truth_counts is not None and hidden.truth_size_factors is not None:
        arrays["truth_size_factors"] = hidden.truth_size_factors
        arrays.update(_parts(hidden.truth_counts))
    with tempfile.TemporaryFile(dir=folder) as file:
        np.savez(file, **arrays)
        file.flush()
        return os.dup(file.fileno())


def reveal(descriptor: int) -> Hidden:
    """Read what `conceal` wrote; several processes may, at the same time."""
    size, data = os.fstat(descriptor).st_size, io.BytesIO()
    while data.tell() < size:
        # pread: the processes share one descriptor, and so one position in the file.
        data.write(os.pread(descriptor, _CHUNK, data.tell()))
    data.seek(0)
    with np.load(data, allow_pickle=False) as stored:
        arrays = dict(stored)
    simple = {
        name: arrays[name] for name in ("truth_size_factors", "labels", "batch") if name in arrays
    }
    return Hidden(truth_counts=_whole(arrays), **simple)


def _parts(matrix: Matrix) -> dict[str, Any]:
    if not sp.issparse(matrix):
        return {"truth": matrix}
    rows = sp.csr_matrix(matrix)
    return {
        "truth_data": rows.data,
        "truth_indices": rows.indices,
        "truth_indptr": rows.indptr,
        "truth_shape": np.asarray(rows.shape),
    }


def _whole(arrays: dict[str, Any]) -> Matrix | None:
    if "truth_data" in arrays:
        parts = tuple(arrays[f"truth_{part}"] for part in ("data", "indices", "indptr"))
        return sp.csr_matrix(parts, shape=tuple(arrays["truth_shape"]))
    return arrays.get("truth")
