"""Use a benchmark's scores in a pytest test, and compare them with a baseline if one is given.

::

    def test_scores_hold(impbench_scores):
        scores = impbench_scores("default", imputers=["my-method"], plugins=["my_method.py"])

With ``pytest --impbench-baseline baseline.json`` the test fails where `impbench check` would.
"""

# Every pytest of the environment imports this file: nothing heavy at its top.
from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import pandas as pd

    from impbench.plan.suite import Suite

Scores = Callable[..., "pd.DataFrame"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--impbench-baseline``."""
    parser.getgroup("impbench").addoption(
        "--impbench-baseline",
        metavar="FILE",
        help="hold the scores of tests that use `impbench_scores` against this baseline",
    )


@pytest.fixture
def impbench_scores(request: pytest.FixtureRequest, tmp_path: Path) -> Scores:
    """Run a benchmark, hold it against ``--impbench-baseline``, and return its tidy scores.

    The fixture is a function of what `impbench.run` takes (suite, imputers, datasets, protocols,
    plugins, settings; `seeds` is 5 unless given) and of what `impbench check` takes: `floors` such
    as ``["mse=1%"]`` and `allow_missing`. It returns a data frame with the columns dataset,
    protocol, imputer, params, seed, metric, value, status, reason and key.
    """
    option = request.config.getoption("--impbench-baseline")
    folders = (tmp_path / f"impbench-{number}" for number in itertools.count(1))

    def scores(
        suite: str | Path | Suite = "default",
        *,
        seeds: int | Sequence[int] = 5,
        floors: Sequence[str] = (),
        allow_missing: bool = False,
        **choice: Any,
    ) -> pd.DataFrame:
        from impbench.api import run

        results = run(suite, next(folders), seeds=seeds, report=False, **choice)
        if option is not None:
            # A relative path is meant from where pytest was started, whatever a test has done.
            path = request.config.invocation_params.dir / option
            _hold(results.folder, path, floors, allow_missing)
        return results.scores

    return scores


def _hold(folder: Path, baseline: Path, floors: Sequence[str], allow_missing: bool) -> None:
    from impbench.errors import ImpbenchError
    from impbench.regress.baseline import read_baseline
    from impbench.regress.check import check
    from impbench.regress.measured import measure
    from impbench.regress.output import terminal_text
    from impbench.regress.rules import Rules, read_floors

    try:
        base = read_baseline(baseline)
        rules = Rules(floors=read_floors(floors, base.metrics), allow_missing=allow_missing)
        found = check(base, measure(folder), rules)
    except ImpbenchError as error:
        pytest.fail(f"{error}\n(the run is in {folder})", pytrace=False)
    if found.exit_code != 0:
        pytest.fail(terminal_text(found, str(folder), str(baseline)), pytrace=False)
