"""Time what the scripts beside this file compare."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def timed(work: Callable[..., Any], *given: Any) -> tuple[float, Any]:
    """Return seconds of processor time of this process, and the result."""
    start = time.process_time()
    result = work(*given)
    return time.process_time() - start, result
