"""Where R or rpy2 is missing, the tests of the bridge are skipped; CI demands both.

`tests/conftest.py` fails every test of R that skips itself there.
"""

from __future__ import annotations

import pytest

from impbench.external.r.packages import lack_of_r


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    lack = lack_of_r()
    for item in items:
        if lack and "external/r/" in item.path.as_posix() and item.get_closest_marker("r"):
            item.add_marker(pytest.mark.skip(reason=lack))
