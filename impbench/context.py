"""What a method may use, and may ask for, while it imputes.

Like `impbench.imputer`, this file also runs in environments that hold NumPy and SciPy alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from impbench.errors import InputError


@dataclass(frozen=True)
class Context:
    """What an imputer may use: its seed, device, threads and a folder of its own.

    Attributes
    ----------
    seed
        Every random number must come from it.
    device
        ``"cpu"``, ``"cuda"`` or ``"cuda:N"``; ``"auto"`` lets the method choose.
    threads
        How many threads the method may keep busy.
    scratch
        A folder to write to, deleted afterwards; None means nothing may be written.
    on_progress
        Called by `progress`; it may raise `impbench.errors.Cancelled` to stop the method.
    memory
        Bytes the method may take: the limit that a run sets, or what the machine has left; None
        where nobody counts.
    """

    seed: int = 1
    device: str = "cpu"
    threads: int = 1
    scratch: Path | None = None
    on_progress: Callable[[int, int], None] | None = field(default=None, compare=False)
    memory: int | None = None

    def need_memory(self, n_bytes: float, what: str) -> None:
        """Refuse before it begins what cannot be held.

        Parameters
        ----------
        n_bytes
            What the method takes at least, besides its data.
        what
            What takes it, such as ``"distances between all pairs of 90000 cells"``.

        Raises
        ------
        InputError
            If that is more than `memory`.
        """
        if self.memory is not None and n_bytes > self.memory:
            raise InputError(
                f"{what} would take {n_bytes / 2**30:.3g} GiB or more, and "
                f"{self.memory / 2**30:.3g} GiB may be used: take fewer cells or genes, or a "
                "machine (or --memory) that has as much"
            )

    def progress(self, done: int, total: int) -> None:
        """Report that `done` of `total` steps are finished; call it about every second."""
        if self.on_progress is not None:
            self.on_progress(done, total)
