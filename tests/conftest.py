"""What all tests share."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from impbench.external.r.packages import RPackage, lack_of_r

R_IS_THERE = "IMPBENCH_TESTS_NEED_R"
"""Set where the tests of R must run: what R lacks is then an error, and no reason to skip them."""

# A busy machine must not fail a test: an example may take as long as it takes.
hypothesis_settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("untimed")


def pytest_configure(config: pytest.Config) -> None:
    """Give each test process its own cache of compiled code, and see to it that R is there.

    numba numbers the variants of a function as they come, so processes that compile one function
    for different types at the same time can overwrite each other's code.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    os.environ["NUMBA_CACHE_DIR"] = str(config.rootpath / ".pytest_cache" / "numba" / worker)
    if os.environ.get(R_IS_THERE):
        bioconductor = ("scran", "SingleCellExperiment", "BiocParallel")
        packages = [
            *(RPackage(name, "Bioconductor") for name in bioconductor),
            *(RPackage(name) for name in ("Matrix", "glmnet", "bit64")),
        ]
        if lack := lack_of_r() or next(filter(None, (item.lack() for item in packages)), None):
            raise pytest.UsageError(f"{R_IS_THERE} is set, but {lack}")
