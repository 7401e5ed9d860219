"""A large run's page says each number once, and says what it leaves off."""

import re

import pytest

from impbench.report import write_report
from impbench.report.analysis import run as of_runs
from impbench.report.analysis.run import make_run

pytestmark = pytest.mark.slow


def cells_of(page, section):
    text = re.search(rf'<section id="{section}">.*?</section>', page, re.DOTALL)[0]
    return re.findall(r"<td[^>]*>(.*?)</td>", text, re.DOTALL)


def test_large_page_has_each_number_once_and_a_small_one_as_before(make_store, monkeypatch):
    store = make_store(pictures=False)
    run = make_run(store.read())
    small = write_report(store.read()).read_text()
    assert not run.is_large
    monkeypatch.setattr(of_runs, "LARGE", len(run.imputers) * len(run.problems) - 1)
    assert run.is_large
    large = write_report(store.read()).read_text()
    assert '<body class="large">' in large
    assert '<body class="large">' not in small
    assert len(cells_of(large, "leaderboard")) < len(cells_of(small, "leaderboard"))
    # Columns of NMI: in the leaderboard its mean ranks alone, under each data set its values.
    other = re.search(r"<summary>NMI</summary>.*?</table>", large, re.DOTALL)[0]
    assert not [cell for cell in re.findall(r"<td[^>]*>(.*?)</td>", other) if "±" in cell]
    assert "CPU seconds and peak memory of each question stand in tables/scores.csv" in large
    numbers = {cell for cell in cells_of(small, "datasets") if "±" in cell}
    costs = {cell for cell in numbers if cell not in set(cells_of(large, "datasets"))}
    assert 0 < len(costs) < len(numbers) / 2


def test_many_imputers_have_bars_of_the_leading_score_and_the_time(make_store):
    methods = [f"method-{i:02d}" for i in range(22)]
    store = make_store(methods=methods, simulated=[], pictures=False)
    page = write_report(store.read()).read_text()
    assert "bars of more than 20 imputers show the leading score and the time" in page
    svg = next((store.folder / "figures").glob("bars-*.svg")).read_text()
    assert ">ARI<" in svg
    assert ">NMI<" not in svg
    assert all(f">{name}<" in svg for name in methods)
