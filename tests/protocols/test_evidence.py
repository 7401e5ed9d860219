"""What protocols offer and metrics need: a stranger's as ours, and slips that are named."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from impbench import Imputed, Observed, hookimpl, metric
from impbench import registry as registry_module
from impbench.cli import app
from impbench.errors import InputError
from impbench.hooks import brought_by
from impbench.plugin_file import module_name
from impbench.protocols.evidence import OF_EVERY_PROBLEM, check_needs, check_offers
from impbench.protocols.protocol import Hidden, Problem
from impbench.registry import load_file, registry
from impbench.scoring.score import _evidence

EXAMPLES = Path(__file__).parents[1] / "example_plugins"
QUESTION, SCORE = EXAMPLES / "velocity_question.py", EXAMPLES / "velocity_score.py"
COST = dict.fromkeys(("wall_seconds", "cpu_seconds", "peak_memory"), 1.0)


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A registry of this test's own, forgotten afterwards."""
    monkeypatch.setattr(registry_module, "_files", [])
    registry.cache_clear()
    yield
    registry.cache_clear()


def run(out: Path, *plugins: Path) -> Any:
    named = [word for plugin in plugins for word in ("--plugin", str(plugin))]
    asked = ["--datasets", "sim_equal[n_cells=60,n_genes=50]", "--protocols", "velocity"]
    more = ["--imputers", "no-imputation", "--seeds", "1", "--no-report", "--out", str(out)]
    return CliRunner().invoke(app, ["run", *named, *asked, *more])


def edited(path: Path, folder: Path, old: str, new: str) -> Path:
    text = path.read_text()
    assert old in text
    copy = folder / path.name
    copy.write_text(text.replace(old, new))
    return copy


def test_a_strangers_metric_scores_a_strangers_protocol_by_evidence_of_its_own(fresh, tmp_path):
    done = run(tmp_path / "out", QUESTION, SCORE)
    assert done.exit_code == 0, done.output
    scores = {}
    for path in (tmp_path / "out" / "records").glob("*.json"):
        record = json.loads(path.read_text())
        assert record["status"] == "ok", record["reason"]
        scores[record["job"]["imputer"]] = record["scores"]["velocity-mse"]
    assert scores["oracle"] == 0
    dataset = registry().dataset("sim_equal[n_cells=60,n_genes=50]").load()
    problem = registry().protocol("velocity").pose(dataset, 1)
    error = np.diff(problem.observed.lognorm, axis=0) - problem.hidden.extra["velocity_true"]
    assert scores["no-imputation"] == pytest.approx(np.mean(error**2))


def test_a_metric_whose_need_no_protocol_offers_is_refused_when_asked_for(fresh, tmp_path):
    load_file(SCORE)
    load_file(edited(QUESTION, tmp_path, '"velocity_true": "', '"velocity_truth": "'))
    with pytest.raises(InputError) as caught:
        registry().metric("velocity-mse")
    text = str(caught.value)
    assert "metric 'velocity-mse' needs 'velocity_true', which no protocol offers" in text
    assert "did you mean 'velocity_truth'" in text
    assert "imputed_counts" in text
    assert "masked_truth" in text
    assert "velocity_found" in text
    shown = CliRunner().invoke(app, ["info", "velocity-mse"])
    assert "velocity_truth" in str(shown.exception)


def test_what_a_strangers_protocol_offers_is_known_without_importing_it(fresh, tmp_path):
    load_file(SCORE)
    load_file(copy := edited(QUESTION, tmp_path, "A stranger's", "Another stranger's"))
    assert registry().metric("velocity-mse").name == "velocity-mse"
    assert registry().offers()["velocity_true"] == ["velocity"]
    assert module_name(copy.resolve()) not in sys.modules
    registry().protocol("velocity")
    assert module_name(copy.resolve()) in sys.modules


def test_a_run_is_refused_whose_protocol_names_a_metric_without_offering_what_it_needs(
    fresh, tmp_path
):
    slip = edited(QUESTION, tmp_path, '"velocity_true": "', '"velocity_truth": "')
    done = run(tmp_path / "out", slip, SCORE)
    text = str(done.exception)
    assert "the metric 'velocity-mse' needs 'velocity_true'" in text
    assert "the protocol 'velocity', which names this metric, does not offer" in text
    assert "did you mean 'velocity_truth'" in text
    assert not list((tmp_path / "out").glob("records/*"))


@pytest.mark.parametrize(
    ("offers", "complaint"),
    [
        (["velocity_true"], "has offers of type list"),
        ({"velocity true": "x"}, "offers 'velocity true', which cannot be the name"),
        ({"truth": "another truth"}, "offers 'truth', which every problem has already"),
        ({"velocity_true": ""}, "without one line of text"),
        ({"velocity_true": "two\nlines"}, "without one line of text"),
        ({"velocity_true": 3}, "without one line of text"),
    ],
)
def test_a_protocol_with_a_slip_in_what_it_offers_is_refused_at_registration(offers, complaint):
    with pytest.raises(InputError, match=f"the protocol 'slip' .*{complaint}"):
        check_offers("slip", offers)

    class Plugin:
        @hookimpl
        def impbench_protocols(self) -> list[Any]:
            return [SimpleNamespace(name="slip", summary="", offers=offers)]

    brought = brought_by(Plugin(), "mine")
    assert brought.parts["protocols"] == {}
    assert complaint in brought.broken[0].reason


def test_sums_over_cells_are_checked_as_the_metric_itself_is():
    @metric("odd", title="Odd", direction="min", per_cell=lambda moon: moon)
    def odd(imputed):
        return 0.0

    with pytest.raises(InputError, match="'odd' needs 'moon', which no protocol offers"):
        check_needs(odd, [])
    check_needs(odd, ["moon"])


def test_every_problem_has_what_is_listed_and_a_protocol_adds_only_what_it_declares():
    problem = Problem(Observed.from_counts(np.ones((3, 2))), Hidden(extra={"private": 1}), ())
    imputed = Imputed(problem.observed.lognorm, "lognorm")
    asked: Any = SimpleNamespace(name="asks", offers={"late": "one line"})
    asked.evidence = lambda *_: {"secret": lambda: 2}
    offers = _evidence(problem, imputed, asked, 1, COST)
    assert set(offers) == {*OF_EVERY_PROBLEM, "late"}
    with pytest.raises(InputError, match="'asks' offers 'late' but brings none"):
        offers["late"]()


@pytest.mark.parametrize("name", sorted(part.name for part in registry().protocols.ours()))
def test_our_protocols_bring_all_that_they_offer_and_nothing_else(name):
    protocol = registry().protocol(name)
    dataset = registry().dataset("sim_equal[n_cells=80,n_genes=120]").load()
    # As if two kinds of cells had been mixed, and every second cell were a technical control.
    first = np.resize([0.0, 0.5, 1.0], 80)
    known = {"proportion_a": first, "proportion_b": 1 - first, "technical": np.arange(80) % 2 == 1}
    dataset = replace(dataset, cells=pd.DataFrame(known, index=dataset.cell_names))
    problem = protocol.pose(dataset, 1)
    imputed = Imputed(problem.observed.lognorm, "lognorm")
    brought = {*problem.hidden.extra, *protocol.evidence(problem, imputed, 1)}
    assert brought == set(protocol.offers)
