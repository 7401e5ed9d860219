"""Start the process that forks without OpenBLAS's threads, and give its forks their number.

OpenBLAS starts its threads as it is loaded, with NumPy, and a process with threads is not forked.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

_VARIABLE = "OPENBLAS_NUM_THREADS"


def without_blas_threads(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a process that is to fork."""
    return {**variables, _VARIABLE: "1"}


def allow_blas_threads(n: int) -> None:
    """Let every OpenBLAS that is loaded, or will be, use `n` threads."""
    os.environ[_VARIABLE] = str(n)
    if n > 1:
        from threadpoolctl import ThreadpoolController

        for library in ThreadpoolController().lib_controllers:
            if library.internal_api == "openblas":
                library.set_num_threads(n)
