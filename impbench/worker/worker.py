"""Run one sandboxed worker: shut in, get ready, take the data, impute, end.

Run as ``python -P -m impbench.worker.worker request.json CHANNEL``, where CHANNEL is the descriptor
of a socket to the runner. A process that serves our own methods is kept for further requests, each
for a fork that shuts itself in; any other carries out one, between walls from before its method is
imported. Over the channel it says ``{"ready"}`` and gets the data; the runner's clock runs from
then until it says ``{"done"}``. This file also runs on Python 3.8.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impbench.worker.blas_threads import allow_blas_threads
from impbench.worker.fork_server import end_descendants, say, serve
from impbench.worker.handover import take_files
from impbench.worker.isolation import shut_in
from impbench.worker.parent_watch import adopt_orphans, die_with_parent

if TYPE_CHECKING:
    from impbench.worker.imputation import Standby


def main(request_path: Path, channel: socket.socket) -> int:
    """Carry out one request; exit status 0 when every seed was imputed."""
    adopt_orphans()
    request = _read(request_path)
    try:
        if request["kept"]:
            standby, request_path = _serve(channel)
            request = _read(request_path)
            adopt_orphans()
            _enclose(request)
            # Only now: a process with threads cannot be shut in.
            allow_blas_threads(request["threads"])
        else:
            # Before NumPy is imported, whose threads would stay free.
            _enclose(request)
            standby = _standby()
        die_with_parent()
        imputer = standby.get_ready(request)
        say(channel, {"ready": os.getpid()})
        files = take_files(channel)
        from impbench.worker.imputation import impute

        impute(imputer, request, files, request_path.parent / "output")
    except BaseException as error:
        traceback.print_exc()
        _say_why(request_path.parent / "output" / "error.json", error)
        return 1
    sys.stdout.flush()
    sys.stderr.flush()
    say(channel, {"done": os.getpid()})
    return 0


def _serve(channel: socket.socket) -> tuple[Standby, Path]:
    """Get ready and fork for each request; return in each fork what it is to do."""
    standby = _standby()

    def get_ready(path: Path) -> None:
        """Get ready for the request in a file, but end if the runner does."""
        wanted = _read(path)
        if not standby.has(wanted):
            alone = die_with_parent()
            try:
                standby.get_ready(wanted)
            finally:
                alone()

    return standby, serve(channel, get_ready)


def _standby() -> Standby:
    from impbench.worker.imputation import Standby

    return Standby()


def _enclose(request: dict[str, Any]) -> None:
    """Put up the walls; temporary files go where they may, and where none is kept."""
    os.environ.update(request["variables"])
    tempfile.tempdir = None
    if request["walls"] is not None:
        shut_in(request["walls"])


def _say_why(path: Path, error: BaseException) -> None:
    try:
        content = {"type": type(error).__name__, "message": str(error).strip()}
    except BaseException:
        content = {"type": type(error).__name__, "message": "its message cannot be read"}
    path.write_text(json.dumps(content), encoding="utf-8")


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


if __name__ == "__main__":
    # os._exit: what a plugin registered for interpreter exit must not change the outcome.
    status = main(Path(sys.argv[1]), socket.socket(fileno=int(sys.argv[2])))
    end_descendants()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
