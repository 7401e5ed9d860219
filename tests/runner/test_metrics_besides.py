"""Metrics that the user names are scored besides those of the protocols."""

from __future__ import annotations

from pathlib import Path

import pytest

import impbench
from impbench import api, registry
from impbench.errors import InputError, NotFoundError
from impbench.plan.suite import Question, Suite
from impbench.registry import load_file
from impbench.runner.run import Results
from impbench.runner.settings import Listener, Settings

pytestmark = pytest.mark.slow

METRIC = """
import numpy as np
from impbench import hookimpl, metric


@metric("zero-error", title="Zero error", direction="min", range=(0, 1))
def zero_error(imputed, truth):
    '''Difference between the shares of zeros.'''
    return abs(float((imputed <= 0).mean()) - float((truth == 0).mean()))


@metric("spread", title="Spread", direction="min")
def spread(std):
    '''Mean standard deviation.'''
    return float(std.mean())


@hookimpl
def impbench_metrics():
    return [zero_error, spread]
"""
IDLE = """
from dataclasses import dataclass
import impbench


@dataclass(frozen=True)
class Idle(impbench.Imputer):
    name, summary = "idle", "Does nothing"

    def impute(self, observed, context):
        return impbench.Imputed(observed.lognorm.copy(), "lognorm")


@impbench.hookimpl
def impbench_imputers():
    return [Idle]
"""
SIMULATED = "sim_equal[n_cells=40,n_genes=60]"
SUITE = Suite(
    name="tiny",
    title="tiny",
    description="",
    questions=(Question((SIMULATED,), ("simulated-truth",)),),
    imputers=("gene-mean",),
    seeds=1,
    controls=False,
)


class Heard(Listener):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, int, int]] = []
        self.notices: list[str] = []

    def preparing(self, what: str, done: int, total: int) -> None:
        self.steps.append((what, done, total))

    def noticed(self, text: str) -> None:
        self.notices.append(text)


HEARD = Heard()


@pytest.fixture(autouse=True)
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(registry, "_files", [])
    path = tmp_path / "share_of_zeros.py"
    path.write_text(METRIC)
    load_file(path)
    return path


def run(out: Path, *metrics: str) -> Results:
    settings = Settings(jobs=1, threads=1)
    return impbench.run(
        SUITE, out, metrics=metrics, report=False, settings=settings, listener=HEARD
    )


def keys(results: Results) -> set[str]:
    return set(results.scores.key)


def test_metric_is_scored_besides_and_no_other_job_is_touched(tmp_path: Path, plugin: Path) -> None:
    HEARD.steps.clear()
    plain = run(tmp_path / "out")
    spec = "simulated-truth"
    assert HEARD.steps == [(SIMULATED, 0, 2), (f"{SIMULATED}: {spec}", 1, 2)]
    assert "zero-error" not in set(plain.scores.metric)
    scored = run(tmp_path / "out", "zero-error")
    mine = scored.scores[scored.scores.metric == "zero-error"].set_index("imputer").value
    assert mine["oracle"] == 0
    assert 0 < mine["gene-mean"] < 1
    assert not keys(plain) & keys(scored), "a record without the score is not one with it"
    assert keys(run(tmp_path / "out", "zero-error")) == keys(scored)
    shared = [table.scores.query("metric == 'mse'").value.tolist() for table in (plain, scored)]
    assert shared[0] == shared[1]
    assert keys(run(tmp_path / "out")) == keys(plain)
    plugin.write_text(METRIC.replace("abs(", "2 * abs("))
    load_file(plugin)
    assert not keys(run(tmp_path / "out", "zero-error")) & keys(scored), "its code has changed"


def test_metric_that_no_question_can_answer_is_refused(tmp_path: Path) -> None:
    choice = {"datasets": ["pbmc68k-reduced[genes=50]"], "protocols": ["clustering"]}
    with pytest.raises(InputError, match=r"no question .* 'zero-error' needs, which is imputed, t"):
        impbench.run(SUITE, tmp_path / "x", metrics=["zero-error"], report=False, **choice)


def test_metric_must_exist_and_be_one_that_every_imputer_can_have() -> None:
    with pytest.raises(NotFoundError, match="did you mean zero-error"):
        api.plan(SUITE, metrics=["zero-erro"])
    with pytest.raises(InputError, match="needs std, which only some imputers give"):
        api.plan(SUITE, metrics=["spread"])


def test_plugin_file_whose_imputers_take_no_part_is_said(tmp_path: Path) -> None:
    path = tmp_path / "idle.py"
    path.write_text(IDLE)
    load_file(path)
    HEARD.notices.clear()
    run(tmp_path / "out")
    assert HEARD.notices == [
        f"{path} brings idle, which this run does not use: name it in --imputers"
    ]
    assert api.plan(SUITE, imputers=["idle"]).idle == ()


def test_plugin_file_of_which_a_part_fails_is_said_with_its_reason(tmp_path: Path) -> None:
    path = tmp_path / "raises.py"
    path.write_text(
        "import impbench\n@impbench.hookimpl\ndef impbench_imputers(): raise OSError('disk gone')\n"
    )
    load_file(path)
    assert (
        f"plugin {path} failed to load, or a part of it: OSError: disk gone" in api.plan(SUITE).idle
    )
