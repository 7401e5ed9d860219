"""One small suite, run whole and in slices, each once for all tests."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
os.environ.setdefault("IMPBENCH_TEST_PROCESS", str(os.getpid()))

from slices import run

Slice = Callable[..., Path]


@pytest.fixture(scope="session")
def sliced(tmp_path_factory: pytest.TempPathFactory) -> Slice:
    """Return a function that gives the folder of a run of the suite, restricted as it says.

    Nobody may write into such a folder: tests share them.
    """
    folder = tmp_path_factory.mktemp("slices")
    done: dict[str, Path] = {}

    def of(name: str, **choice: object) -> Path:
        if name not in done:
            done[name] = folder / name
            run(done[name], **choice)
        return done[name]

    return of
