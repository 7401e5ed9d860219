"""A published run of a small suite, and a stranger's method."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from impbench.registry import load_file

sys.path.insert(0, str(Path(__file__).parent))
os.environ.setdefault("IMPBENCH_TEST_PROCESS", str(os.getpid()))

from published import HOSTILE, publish


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as one is committed; nobody may write into it."""
    return publish(tmp_path_factory.mktemp("reports") / "published")


@pytest.fixture(scope="session", autouse=True)
def hostile() -> None:
    load_file(HOSTILE)
