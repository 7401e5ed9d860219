"""Let the fuzz tests import what they share, and try HDF5 files in forks, which start at once."""

import os
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

from strangers import unwatched

from impbench.data import hdf5_trial


@pytest.fixture(scope="session", autouse=True)
def _trials_in_forks():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hdf5_trial, "attempt", attempt_in_a_fork)
        yield


def attempt_in_a_fork(path: Path, whole: bool) -> int:
    """Read a file in a fork; the program of its own, tests/datasets/test_hdf5.py, takes 0.2 s."""
    with unwatched():
        child = os.fork()
    if child == 0:
        os._exit(hdf5_trial.try_reading(str(path), whole))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
