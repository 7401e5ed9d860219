"""Store the small samples of one imputation that the figures show."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impbench.write_atomically import write_atomically


def write_picture(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Store what the figures need of one imputation."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    write_atomically(path, buffer.getvalue())
