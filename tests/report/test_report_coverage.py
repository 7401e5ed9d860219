"""Observed against nominal coverage: shares won back from the scores, and what is drawn of them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from impbench.metrics import coverage
from impbench.metrics.metric import Metric
from impbench.report.analysis.run import run_of_results
from impbench.report.figures.coverage import coverage as coverage_figure
from impbench.report.figures.coverage import observed_coverage
from impbench.report.figures.drawing import save, style
from impbench.report.figures.scene import Scene
from impbench.results.manifest import RunManifest
from impbench.results.table import COLUMNS

METRICS = {item.name: item for item in vars(coverage).values() if isinstance(item, Metric)}
SHARES = {
    "narrow": [[0.3, 0.6, 0.75], [0.2, 0.5, 0.65]],
    "wide": [[0.8, 0.95, 1.0], [0.7, 1.0, 1.0]],
}


def shares_below(covered):
    """1000 values of which `covered` lie in the intervals of 50, 90 and 95 %."""
    counts = np.diff([0, *(round(1000 * share) for share in covered), 1000])
    return np.repeat([0.5, 0.2, 0.04, 0.01], counts)


@pytest.fixture
def run():
    rows = []
    answers = {**SHARES, "silent": [None, None]}
    for imputer, seeds in answers.items():
        for seed, covered in enumerate(seeds, 1):
            pit = np.empty(0) if covered is None else shares_below(covered)
            for name, metric in METRICS.items():
                value = metric(pit)
                key = f"{imputer}{seed}"
                rows.append(("d", "p", imputer, "{}", seed, name, value, "ok", "", key))
    return run_of_results(pd.DataFrame(rows, columns=COLUMNS), RunManifest(), METRICS)


def draw(run, folder):
    with style():
        drawn = coverage_figure.draw(replace(Scene.of(run), protocol="p"))
        return None if drawn is None else save(drawn, folder, "coverage", "", png=False)


@pytest.mark.parametrize("imputer", SHARES)
def test_shares_covered_are_those_of_the_entries_on_either_side_of_the_level(run, imputer):
    found = observed_coverage(run, "d", "p", imputer)
    np.testing.assert_allclose(found, np.transpose(SHARES[imputer]), atol=1e-12)


def test_a_method_without_intervals_has_no_line_but_is_counted(run, tmp_path):
    assert observed_coverage(run, "d", "p", "silent") is None
    svg = draw(run, tmp_path)
    assert "silent" not in svg
    assert "1 imputer without" in svg
    assert all(f">{imputer}<" in svg for imputer in SHARES)


def test_no_figure_where_nobody_states_intervals(run, tmp_path):
    rows = run.results[run.results["imputer"] == "silent"]
    assert draw(run_of_results(rows, run.manifest, METRICS), tmp_path) is None


def test_the_same_run_gives_the_same_figure(run, tmp_path):
    assert draw(run, tmp_path) == draw(run, tmp_path)
