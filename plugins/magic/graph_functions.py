"""Let numba keep the functions that graphtools (2.1.0) compiles anew in every process, for 1 s."""

from __future__ import annotations

from functools import cache

import graphtools.graphs
from impbench_plugins.shared.compiled import keep
from numba.core.registry import CPUDispatcher


@cache
def keep_graph_functions() -> None:
    """Have each of them read from disk, or kept there, when it is first called."""
    for function in vars(graphtools.graphs).values():
        if isinstance(function, CPUDispatcher):
            keep(function)
