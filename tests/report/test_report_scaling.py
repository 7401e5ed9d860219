"""Growth with the number of cells: exponents and limits against numbers worked out by hand."""

import pandas as pd
import pytest

from impbench.metrics.cost import peak_memory, wall_seconds
from impbench.report.analysis.run import run_of_results
from impbench.report.analysis.tables import summarise
from impbench.report.figures.drawing import save, style
from impbench.report.figures.scaling import growth_of, scaling, sizes_of
from impbench.report.figures.scene import Scene
from impbench.results.manifest import AboutDataset, RunManifest
from impbench.results.table import COLUMNS

METRICS = {metric.name: metric for metric in (wall_seconds, peak_memory)}
SIZES = (1000, 10_000, 100_000)


@pytest.fixture
def run():
    rows = []
    for n in SIZES:
        for imputer, seconds in (("linear", n / 1000), ("quadratic", n**2 / 1e6)):
            stopped = imputer == "quadratic" and n == 100_000
            status, reason = ("timeout", "too long") if stopped else ("ok", "")
            for metric, value in (("wall-seconds", seconds), ("peak-memory", 500.0)):
                value = float("nan") if stopped else value
                key = f"{imputer}{n}"
                rows.append(
                    (f"s[n_cells={n}]", "p", imputer, "{}", 1, metric, value, status, reason, key)
                )
    manifest = RunManifest(
        datasets={f"s[n_cells={n}]": AboutDataset(f"s[n_cells={n}]", n_cells=n) for n in SIZES}
    )
    return run_of_results(pd.DataFrame(rows, columns=COLUMNS), manifest, METRICS)


def test_exponents_are_slopes_and_limits_name_size_and_reason(run):
    cells = sizes_of(run)["s"]
    assert list(cells.values()) == list(SIZES)
    linear, quadratic = growth_of(run, summarise(run), cells)
    assert linear.time == pytest.approx(1)
    assert linear.memory == pytest.approx(0)
    assert linear.limit == ""
    # Two sizes are no line.
    assert quadratic.time != quadratic.time
    assert quadratic.limit == "timeout at 100000"


def test_figure_says_both(run, tmp_path):
    with style():
        svg = save(scaling.draw(Scene.of(run)), tmp_path, "scaling", "", png=False)
    assert "linear: 1.00, 0.00" in svg
    assert "timeout at 100000" in svg


def test_two_sizes_are_no_growth(run):
    few = run.results[run.results["dataset"] != "s[n_cells=1000]"]
    run = run_of_results(few, run.manifest, METRICS)
    assert sizes_of(run) == {}
    assert scaling.draw(Scene.of(run)) is None
