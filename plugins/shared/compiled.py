"""numba's `njit` with results kept on disk, for functions that call nothing outside their own file.

A job is a process, so what is not kept is compiled again for every job. numba notices a change of
the file a function stands in, not of others that it calls.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from functools import cache, wraps
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import IndexDataCacheFile


def njit(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile as `numba.njit` with these options; keep the result where there is a place for it."""
    _mend_the_cache()

    def compiled(function: Callable[..., Any]) -> Any:
        try:
            return numba.njit(cache=True, **options)(function)
        except RuntimeError:  # No folder is writable: compile in every process.
            return numba.njit(**options)(function)

    return compiled


@cache
def _mend_the_cache() -> None:
    """Let processes take turns in saving, and take what cannot be read for not there.

    Two that save a function for different types at the same moment choose the same name for
    the machine code (numba 0.68), and the next to load it runs the wrong one. What was compiled for
    a named tuple of another file names its class, which a later version may not have any more.
    """
    plain_save, plain_index = IndexDataCacheFile.save, IndexDataCacheFile._load_index

    @wraps(plain_save)
    def save(self: Any, key: Any, data: Any) -> None:
        index = Path(self._index_path)
        with index.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            plain_save(self, key, data)

    @wraps(plain_index)
    def load_index(self: Any) -> Any:
        try:
            return plain_index(self)
        except (AttributeError, ImportError):
            return {}

    IndexDataCacheFile.save = save
    IndexDataCacheFile._load_index = load_index
