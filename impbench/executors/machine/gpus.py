"""Share the GPUs of one machine: one job at a time on each."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from impbench.plan.task import Task


def find_gpus() -> tuple[str, ...]:
    """Name the GPUs that jobs may use, as ``CUDA_VISIBLE_DEVICES`` does.

    That variable decides where it is set, as batch systems do; otherwise those that
    ``nvidia-smi -L`` lists.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        names = tuple(name.strip() for name in visible.split(",") if name.strip())
        # CUDA's way to say none.
        return () if names[:1] in (("-1",), ("NoDevFiles",)) else names
    return _listed()


@cache
def _listed() -> tuple[str, ...]:
    if shutil.which("nvidia-smi") is None:
        return ()
    listing = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=60)
    lines = [line for line in listing.stdout.splitlines() if line.startswith("GPU ")]
    return tuple(line.rpartition("UUID: ")[2].rstrip(")") for line in lines)


class Gpus:
    """Which of this machine's GPUs are free; may be used from several threads."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._free = list(names)
        self._lock = threading.Lock()

    def lack(self, task: Task) -> str:
        """Say what `task` needs that is not here; empty where all is."""
        wanted = _number(task.device)
        if task.device == "cpu" or len(self._names) > (wanted or 0):
            return ""
        n = len(self._names)
        there = "no GPU" if n == 0 else "1 GPU" if n == 1 else f"{n} GPUs"
        return f"device {task.device!r} was asked for, and there is {there}; use --device cpu"

    def place(self, task: Task) -> Task | None:
        """Reserve the GPU for `task`, which learns of it; None while that is busy."""
        if task.device == "cpu":
            return task
        with self._lock:
            wanted = _number(task.device)
            usable = self._free if wanted is None else [self._names[wanted]]
            if not usable or usable[0] not in self._free:
                return None
            name = usable[0]
            self._free.remove(name)
        return replace(task, gpu=name)

    def give_back(self, task: Task) -> None:
        """End what `place` began; takes the task that `place` returned."""
        if task.gpu is not None:
            with self._lock:
                self._free.append(task.gpu)


def _number(device: str) -> int | None:
    """Return the N of ``cuda:N``; None for ``cuda``, any of them."""
    number = device.partition(":")[2]
    return int(number) if number else None
