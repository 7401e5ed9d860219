"""Remove a folder that a method could write to, whatever it left there."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from pathlib import Path


def remove_folder(folder: Path) -> None:
    """Remove `folder` and all below it, also what is nested too deep or closed to its owner."""
    with contextlib.suppress(OSError, RecursionError):
        shutil.rmtree(folder)
    if not folder.is_symlink() and folder.exists():
        for command in (["chmod", "-R", "u+rwX"], ["rm", "-rf"]):
            subprocess.run([*command, "--", folder], capture_output=True, check=False)
