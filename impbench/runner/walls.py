"""List what a worker may reach: its method's files, its task's folders, what users open.

`impbench.worker.isolation` adds Python and the system, and puts the walls up.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from impbench.cache import cache_of
from impbench.environments.environments import Environment
from impbench.imputer import Imputer
from impbench.plan.keys import plugin_file
from impbench.plan.task import Task
from impbench.stand_in import StandIn
from impbench.worker.isolation import OURS

CLOSED = (
    "a method's process can open its packages and its own folder, and nothing else: what more it "
    "needs can be opened with --allow-read, --allow-write (/dev/shm for multiprocessing) or "
    "--allow-network"
)


@dataclass(frozen=True)
class Openings:
    """What the walls around every worker of a run let through, and what they do not."""

    hidden: tuple[Path, ...] = ()
    """What none may read, wherever it lies: the run's folder, files with labels."""
    readable: tuple[Path, ...] = ()
    """What the user opened, as the next two."""
    writable: tuple[Path, ...] = ()
    network: bool = False

    def named(self) -> list[str]:
        """Name what the user opened, for the manifest."""
        return [*map(str, (*self.readable, *self.writable)), *(["network"] if self.network else [])]


def walls(
    task: Task, folder: Path, environment: Environment | None, openings: Openings
) -> dict[str, Any]:
    """Return what `impbench.worker.isolation.shut_in` takes, for a worker of `task` in `folder`.

    Parameters
    ----------
    environment
        The method's own, or None.
    """
    assert task.imputer is not None
    open_files = [*openings.readable, *_files(type(task.imputer)), *_programs(type(task.imputer))]
    if environment is not None:
        open_files += [environment.folder, folder / "importable"]
    own = [folder / "scratch", folder / "output", folder / "log"]
    if may_be_kept(type(task.imputer)) and (kept := compiled_folder()):
        own.append(kept)
    return {
        "module": type(task.imputer).__module__,
        "readable": list(map(str, open_files)),
        "writable": [str(path) for path in (*own, *openings.writable)],
        "hidden": list(map(str, openings.hidden)),
        "gpu": task.device != "cpu",
        "network": openings.network,
    }


def may_be_kept(imputer: type[Imputer]) -> bool:
    """Return whether one process may serve several jobs of `imputer`: only with code of our own.

    Memory that a stranger's code shares with its forks could carry one job's answer to the next.
    """
    ours = imputer.__module__.partition(".")[0] in OURS
    # A stranger's class says itself which module it is in.
    return ours and not issubclass(imputer, StandIn)


def own_folders(scratch: Path, ours: bool) -> dict[str, str]:
    """Return variables that send temporary files and caches to `scratch`, which goes with the job.

    What numba compiles for our own methods is kept; that of others could carry data.
    """
    names = ["TMPDIR", "TMP", "TEMP", "XDG_CACHE_HOME", "CUDA_CACHE_PATH"]
    return {**dict.fromkeys(names, str(scratch)), **numba_folder(scratch, ours)}


def numba_folder(scratch: Path, ours: bool) -> dict[str, str]:
    """Return the variable that tells numba where to keep what it compiles; empty: beside the code.

    numba reads it once, when it is imported, which may be before a job comes.
    """
    if not ours:
        return {"NUMBA_CACHE_DIR": str(scratch)}
    kept = compiled_folder()
    return {} if kept is None else {"NUMBA_CACHE_DIR": str(kept)}


@cache
def compiled_folder() -> Path | None:
    """Return where numba keeps what it compiles for our own methods; None if nothing can be kept.

    Not beside the code, which is numba's own choice: it would be made before the walls are up, of a
    folder of ours or of another package (scanpy) that is closed when there is something to write.
    """
    folder = Path(os.environ.get("NUMBA_CACHE_DIR") or cache_of("compiled")).resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None


def _files(imputer: type[Imputer]) -> Iterator[Path]:
    """Return a single-file plugin, and the files beside a manifest that its command names."""
    file = plugin_file(imputer)
    if file is not None:
        yield file
    for word in getattr(imputer, "command", ()):
        beside = getattr(imputer, "folder", Path()) / word
        if word and beside.is_file():
            yield beside


def _programs(imputer: type[Imputer]) -> Iterable[Path]:
    """Return where the program of a manifest is installed."""
    command = getattr(imputer, "command", ())
    found = shutil.which(command[0]) if command else None
    if found is None:
        return []
    folder = Path(found).resolve().parent
    above = folder.parent
    whole = folder.name == "bin" and above not in (Path.home(), Path(above.anchor))
    return [above if whole else Path(found).resolve()]
