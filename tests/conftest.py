"""What all tests share."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from impbench.external.r.packages import RPackage, lack_of_r

R_IS_THERE = "IMPBENCH_TESTS_NEED_R"
"""Set where the tests of R must run, as in CI: a lack is an error then, and none may skip."""

# A busy machine must not fail a test: an example may take as long as it takes.
hypothesis_settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("untimed")


def pytest_configure(config: pytest.Config) -> None:
    """Keep compiled code among the test's own files, and see to it that R is there."""
    os.environ["NUMBA_CACHE_DIR"] = str(config.rootpath / ".pytest_cache" / "numba")
    if os.environ.get(R_IS_THERE):
        bioconductor = ("scran", "SingleCellExperiment", "BiocParallel")
        packages = [
            *(RPackage(name, "Bioconductor") for name in bioconductor),
            *(RPackage(name) for name in ("Matrix", "glmnet", "bit64")),
        ]
        if lack := lack_of_r() or next(filter(None, (item.lack() for item in packages)), None):
            raise pytest.UsageError(f"{R_IS_THERE} is set, but {lack}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what must not come at the end, or be taken apart.

    Whole pages of documentation take long. The attacks are run once for each process that tests
    them: of what one process has, others take over only the end.
    """
    first = ["test_docs.py", "test_attacks.py"]
    items.sort(key=lambda item: item.path.name not in first)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test of R that skips itself where R must be there, whatever it gives as its reason."""
    report = yield
    may_skip = not item.get_closest_marker("r") or item.get_closest_marker("data")
    if os.environ.get(R_IS_THERE) and report.skipped and not may_skip:
        report.outcome = "failed"
        report.longrepr = f"{R_IS_THERE} is set, but the test skipped itself: {report.longrepr}"
    return report
