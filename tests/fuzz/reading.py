"""How the fuzz tests read a file of counts, and what they put into one."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from strangers import NASTY

from impbench.apply.layer import lay_out
from impbench.apply.options import Options
from impbench.data.formats import open_any
from impbench.data.read import FileSource
from impbench.errors import ImpbenchError

NAMES = [name.replace("\x00", "").encode("utf-8", "replace").decode() for name in NASTY]
HUGE = 10**12


def read(path: Path, **options: Any) -> Any:
    """Read both ways in which commands do; what comes back must be whole and sound."""
    dataset = FileSource(path=str(path), hvg="none", min_cells=1, **options).load()
    values = dataset.counts.toarray() if sp.issparse(dataset.counts) else dataset.counts
    assert values.shape == (len(dataset.cell_names), len(dataset.gene_names))
    assert values.dtype == np.float32
    assert np.isfinite(values).all()
    assert (values >= 0).all()
    assert len(set(dataset.cell_names)) == len(dataset.cell_names)
    assert len(set(dataset.gene_names)) == len(dataset.gene_names)
    with contextlib.suppress(ImpbenchError):
        lay_out(open_any(path), str(path), Options())
    return dataset
