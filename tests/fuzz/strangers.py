"""What strangers write, and the watch over whoever reads it.

Every fuzz test holds a reader to one promise: a clear `ImpbenchError` or a correct result; no
other exception, no hang, nothing written outside the folder at hand, nothing unpickled.
"""

from __future__ import annotations

import os
import re
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from impbench.errors import ImpbenchError

EXAMPLES = {
    "h5ad": 250,
    "h5ad bytes": 150,
    "10x and loom": 120,
    "rds": 80,
    "h5mu": 25,
    "gzipped": 40,
    "text": 200,
    "suites": 300,
    "cards": 250,
    "program manifests": 250,
    "specs": 400,
    "baselines": 250,
    "rules": 100,
    "records": 300,
    "run manifests": 120,
    "descriptions": 250,
    "reports": 10,
    "pictures": 100,
    "packed records": 200,
    "rows": 150,
}
"""Bad inputs generated per kind; every test asserts that it saw as many."""

HANG = 30
"""Seconds after which reading one small file counts as a hang, on the busiest machine."""

ROOM = 2**30
"""Bytes of memory that reading one small file may take at most."""

NASTY = (
    "",
    " ",
    "nan",
    ".",
    "..",
    "../../escaped",
    "/tmp/escaped",
    "a/b",
    "a\\b",
    "C:\\x",
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>'",
    "</style></svg><script>1</script>",
    "javascript:alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    "two\nlines",
    "cr\rreturn",
    "tab\tbed",
    "\x1b[31mred\x1b[0m\x1b[2J",
    "\x1b]0;title\x07",
    "\x9b31m",
    "nul\x00here",
    "\u202egnp.exe",
    "\ufeffbom",
    "\ud800",
    "e\u0301" * 50,
    "名前",
    "$x^{2}$ $\\frac{",
    "[red]markup[/red]",
    "%s %n %x",
    "=cmd|'/c calc'!A0",
    "N" * 3000,
    "con",
    "-rf",
    "None",
    "1e999",
)


def texts() -> st.SearchStrategy[str]:
    """Awkward names, and arbitrary text."""
    return st.sampled_from(NASTY) | st.text(max_size=20)


def json_values() -> st.SearchStrategy[Any]:
    """Anything JSON can hold, as Python's parser accepts it: NaN and huge numbers included."""
    scalars = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.sampled_from([0, -1, 10**30, 10**400, 1e308, -0.0, 5e-324])
        | st.floats()
        | texts()
    )
    return scalars | st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts(), inner, max_size=3),
        max_leaves=5,
    )


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a tree of dicts and lists, as a path of keys."""
    if path:
        yield path
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(item, (*path, key))


def spoilt(tree: Any, path: tuple[Any, ...], how: str, value: Any) -> Any:
    """`tree` with one place replaced, removed, or joined by another of `value` as its name."""
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    key, *rest = path
    if rest:
        copy[key] = spoilt(copy[key], tuple(rest), how, value)
    elif how == "replace":
        copy[key] = value
    elif how == "remove":
        del copy[key]
    elif isinstance(copy, dict):
        copy[str(value)] = copy[key] if how == "copy" else copy.pop(key)
    else:
        copy.append(value)
    return copy


def spoilings(tree: Any) -> st.SearchStrategy[Any]:
    """`tree` with one to three of its places spoilt."""
    edit = st.tuples(
        st.sampled_from(list(places(tree))),
        st.sampled_from(["replace", "replace", "remove", "copy", "rename"]),
        json_values(),
    )

    def apply(edits: list[Any]) -> Any:
        result = tree
        for path, how, value in edits:
            if path in set(places(result)):
                result = spoilt(result, path, how, value)
        return result

    return st.lists(edit, min_size=1, max_size=3).map(apply)


ODD = (
    *NASTY,
    *(None, True, 0, -1, 1.5, 10**9, 10**30, 10**400, 1e308, float("nan"), float("inf")),
    *([], {}, ["<script>"], {"a": 1}, [[]], [None], {"": None}),
)


def each_place(tree: Any) -> Iterator[Any]:
    """`tree` with each of its places replaced by each odd value, named by each, and removed."""
    for path in places(tree):
        yield spoilt(tree, path, "remove", None)
        for value in ODD:
            yield spoilt(tree, path, "replace", value)
        if isinstance(path[-1], str):
            for name in NASTY[::4]:
                yield spoilt(tree, path, "rename", name)


def fuzz(kind: str) -> Callable[[Any], Any]:
    """The same `EXAMPLES[kind]` inputs on every machine and every day."""
    return settings(
        max_examples=EXAMPLES[kind],
        derandomize=True,
        database=None,
        deadline=None,
        # The inputs are small as they are, and shrinking would take minutes.
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def outcome(call: Callable[[], Any], folder: Path, names: str | Path = "") -> Any:
    """Return what `call` returns, or the error meant for the user, after checking its words."""
    try:
        with harmless(folder):
            return call()
    except ImpbenchError as error:
        text = str(error)
        assert str(names) in text, f"does not say where: {text}"
        assert not re.search(r"object at 0x|Traceback|<class ", text), text
        return error


_seen: list[str] | None = None
_WRITES = {
    "os.mkdir": 0,
    "os.rename": 1,
    "os.remove": 0,
    "os.rmdir": 0,
    "os.link": 1,
    "os.symlink": 1,
    "os.truncate": 0,
    "shutil.rmtree": 0,
}


def _witness(event: str, args: tuple[Any, ...]) -> None:
    if _seen is None:
        return
    if event == "pickle.find_class":
        _seen.append(f"unpickled {args[0]}.{args[1]}")
    elif event in ("os.system", "subprocess.Popen", "os.exec", "os.fork"):
        _seen.append(f"started {args}")
    elif event == "open" and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        _seen.append(f"wrote {_full(args[0])}")
    elif event in _WRITES:
        # What shutil removes is named relative to an open folder.
        folder = args[-1] if event in ("os.remove", "os.rmdir") else None
        base = f"/proc/self/fd/{folder}" if folder is not None and folder >= 0 else ""
        _seen.append(f"wrote {_full(os.path.join(base, args[_WRITES[event]]))}")


def _full(path: Any) -> str:
    return str(path) if isinstance(path, int) else os.path.realpath(os.fsdecode(path))


# An audit hook sees every file that Python opens, wherever it lies.
sys.addaudithook(_witness)


@contextmanager
def harmless(folder: Path) -> Iterator[None]:
    """Fail on a hang, unpickling, a started program and a write outside `folder`; bound memory."""
    global _seen
    _seen = []
    old = signal.signal(signal.SIGALRM, _hung)
    limits = resource.getrlimit(resource.RLIMIT_AS)
    # With one core a report starts no processes of our own, which pickle what they send back.
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(cores)[os.getpid() % len(cores)]})
    resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + ROOM, limits[1]))
    signal.setitimer(signal.ITIMER_REAL, HANG)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, limits)
        os.sched_setaffinity(0, cores)
        signal.signal(signal.SIGALRM, old)
        seen, _seen = _seen, None
        inside = f"wrote {folder.resolve()}{os.sep}"
        # Python keeps what it compiles beside its sources, wherever those lie.
        bad = [act for act in seen if not act.startswith(inside) and "__pycache__" not in act]
        assert not bad, bad


@contextmanager
def unwatched() -> Iterator[None]:
    """Let a reader start the one process that it may."""
    global _seen
    seen, _seen = _seen, None
    try:
        yield
    finally:
        _seen = seen


def _hung(*_: Any) -> None:
    raise AssertionError(f"not done after {HANG} s")
