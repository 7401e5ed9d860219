"""What all tests share."""

from __future__ import annotations

import os

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Give each test process its own cache of compiled code.

    numba numbers the variants of a function as they come, so processes that compile one function
    for different types at the same time can overwrite each other's code.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    os.environ["NUMBA_CACHE_DIR"] = str(config.rootpath / ".pytest_cache" / "numba" / worker)
