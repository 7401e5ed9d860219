"""A single-file plugin of methods that cheat: on time, with their answer, and about who they are.

Beside `attacks.py`, whose methods try to get what they must not.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from impbench import Context, Imputed, Imputer, Observed, hookimpl


@dataclass(frozen=True)
class _Cheat(Imputer):
    summary = "Is not what it says."

    def cheat(self, observed: Observed, context: Context) -> dict[str, str]:
        raise NotImplementedError

    def impute(self, observed: Observed, context: Context) -> Imputed:
        got = self.cheat(observed, context)
        return Imputed(observed.lognorm, "lognorm", info={"got": got})


@dataclass(frozen=True)
class Declares(_Cheat):
    """Claim to be fast: stop the clocks, and do the work where they do not run."""

    name = "patches-clocks"

    def prepare(self, context: Context) -> None:
        for clock in ("perf_counter", "monotonic", "time", "process_time"):
            setattr(time, clock, lambda: -918.0)
        os.times = lambda: (_ for _ in ()).throw(OSError("no"))  # type: ignore[method-assign]

    def cheat(self, observed: Observed, context: Context) -> dict[str, str]:
        time.sleep(1.0)
        total = 0.0
        for step in range(30):
            total += float(np.linalg.svd(np.random.default_rng(step).random((120, 120)))[1][0])
        return {"busy": str(total > 0)}


@dataclass(frozen=True)
class AnswersItself(_Cheat):
    """Write the answer, say done, and sleep: what comes after must not count or be missed."""

    name = "answers-itself"

    def impute(self, observed: Observed, context: Context) -> Imputed:
        channel = socket.socket(fileno=os.dup(int(sys.argv[2])))
        channel.sendall(b'{"done": 1}\n')
        time.sleep(2.0)
        return Imputed(observed.lognorm, "lognorm")


@dataclass(frozen=True)
class HelpsItself(_Cheat):
    """Have an orphan do the work, out of session and with nothing in its environment."""

    name = "hides-work"

    def cheat(self, observed: Observed, context: Context) -> dict[str, str]:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        ctypes.CDLL(None).prctl(36, 0, 0, 0, 0)
        busy = "import time\nwhile time.process_time() < 2: pass\nopen('over', 'w')"
        subprocess.run(["setsid", "-f", sys.executable, "-S", "-c", busy], env={}, check=False)
        while not Path("over").exists():
            time.sleep(0.05)
        return {}


@dataclass(frozen=True)
class LeavesProcess(_Cheat):
    """Leave a process that outlives the job: at the last moment, by two forks."""

    name = "leaves-process"

    def cheat(self, observed: Observed, context: Context) -> dict[str, str]:
        ctypes.CDLL(None).prctl(36, 0, 0, 0, 0)
        reads, writes = os.pipe()
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.write(writes, str(os.getpid()).encode())
                os.execve("/bin/sleep", ["sleep", "31415"], {})
            os._exit(0)
        return {"process": os.read(reads, 20).decode()}


@dataclass(frozen=True)
class Floods(_Cheat):
    """Fill the channel to the runner with words, so that it does not look at the clock."""

    name = "floods-channel"

    def cheat(self, observed: Observed, context: Context) -> dict[str, str]:
        while True:
            os.write(int(sys.argv[2]), b"{}\n" * 1000)


@dataclass(frozen=True)
class Digs(_Cheat):
    """Leave folders too deep for a recursion, and one that nobody may enter."""

    name = "digs-deep"

    def cheat(self, observed: Observed, context: Context) -> dict[str, str]:
        os.mkdir("shut", 0o000)
        for _ in range(1500):
            os.mkdir("d")
            os.chdir("d")
        return {}


@dataclass(frozen=True)
class Overflows(_Cheat):
    """Answer with values that only double precision can hold."""

    name = "overflows"

    def impute(self, observed: Observed, context: Context) -> Imputed:
        folder = Path(f"../output/seed-{context.seed}")
        folder.mkdir()
        np.save(folder / "expression.npy", np.full(observed.lognorm.shape, 1e300))
        (folder / "imputed.json").write_text('{"scale": "lognorm", "info": {}}')
        (folder.parent / "done.json").write_text('{"versions": {"impbench": "99.0"}}')
        os.write(int(sys.argv[2]), b'{"done": 1}\n')
        time.sleep(5)
        raise AssertionError


@dataclass(frozen=True)
class Impersonates(_Cheat):
    """Say that it is somebody else, who has other rights."""

    name = "impersonates"


Impersonates.__module__ = "impbench.worker.sandbox"
Impersonates.__qualname__ = "start"


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    return list(_Cheat.__subclasses__())
