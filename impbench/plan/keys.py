"""Identify the code of an imputer: its version, and a hash of its file."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from impbench.imputer import Imputer
from impbench.plugin_file import FILE_MODULE
from impbench.stand_in import StandIn


def code_version(imputer: type[Imputer]) -> str:
    """Return the imputer's version; a single-file plugin adds a hash of its file.

    Somebody who edits one file does not think of raising a version number.
    """
    file = plugin_file(imputer)
    if file is None:
        return imputer.version
    return f"{imputer.version}+{hashlib.sha256(file.read_bytes()).hexdigest()[:12]}"


def plugin_file(imputer: type[Imputer]) -> Path | None:
    """Return the file given with ``--plugin`` that defines the imputer, or None."""
    if issubclass(imputer, StandIn):
        return imputer.stood_for_.file
    module = sys.modules.get(imputer.__module__)
    if imputer.__module__.startswith(FILE_MODULE) and module is not None and module.__file__:
        return Path(module.__file__)
    return None
