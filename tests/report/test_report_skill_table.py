"""docs/skill.md says of every metric what the metric itself declares."""

import re
from pathlib import Path

from impbench.registry import registry

PAGE = Path(__file__).parents[2] / "docs" / "skill.md"


def test_every_metric_stands_in_the_table_with_the_bound_it_declares():
    rows = re.findall(
        r"^\| (.*?) \| (attainable|ideal|none) \| (.+?) \|$",
        PAGE.read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    written = {name: bound for names, bound, _ in rows for name in re.findall(r"`([\w-]+)`", names)}
    declared = {
        name: metric.bound
        for name, metric in registry().metrics.items()
        if metric.function.__module__.startswith("impbench.")
    }
    assert written == declared
