"""numba's `njit` for our own functions: kept on disk, and the same bits whoever compiled them.

A job is a process, so what is not kept is compiled again for every job. numba notices a change of
the file a function stands in, not of others that it calls: a function that is kept should call
nothing outside its own file, or close over a digest of those files.
"""

from __future__ import annotations

import fcntl
import glob
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache, wraps
from pathlib import Path
from typing import IO, Any

import numba
from numba.core import caching
from numba.core.caching import IndexDataCacheFile
from numba.core.codegen import CPUCodeLibrary
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import CPUDispatcher


def njit(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile as `numba.njit` with these options; keep the result where there is a place for it."""
    _mend_the_cache()

    def compiled(function: Callable[..., Any]) -> Any:
        try:
            return _with_copies_of_its_own(numba.njit(cache=True, **options)(function))
        except RuntimeError:  # No folder is writable: compile in every process.
            return _with_copies_of_its_own(numba.njit(**options)(function))

    return compiled


def njit_unkept(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile as `numba.njit` with these options: for what only other compiled functions call.

    It has no entry from Python, which raises `TypeError`. MaskClass compiles in a quarter less time
    so (0.68: 14.2 → 10.8 s), since most of an entry unpacks tuples of arrays.
    """
    entries = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}

    def compiled(function: Callable[..., Any]) -> Any:
        dispatcher = numba.njit(**options, **entries)(function)
        dispatcher.__class__ = _WithoutEntry
        return _with_copies_of_its_own(dispatcher)

    return compiled


def keep(dispatcher: Any) -> None:
    """Keep what a function of another package compiles to, as `njit` does with ours."""
    _mend_the_cache()
    with suppress(RuntimeError):  # No folder is writable.
        dispatcher.enable_caching()
    _with_copies_of_its_own(dispatcher)


class _WithoutEntry(CPUDispatcher):  # type: ignore[misc]
    """A function that Python cannot call; numba would follow a pointer that is not there."""

    def _insert(self, *_: Any, **__: Any) -> None:
        """Keep no entry."""

    def _compile_for_args(self, *_: Any, **__: Any) -> None:
        name = self.py_func.__name__
        raise TypeError(f"{name} can be called from compiled functions alone")


def _with_copies_of_its_own(dispatcher: Any) -> Any:
    """Let a function call its own copies of what it calls, in every process.

    numba (0.68) puts a copy of each function called beside the caller, optimised for it, and marks
    it as one that another of the same name may stand in for. Where the callee was compiled too,
    which is so in the process that compiles and not in those that load, the linker takes that one:
    other instructions, other last bits. Private copies leave nothing to choose.
    """
    _keep_copies_private()
    plain = dispatcher.compile

    @wraps(plain)
    def compile_privately(*args: Any, **kwargs: Any) -> Any:
        with global_compiler_lock, _turn(dispatcher), _ours():
            return plain(*args, **kwargs)

    dispatcher.compile = compile_privately
    return dispatcher


LONGEST_TURN = 300.0
"""Seconds to wait for another process that compiles the same function; then both do."""

_turns: set[Path] = set()
"""Of this process, which may compile one function within the other, or for other types."""


@contextmanager
def _turn(dispatcher: Any) -> Iterator[None]:
    """Let one process at a time compile a function that is kept; the next one finds it there.

    A run starts as many workers as there are cores, often of one method: all would take seconds to
    compile the same. Without a place to write to, each does.
    """
    kept = getattr(dispatcher._cache, "_cache_file", None)
    path = None if kept is None else Path(kept._index_path).with_suffix(".compiling")
    if path is None or path in _turns:
        yield
        return
    _turns.add(path)
    try:
        with ExitStack() as stack:
            with suppress(OSError):
                _wait_for(stack.enter_context(path.open("w")))
            yield
    finally:
        _turns.remove(path)


def _wait_for(lock: IO[str]) -> None:
    """Lock a file once nobody else does, or give up; closing it opens it for others."""
    end = time.monotonic() + LONGEST_TURN
    while time.monotonic() < end:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            time.sleep(0.05)


_compiling = threading.local()
"""Its `ours` is how many of our functions this thread is compiling, one within the other."""


@contextmanager
def _ours() -> Iterator[None]:
    _compiling.ours = getattr(_compiling, "ours", 0) + 1
    try:
        yield
    finally:
        _compiling.ours -= 1


_MANGLED = "_Z"
"""How the names of functions begin that numba compiles from Python."""


@cache
def _keep_copies_private() -> None:
    """Mark the copies in our own functions' code as private, before it is optimised.

    They get names of their own besides: LLVM's linker for code in memory finds a private function
    by its name too, and gave it to functions of others that were compiled later and call the same
    one. A private function may lose arguments that its callers always give alike.

    Functions of numba's runtime stay as they are: numba knows calls that count references by their
    names, and leaves out what it can. With other names MaskClass took a third longer.
    """
    plain = CPUCodeLibrary._optimize_final_module

    @wraps(plain)
    def optimize(self: Any) -> None:
        if getattr(_compiling, "ours", 0):
            for function in self._final_module.functions:
                copied = not function.is_declaration and function.linkage.name == "linkonce_odr"
                if copied and function.name.startswith(_MANGLED):
                    function.linkage = "internal"
                    function.name += ".private"
        plain(self)

    CPUCodeLibrary._optimize_final_module = optimize


@cache
def _mend_the_cache() -> None:
    """Let processes take turns in saving, and take what cannot be read or kept for not there.

    Two that save a function for different types at the same moment choose the same name for
    the machine code (numba 0.68), and the next to load it runs the wrong one. What was compiled for
    a named tuple of another file names its class, which a later version may not have any more.
    Where a folder may only be read, what is in it is used, and what is compiled is not kept: so it
    is while a method imputes, for the worker of a stranger's method, and in many containers.
    """
    plain_save, plain_index = IndexDataCacheFile.save, IndexDataCacheFile._load_index

    @wraps(plain_save)
    def save(self: Any, key: Any, data: Any) -> None:
        index = Path(self._index_path)
        with suppress(OSError), index.with_suffix(".lock").open("w") as lock:
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
    _read_where_writing_is_refused()


def _read_where_writing_is_refused() -> None:
    """Let numba use code kept beside the source before it looks for a folder to write to."""
    # Both had an underscore before numba 0.62.
    beside = getattr(caching, "InTreeCacheLocator", None) or caching._InTreeCacheLocator
    locators = (getattr(caching, "CacheImpl", None) or caching._CacheImpl)._locator_classes

    class ReadOnlyLocator(beside):  # type: ignore[misc]
        @classmethod
        def from_function(cls, function: Any, file: str) -> Any:
            name = re.sub("[<>]", "", f"{Path(file).stem}.{function.__qualname__}")
            locator = cls(function, file)
            kept = Path(locator.get_cache_path()).glob(f"{glob.escape(name)}-*.nbi")
            return locator if any(kept) else None

    locators.insert(locators.index(beside) + 1, ReadOnlyLocator)
