from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from attacked import Attacked, python_of_anybody, run_attacks


@pytest.fixture(scope="session", params=["as we are", "ordinary user"])
def attacked(request: pytest.FixtureRequest) -> Iterator[Attacked]:
    """Run every attack, as the user we are and as an ordinary one."""
    ordinary = request.param == "ordinary user"
    if ordinary and os.geteuid() != 0:
        pytest.skip("we are an ordinary user already")
    python = python_of_anybody() if ordinary else sys.executable
    folder = Path(tempfile.mkdtemp(prefix="impbench-attacked-"))
    try:
        with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as local:
            port = tcp.getsockname()[1]
            local.bind(f"\0impbench-{port}")
            local.listen()
            with socket.socket(socket.AF_UNIX) as daemon:
                daemon.bind(str(folder / "daemon.sock"))
                daemon.listen()
                (folder / "daemon.sock").chmod(0o777)
                yield run_attacks(folder, python, port, ordinary)
    finally:
        shutil.rmtree(folder)
