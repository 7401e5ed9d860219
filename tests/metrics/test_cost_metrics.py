import math

import pytest

from impbench.metrics.cost import cpu_seconds, peak_memory, wall_seconds


def test_seconds_pass_through_and_bytes_become_mebibytes():
    assert wall_seconds(1.5) == 1.5
    assert cpu_seconds(3.0) == 3.0
    assert peak_memory(3 * 2**20) == 3.0


@pytest.mark.parametrize(
    ("metric", "unit"), [(wall_seconds, "s"), (cpu_seconds, "s"), (peak_memory, "MiB")]
)
def test_every_cost_says_what_a_reader_must_know(metric, unit):
    assert (metric.direction, metric.unit, metric.range) == ("min", unit, (0, math.inf))
    assert metric.title
    assert metric.reference
    assert metric.summary.endswith(".")
