"""Hand a worker its data as open files, once it is ready and not before.

Until then no file with data can be opened by it, so nothing can be done with them ahead of the
clock. This file also runs on Python 3.8.
"""

from __future__ import annotations

import array
import json
import os
import socket
from pathlib import Path

_LONGEST = 2**16
_MOST_FILES = 64


def give_files(channel: socket.socket, folder: Path) -> None:
    """Open every file of `folder` for reading, and send them under their names.

    Raises
    ------
    OSError
        If the other side is gone.
    """
    paths = sorted(path for path in folder.iterdir() if path.is_file())
    descriptors = [os.open(path, os.O_RDONLY) for path in paths]
    message = json.dumps({"files": [path.name for path in paths]}).encode() + b"\n"
    try:
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))
        channel.sendmsg([message], [rights])
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def take_files(channel: socket.socket) -> dict[str, int]:
    """Wait for what `give_files` sends; return the descriptors by name, for the caller to close.

    Raises
    ------
    EOFError
        If the other side is gone.
    """
    room = socket.CMSG_SPACE(_MOST_FILES * array.array("i").itemsize)
    message, ancillary, _, _ = channel.recvmsg(_LONGEST, room)
    if not message:
        raise EOFError("the runner is gone")
    descriptors = array.array("i")
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
    return dict(zip(json.loads(message)["files"], descriptors))  # noqa: B905 (Python 3.8)
