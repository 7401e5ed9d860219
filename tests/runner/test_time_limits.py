"""A job's time limit: the user's if there is one, else the suite's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import impbench
from impbench.errors import InputError
from impbench.plan.suite import Question, Suite
from impbench.registry import load_file
from impbench.results.store import Store
from impbench.run_options import read_settings
from impbench.runner.settings import Settings

SUITE = Suite(
    name="hangs",
    title="hangs",
    description="",
    questions=(Question(("sim_equal[n_cells=40,n_genes=60]",), ("simulated-truth",)),),
    imputers=("hangs",),
    seeds=1,
    controls=False,
)


def reason(out: Path, suite: Suite, settings: Settings) -> str:
    load_file(Path(__file__).parents[1] / "example_plugins" / "hostile.py")
    impbench.run(suite, out, settings=settings, report=False)
    (record,) = [r for r in Store(out).read().records if r.job.imputer == "hangs"]
    assert record.status == "timeout"
    return record.reason


@pytest.mark.slow
def test_users_limit_goes_before_the_suites(tmp_path: Path) -> None:
    users = Settings(jobs=1, threads=1, timeout=4.0)
    assert "limit of 4 s" in reason(tmp_path, replace(SUITE, timeout=900.0), users)


@pytest.mark.slow
def test_suites_limit_holds_where_the_user_gives_none(tmp_path: Path) -> None:
    silent = Settings(jobs=1, threads=1)
    assert "limit of 4 s" in reason(tmp_path, replace(SUITE, timeout=4.0), silent)


@pytest.mark.parametrize(
    ("text", "seconds"), [(None, None), ("none", float("inf")), ("90s", 90), ("2h", 7200)]
)
def test_timeout_is_read_with_its_unit(text: str | None, seconds: float | None) -> None:
    assert read_settings(1, 1, text, None, "auto", False).timeout == seconds


@pytest.mark.parametrize("text", ["0", "-3m", "soon", "nan"])
def test_timeout_that_is_no_positive_number_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--timeout"):
        read_settings(1, 1, text, None, "auto", False)
