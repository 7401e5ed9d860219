"""Read whatever can be put together: a run's folder, or the row of a method in one file."""

from __future__ import annotations

from pathlib import Path

from impbench.merging.inputs import MergeInput, read_input
from impbench.merging.row_file import read_row


def read_run(path: Path) -> MergeInput:
    """Read a folder (`read_input`) or a file (`read_row`); errors as there."""
    return read_row(path) if path.is_file() else read_input(path)
