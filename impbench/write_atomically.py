"""Write a file whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from impbench.errors import InputError

PARTIAL = ".tmp"
"""How the name of a file ends that is being written."""


def write_atomically(path: Path, data: bytes) -> None:
    """Write to a temporary name in the same folder, flush to disk, then rename.

    Raises
    ------
    InputError
        If the disk is full or the folder cannot be written to; `path` is as it was before.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PARTIAL}")
    try:
        with partial.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise InputError(
            f"cannot write {path}: {error.strerror or error}; what was stored before is safe: "
            "make room and run the same command again"
        ) from error
    finally:
        partial.unlink(missing_ok=True)
