"""Linear algebra on one thread."""

import os
import subprocess
import sys

PROGRAM = """
import numpy
from threadpoolctl import threadpool_info
from impbench_plugins.shared.one_thread import one_thread

def threads():
    return [pool["num_threads"] for pool in threadpool_info()]

with one_thread():
    print(threads())
import scipy.linalg  # It brings a BLAS of its own.
before = threads()
with one_thread():
    print(threads())
print(threads() == before)
"""


def test_libraries_loaded_before_and_after_the_first_use_keep_to_one_thread_and_get_theirs_back():
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"},
    )
    assert found.stdout.splitlines() == ["[1]", "[1, 1]", "True"]
