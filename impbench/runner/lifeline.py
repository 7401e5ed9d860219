"""How a process that the runner started ends as soon as the runner is gone, however it went."""

from __future__ import annotations

import os
import signal
import sys
import threading


def die_with_parent() -> None:
    """End this process group as soon as standard input closes, which the runner holds open."""

    def watch() -> None:
        while os.read(0, 1024):
            pass
        os.killpg(0, signal.SIGKILL)

    if not sys.stdin.isatty():
        threading.Thread(target=watch, daemon=True).start()
