"""Hold linear algebra to one thread, whose sums always run in the same order."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import ThreadpoolController

_found: list[tuple[int, ThreadpoolController]] = []
"""The libraries that are loaded, and how many modules were imported when they were looked for."""


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep BLAS and OpenMP to one thread, as ``threadpoolctl.threadpool_limits(1)`` does.

    That looks for the libraries each time, which takes several milliseconds; here they are
    looked for again only where a module has been imported since.
    """
    n_modules = len(sys.modules)
    if not _found or _found[-1][0] != n_modules:
        # In one step, since several threads may come here.
        _found[:] = [(n_modules, ThreadpoolController())]
    with _found[-1][1].limit(limits=1):
        yield
