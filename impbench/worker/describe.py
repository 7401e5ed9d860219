"""Ask a child process what a stranger's plugin brings; the child alone imports it.

The child runs as ``python -P -m impbench.worker.describe DESCRIPTOR REQUEST`` and answers with one
line of JSON on that descriptor. What the plugin prints is kept for the case that it fails.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

from impbench.errors import InputError
from impbench.origin import Origin
from impbench.worker.orphans import adopting, end_orphans, started
from impbench.worker.remove import remove_folder

LIMIT_SECONDS = 120.0
"""How long a plugin may take to be imported and described."""

LIMIT_BYTES = 4 * 2**20
"""How long an answer may be."""

KEPT = 16 * 2**10
"""Bytes of what a plugin prints that are kept, the last ones."""


class DescriptionError(InputError):
    """A plugin could not be described; `details` has a traceback and what it printed."""

    def __init__(self, reason: str, details: str = "") -> None:
        super().__init__(reason)
        self.details = details


def ask(
    origin: Origin,
    construct: tuple[str, Mapping[str, Any]] | None = None,
    *,
    hidden: Iterable[Path] = (),
    readable: Iterable[Path] = (),
) -> Any:
    """Have a child import the plugin and answer.

    Parameters
    ----------
    construct
        Name and parameters of an imputer to build; None asks for a description of the plugin.
    hidden, readable
        What the plugin may not read, and what it may beside its own files.

    Returns
    -------
    What `impbench.description.tell` wrote, or the parameters; whatever the child says it is.

    Raises
    ------
    DescriptionError
        If the plugin fails on import, takes too long, or the answer is none.
    """
    request = json.dumps(
        {
            "file": None if origin.file is None else str(origin.file),
            "point": origin.point,
            "entry": origin.entry,
            "construct": construct,
            "hidden": list(map(str, hidden)),
            "readable": list(map(str, readable)),
        }
    )
    ours, theirs = os.pipe()
    # The child may end, by itself or by the plugin, before anyone looks at what it started.
    with _folder() as folder, os.fdopen(ours, "rb") as line, adopting():
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "impbench.worker.describe", str(theirs), request],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=[theirs],
        )
        started.add(child)
        os.close(theirs)
        assert child.stdout is not None
        try:
            answer, printed, trouble = _listen(line.fileno(), child.stdout.fileno())
        finally:
            _end(child)
    if trouble:
        raise DescriptionError(trouble, printed)
    try:
        told = json.loads(answer)
    except (ValueError, RecursionError) as error:
        what = f"exit status {child.returncode}, no answer" if not answer else f"answer: {error}"
        raise DescriptionError(f"it could not be described ({what})", printed) from error
    if isinstance(told, dict) and isinstance(told.get("failed"), str):
        raise DescriptionError(told["failed"], f"{told.get('details', '')}{printed}")
    return told.get("told") if isinstance(told, dict) else told


@contextlib.contextmanager
def _folder() -> Iterator[str]:
    name = tempfile.mkdtemp(prefix="impbench-")
    try:
        yield name
    finally:
        remove_folder(Path(name))


def _listen(line: int, prints: int) -> tuple[bytes, str, str]:
    """Read until the answer is there; return it, the last prints, and what went wrong."""
    answer, printed, trouble = b"", b"", ""
    end = time.monotonic() + LIMIT_SECONDS
    open_ends = {line, prints}
    while line in open_ends and b"\n" not in answer:
        ready, _, _ = select.select(list(open_ends), [], [], max(0.0, end - time.monotonic()))
        if not ready:
            trouble = f"it took longer than {LIMIT_SECONDS:g} s to import"
            break
        for descriptor in ready:
            received = os.read(descriptor, 2**16)
            if not received:
                open_ends.discard(descriptor)
            elif descriptor == line:
                answer += received
            else:
                printed = (printed + received)[-KEPT:]
        if len(answer) > LIMIT_BYTES:
            trouble = f"its description is longer than {LIMIT_BYTES // 2**20} MiB"
            break
    return answer.partition(b"\n")[0], printed.decode(errors="replace"), trouble


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the child and whatever it has started."""
    with contextlib.suppress(psutil.Error):
        for process in psutil.Process(child.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                process.kill()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    end_orphans()
    for stream in (child.stdin, child.stdout):
        if stream is not None:
            stream.close()


def _walls(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `shut_in` takes: the plugin, and the working folder for temporary files."""
    folder = os.getcwd()
    os.environ.update(dict.fromkeys(("TMPDIR", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR"), folder))
    return {
        "module": (request["entry"] or "").partition(":")[0],
        "readable": [*request["readable"], *filter(None, [request["file"]])],
        "writable": [folder],
        "hidden": request["hidden"],
        "gpu": False,
        "network": False,
    }


def main(descriptor: int, request: Mapping[str, Any]) -> None:
    """Carry out one request."""
    from impbench.worker.isolation import shut_in
    from impbench.worker.parent_watch import adopt_orphans, die_with_parent

    os.set_inheritable(descriptor, False)
    adopt_orphans()
    # Before anything of the plugin's is imported, and before there are threads.
    shut_in(_walls(request))
    die_with_parent()
    from impbench.hooks import BrokenPlugin

    file = None if request["file"] is None else Path(request["file"])
    origin = Origin(request["point"], request["entry"], "", file)
    try:
        answer: dict[str, Any] = {"told": _answer(origin, request["construct"])}
    except (Exception, SystemExit) as error:
        # Of a file that fails on import, the caller says so; here stands what its author needs.
        cause = error.__cause__ if isinstance(error, InputError) else None
        broken = BrokenPlugin.of(origin.name, cause or error)
        answer = {"failed": broken.reason, "details": broken.details}
    with os.fdopen(descriptor, "w", encoding="utf-8") as line:
        line.write(json.dumps(answer) + "\n")


def _answer(origin: Origin, construct: tuple[str, Mapping[str, Any]] | None) -> Any:
    from impbench.description import plain, tell
    from impbench.hooks import brought_by
    from impbench.per_batch import class_taking

    brought = brought_by(origin.load(), origin.name)
    if construct is None:
        return tell(brought)
    name, values = construct
    try:
        imputer = class_taking(brought.parts["imputers"][name], values)(**values)
    except InputError as refusal:
        return {"refused": str(refusal)}
    return {"values": {key: plain(value, key) for key, value in imputer.parameters().items()}}


if __name__ == "__main__":
    main(int(sys.argv[1]), json.loads(sys.argv[2]))
    # os._exit: what the plugin registered for interpreter exit is not part of the answer.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
