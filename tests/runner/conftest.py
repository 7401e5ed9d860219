"""Offer the hostile imputers, and the module of the small runs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from impbench.registry import load_file

sys.path.insert(0, str(Path(__file__).parent))

from tiny_runs import HOSTILE


@pytest.fixture(scope="module")
def hostile() -> None:
    load_file(HOSTILE)
