"""A single-file plugin of methods that try to get what they must not; each tells what it got.

What an attack gets comes back in ``info["got"]``; an attack that is refused says so there.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from impbench import Context, Imputed, Imputer, Observed, hookimpl, parameter

REFUSED = "refused"


def attempt(act: Callable[[], Any]) -> str:
    """Return what an act came to, or that it was refused."""
    try:
        return str(act())[:200]
    except (OSError, PermissionError):
        return REFUSED


@dataclass(frozen=True)
class _Attack(Imputer):
    summary = "Tries to get what it must not."
    target: str = parameter("", "What the test tells it.")

    def attack(self, observed: Observed, context: Context) -> dict[str, str]:
        raise NotImplementedError

    def impute(self, observed: Observed, context: Context) -> Imputed:
        got = self.attack(observed, context)
        return Imputed(observed.lognorm, "lognorm", info={"got": got})


def _others() -> list[int]:
    """Return the worker's ancestors and what else they started: runner and scorer."""
    parent, own = os.getppid(), {os.getpid(), *map(int, os.listdir("/proc/self/task"))}
    near = range(max(2, parent - 200), parent + 200)
    return [parent, *(pid for pid in near if pid != parent and pid not in own)]


def _first(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        return os.read(descriptor, 8)
    finally:
        os.close(descriptor)


@dataclass(frozen=True)
class Descriptors(_Attack):
    """Open what runner and scorer hold open: the truth has no other name."""

    name = "opens-descriptors"

    def attack(self, observed: Observed, context: Context) -> dict[str, str]:
        got = {}
        for pid in _others():
            for number in range(3, 40):
                found = attempt(lambda p=pid, n=number: _first(f"/proc/{p}/fd/{n}"))
                if found != REFUSED:
                    got[f"{pid}/{number}"] = found
        return got


@dataclass(frozen=True)
class Memory(_Attack):
    """Read the memory, the environment and the arguments of runner and scorer."""

    name = "reads-memory"

    def attack(self, observed: Observed, context: Context) -> dict[str, str]:
        got = {}
        for pid in _others():
            for what in ("mem", "maps", "environ", "cmdline"):
                found = attempt(lambda p=pid, w=what: _first(f"/proc/{p}/{w}"))
                if found != REFUSED:
                    got[f"{pid}/{what}"] = found
        attach = 16
        if ctypes.CDLL(None).ptrace(attach, os.getppid(), 0, 0) == 0:
            got["ptrace"] = "attached"
        return got


@dataclass(frozen=True)
class ReadsFile(_Attack):
    """Read a file that the test names: the user's data, another method's record."""

    name = "reads-file"

    def attack(self, observed: Observed, context: Context) -> dict[str, str]:
        path = Path(self.target)
        link = Path("link")
        return {
            "open": attempt(lambda: path.read_bytes()[:8]),
            "folder": attempt(lambda: os.listdir(path.parent)),
            "symbolic link": attempt(lambda: (link.symlink_to(path), link.read_bytes()[:8])),
            "hard link": attempt(lambda: (os.link(path, "hard"), Path("hard").read_bytes()[:8])),
            "program": attempt(
                lambda: subprocess.run(["cat", path], capture_output=True, check=True).stdout[:8]
            )
            if _runs(path)
            else REFUSED,
        }


def _runs(path: Path) -> bool:
    return subprocess.run(["cat", path], capture_output=True, check=False).returncode == 0


@dataclass(frozen=True)
class WritesFile(_Attack):
    """Change or remove files of the run while it goes on."""

    name = "writes-file"

    def attack(self, observed: Observed, context: Context) -> dict[str, str]:
        folder = Path(self.target)
        records = folder / "records"
        return {
            "list": attempt(lambda: os.listdir(records)),
            "write": attempt(lambda: (folder / "manifest.json").write_text("{}")),
            "add": attempt(lambda: (records / "aaaaaaaaaaaaaaaaaaaa.json").write_text("{}")),
            "rename": attempt(lambda: records.rename(folder / "gone")),
            "remove": attempt(lambda: (folder / "manifest.json").unlink()),
            "own request": attempt(lambda: Path("../request.json").write_text("{}")),
            "package": attempt(lambda: (Path(np.__file__).parent / "x.py").write_text("")),
            "startup": attempt(lambda: (Path(sys.prefix) / "x.pth").write_text("")),
        }


@dataclass(frozen=True)
class Network(_Attack):
    """Reach anything over a network, or by an abstract socket."""

    name = "uses-network"

    def attack(self, observed: Observed, context: Context) -> dict[str, str]:
        port = int(self.target)

        def connect(kind: int) -> str:
            with socket.socket(socket.AF_INET, kind) as mine:
                mine.connect(("127.0.0.1", port))
            return "connected"

        def abstract() -> str:
            with socket.socket(socket.AF_UNIX) as mine:
                mine.connect(f"\0impbench-{port}")
            return "connected"

        return {
            "tcp": attempt(lambda: connect(socket.SOCK_STREAM)),
            "udp": attempt(lambda: connect(socket.SOCK_DGRAM)),
            "listen": attempt(lambda: socket.create_server(("127.0.0.1", 0))),
            "abstract": attempt(abstract),
        }


@dataclass(frozen=True)
class Signals(_Attack):
    """Send signals to runner and scorer."""

    name = "sends-signals"

    def attack(self, observed: Observed, context: Context) -> dict[str, str]:
        def send(pid: int) -> str:
            os.kill(pid, signal.SIGCONT)
            return "sent"

        results = {str(pid): attempt(lambda p=pid: send(p)) for pid in _others()}
        return {pid: result for pid, result in results.items() if result != REFUSED}


@dataclass(frozen=True)
class Carries(_Attack):
    """Leave something for the next job, in every place there is."""

    name = "carries"
    stochastic = True

    def prepare(self, context: Context) -> None:
        self.__class__.memory = mmap.mmap(-1, 4096)  # type: ignore[attr-defined]

    def attack(self, observed: Observed, context: Context) -> dict[str, str]:
        got = {}
        home = Path.home()
        places = [
            *(Path(folder) for folder in ("/tmp", "/var/tmp", "/dev/shm", "/run", self.target)),
            *(home, home / ".cache", home / ".cache" / "numba", home / ".config"),
            *(Path(__file__).parent, Path(np.__file__).parent, Path("/dev/mqueue")),
        ]
        for place in places:
            file = place / f"left-{self.target.rpartition('/')[2]}"
            found = attempt(file.read_text)
            if found != REFUSED:
                got[str(file)] = found
            attempt(lambda f=file: f.write_text(str(context.seed)))
        memory = self.__class__.memory  # type: ignore[attr-defined]
        if memory[0]:
            got["memory"] = str(memory[0])
        memory[0] = context.seed
        got |= _by_number(context.seed)
        return got


def _by_number(seed: int) -> dict[str, str]:
    """Use memory and keys that have a number in place of a path."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.shmat.restype = ctypes.c_void_p
    number = libc.shmget(77_011_213, 4096, 0o1600)
    if number == -1:
        return {}
    address = ctypes.c_void_p(libc.shmat(number, None, 0))
    found = ctypes.c_int.from_address(address.value or 0)
    got = {"shared memory": str(found.value)} if found.value else {}
    found.value = seed
    return got


@dataclass(frozen=True)
class PreparesAhead(_Attack):
    """Look for data while nothing is timed."""

    name = "prepares-ahead"

    def prepare(self, context: Context) -> None:
        found = []
        for folder in (self.target, f"{self.target}/.work", f"{self.target}/.work/views"):
            if attempt(lambda f=folder: os.listdir(f)) != REFUSED:
                found.append(folder)
        for request in (Path("../request.json"), Path(sys.argv[1])):
            if attempt(request.read_text) != REFUSED:
                found.append(str(request))
        self.__class__.found = found  # type: ignore[attr-defined]

    def attack(self, observed: Observed, context: Context) -> dict[str, str]:
        return dict.fromkeys(self.__class__.found, "found")  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Reaches(_Attack):
    """Change what the runner may use, talk to who listens: calls that no path is checked for."""

    name = "reaches-out"

    def attack(self, observed: Observed, context: Context) -> dict[str, str]:
        parent = os.getppid()
        limit = resource.RLIMIT_MSGQUEUE
        daemon = Path(self.target) / "daemon.sock"

        def talk(name: str) -> str:
            with socket.socket(socket.AF_UNIX) as mine:
                mine.connect(name)
            return "connected"

        return {
            "limits": attempt(lambda: resource.prlimit(parent, limit, (1001, 819200))),
            "cores": attempt(lambda: os.sched_setaffinity(parent, {0})),
            "priority": attempt(lambda: os.setpriority(os.PRIO_PROCESS, parent, 15)),
            "socket of a daemon": attempt(lambda: talk(str(daemon))),
            "between jobs": attempt(lambda: socket.socket(16, socket.SOCK_RAW, 2)),
            "attribute": attempt(lambda: os.setxattr(__file__, "user.left", b"1")),
            "device": attempt(lambda: os.mknod("kmsg", 0o020600, os.makedev(1, 11))),
            "brother": _brother(),
        }


def _brother() -> str:
    """Start a process that is the runner's child, and not ours."""
    clone, parent_too = (56 if os.uname().machine == "x86_64" else 220), 0x8000 | signal.SIGCHLD
    pid = ctypes.CDLL(None).syscall(clone, parent_too, 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    return REFUSED if pid < 0 else "started"


@dataclass(frozen=True)
class Marks(_Attack):
    """Leave marks at a file of the user: its permissions and times."""

    name = "marks-files"

    def attack(self, observed: Observed, context: Context) -> dict[str, str]:
        for path in (self.target, __file__):
            os.chmod(path, 0o640 + context.seed)
            os.utime(path, (1, 1))
        return {}


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    return list(_Attack.__subclasses__())
