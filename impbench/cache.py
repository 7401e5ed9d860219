"""Where impbench keeps what it would have to fetch, build or compile again."""

from __future__ import annotations

import os
from pathlib import Path

CACHE_VARIABLE = "IMPBENCH_CACHE"


def cache_of(part: str) -> Path:
    """Return the folder of one part, under ``IMPBENCH_CACHE`` or else in the user's cache folder.

    Parameters
    ----------
    part
        ``data``, ``environments`` or ``compiled``.
    """
    import platformdirs

    text = os.environ.get(CACHE_VARIABLE)
    base = Path(text).expanduser() if text else platformdirs.user_cache_path("impbench")
    return base / part
