"""Values that no expression can have are said beside the score."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import impbench
from impbench import Imputed, Observed
from impbench.registry import load_file
from impbench.report.analysis.run import make_run
from impbench.report.analysis.tables import summarise
from impbench.report.page.views import metric_tables
from impbench.results.record import Record
from impbench.results.store import Store
from impbench.scoring.oddities import IMPOSSIBLE, oddities

COUNTS = np.random.default_rng(0).poisson(3.0, (2100, 5))
OBSERVED = Observed.from_counts(COUNTS)
LARGEST = float(OBSERVED.lognorm.max())

PLUGIN = """
from dataclasses import dataclass

import numpy as np
import impbench


@dataclass(frozen=True)
class Adds(impbench.Imputer):
    name = "adds"
    summary = "Adds what no cell expresses to one entry, and takes from another."
    input_scale = "lognorm"
    amount: float = impbench.parameter(1e30, "How much.")

    def impute(self, observed, context):
        values = observed.lognorm.copy()
        values[0, 0] += self.amount
        values[1, 1] = -1
        return impbench.Imputed(values, "lognorm")


@impbench.hookimpl
def impbench_imputers():
    return [Adds]
"""


def lognorm(changed: dict[tuple[int, int], float]) -> Imputed:
    values = OBSERVED.lognorm.astype(np.float64)
    for place, value in changed.items():
        values[place] = value
    return Imputed(values, "lognorm")


def test_nothing_is_said_of_values_that_can_be() -> None:
    assert oddities(lognorm({}), OBSERVED, LARGEST) == ()
    assert oddities(lognorm({(2050, 3): LARGEST + 4.9}), OBSERVED, LARGEST) == ()
    assert oddities(Imputed(COUNTS.astype(float), "counts"), OBSERVED, LARGEST) == ()


@pytest.mark.parametrize("place", [(0, 0), (1023, 4), (2099, 4)])
def test_a_single_value_32_times_the_largest_is_found(place: tuple[int, int]) -> None:
    (note,) = oddities(lognorm({place: LARGEST + 5.01}), OBSERVED, LARGEST)
    assert note.startswith(IMPOSSIBLE)
    (note,) = oddities(lognorm({place: 1e30}), OBSERVED, LARGEST)
    assert note.endswith(f"the largest is 1e+30 on the log2 scale, that of the data {LARGEST:.4g}")


def test_counts_are_looked_at_on_the_scale_they_are_scored_on() -> None:
    factors = np.full(2100, 1.0)
    factors[7] = 1 / 64
    observed = replace(OBSERVED, size_factors=factors)
    values = COUNTS.astype(float)
    values[7, 2] = 2**LARGEST
    (note,) = oddities(Imputed(values, "counts"), observed, LARGEST)
    assert note.startswith(IMPOSSIBLE)
    assert oddities(Imputed(values, "counts"), OBSERVED, LARGEST) == ()


def test_negative_values_are_counted_and_what_becomes_of_them_is_said() -> None:
    negative = {(i, 0): -0.25 for i in range(0, 2100, 2)} | {(2099, 4): -3.0}
    (note,) = oddities(lognorm(negative), OBSERVED, LARGEST)
    assert note == "10 % of the values are negative, down to -3; scored as they are"
    counts = COUNTS.astype(float)
    counts[5, 1] = -2
    (note,) = oddities(Imputed(counts, "counts"), OBSERVED, LARGEST)
    assert note == "0.0095 % of the values are negative, down to -2; clipped at 0 before scoring"


@pytest.mark.slow
def test_record_and_page_show_what_no_expression_can_be(tmp_path: Path) -> None:
    (tmp_path / "adds.py").write_text(PLUGIN)
    load_file(tmp_path / "adds.py")
    out = tmp_path / "out"
    impbench.run(
        "default",
        out=out,
        datasets=["sim_equal[n_cells=40,n_genes=30]"],
        protocols=["simulated-truth"],
        imputers=["adds", "adds[amount=0.0]"],
        seeds=1,
    )
    notes = {record.job.imputer: record.notes for record in Store(out).read().records}
    assert len(notes["adds"]) == 2
    assert notes["adds"][0].startswith(IMPOSSIBLE)
    (negative,) = notes["adds[amount=0.0]"]
    assert "are negative, down to -1; scored as they are" in negative
    assert not notes["no-imputation"]
    run = make_run(Store(out).read())
    table = metric_tables(run, summarise(run))["simulated-truth", "mse"]
    cells = {row.name: row.cells[-1] for row in table.rows}
    assert cells["adds"].warning == IMPOSSIBLE
    assert notes["adds"][0] in cells["adds"].hover
    assert cells["adds[amount=0.0]"].warning == ""
    assert cells["adds[amount=0.0]"].hover.split("; ", 1)[1] == negative
    assert IMPOSSIBLE in (out / "report.html").read_text(encoding="utf-8")


def test_records_of_before_have_no_notes(tmp_path: Path) -> None:
    text = Record("k", impbench.results.record.Job("d", "p", "i", {}, 1), "ok").to_json()
    assert '"notes"' in text
    older = "\n".join(line for line in text.splitlines() if '"notes"' not in line)
    assert Record.from_json(older).notes == ()
    noted = replace(Record.from_json(older), notes=("odd", "odder"))
    assert Record.from_json(noted.to_json()) == noted
