"""Look up what the report says of a metric, even where its plugin is not installed here."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass

from impbench.metrics.metric import Bound, Metric
from impbench.report.numbers import bound
from impbench.report.text import plain, plain_lines

COST_EVIDENCE = {"wall_seconds", "cpu_seconds", "peak_memory"}


@dataclass(frozen=True)
class ShownMetric:
    """What the report must know of a metric.

    `direction` is 1 where smaller is better, -1 where larger is, 0 where nobody knows: the metric
    belongs to a plugin that is not installed here, so it is shown but neither ranked nor judged.
    `on_batches` says that it looks at the batches.
    """

    name: str
    title: str
    direction: int
    unit: str = ""
    ideal: float = float("nan")
    is_cost: bool = False
    reference: str = ""
    definition: str = ""
    meaning: str = ""
    range: tuple[float, float] | None = None
    bound: Bound = "none"
    comparable: bool = True
    on_batches: bool = False

    @property
    def better(self) -> str:
        """Which scores are better, such as ``lower is better``."""
        said = {1: "lower is better", -1: "higher is better", 0: "direction unknown"}
        return said[self.direction]

    @property
    def arrow(self) -> str:
        """The same as a sign; of a metric that is ranked."""
        return "↓" if self.direction == 1 else "↑"

    @property
    def in_unit(self) -> str:
        """Its title, with the unit in brackets if it has one."""
        return f"{self.title} ({self.unit})" if self.unit else self.title

    @property
    def explanation(self) -> str:
        """What a score says, and which is better, in plain words."""
        if not self.direction:
            return self.meaning
        best = f", {bound(self.ideal)} is best" if math.isfinite(self.ideal) else ""
        return f"{self.meaning.rstrip('.')}; {self.better}{best}."

    @classmethod
    def of(cls, name: str, known: Mapping[str, Metric]) -> ShownMetric:
        """Look `name` up among the registered metrics."""
        if name not in known:
            return cls(name, name, 0)
        metric = known[name]
        is_cost = set(metric.needs) <= COST_EVIDENCE
        return cls(
            name=name,
            title=plain(metric.title),
            direction=1 if metric.direction == "min" else -1,
            unit=plain(metric.unit),
            ideal=metric.ideal,
            is_cost=is_cost,
            reference=plain(metric.reference),
            definition=plain_lines(_definition(metric)),
            meaning=plain(metric.meaning or metric.summary),
            range=metric.range,
            bound="none" if is_cost else metric.bound,
            comparable=metric.comparable,
            on_batches="batch" in metric.needs,
        )


def _definition(metric: Metric) -> str:
    """The docstring without its sections: summary and formula, as paragraphs."""
    text = inspect.getdoc(metric.function) or ""
    lines = text.splitlines()
    for i, line in enumerate(lines):
        if set(line.strip()) == {"-"} and i:
            return "\n".join(lines[: i - 1]).strip()
    return text.strip()
