"""What a metric is, and how one declares itself: a decorated function in one file."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from impbench.metrics.cells import CellSums

Direction = Literal["min", "max"]

Bound = Literal["attainable", "ideal", "none"]
"""What a skill of 1 is; docs/skill.md says which metric has which, and why.

``attainable``: the score of the control of that name, which fills zeros as well as constants can;
where it did not run, the ideal value. ``ideal``: the ideal value, if finite. ``none``: there is no
skill, because the best value is not what the best imputation scores.
"""


@dataclass(frozen=True)
class Metric:
    """A score: a pure function and what a reader must know of it.

    Attributes
    ----------
    name
        As in results, such as ``mse``.
    title
        As in the report, such as ``MSE``.
    direction
        ``"min"`` where smaller is better, ``"max"`` where larger is.
    unit
        Such as ``"log2²"`` or ``"s"``; empty for pure numbers.
    range
        Smallest and largest possible value.
    reference
        Where the definition stands.
    function
        Its argument names say what the metric needs: `impbench.protocols.evidence` lists what every
        problem has, and protocols offer more.
    bound
        What a skill of 1 is.
    comparable
        Whether values of different datasets can be set side by side. Where not, as for a Poisson
        loss, whose size is that of the counts, the report shows differences to doing nothing.
    per_cell
        For a score that is a sum over cells divided by another: both sums of every cell, from
        arguments of the same kind. Scoring then computes the score, and an interval, from these.
    root
        Whether the score is the square root of that ratio.
    meaning
        What a score says, in plain words, for readers who do not know its name; the page and the
        terminal say it where the score stands. Empty: the summary.
    """

    name: str
    title: str
    direction: Direction
    unit: str
    range: tuple[float, float]
    reference: str
    function: Callable[..., float]
    bound: Bound = "ideal"
    comparable: bool = True
    per_cell: Callable[..., CellSums] | None = None
    root: bool = False
    meaning: str = ""

    @property
    def needs(self) -> tuple[str, ...]:
        """What the function asks for, in its own order."""
        return tuple(inspect.signature(self.function).parameters)

    @property
    def cell_needs(self) -> tuple[str, ...]:
        """What `per_cell` asks for, in its own order; nothing where there is none."""
        return () if self.per_cell is None else tuple(inspect.signature(self.per_cell).parameters)

    @property
    def ideal(self) -> float:
        """The best possible value; infinite where there is none."""
        return self.range[0] if self.direction == "min" else self.range[1]

    @property
    def summary(self) -> str:
        """First line of the function's docstring."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]

    def __call__(self, *args: Any, **kwargs: Any) -> float:
        """Compute the score from arrays."""
        return float(self.function(*args, **kwargs))


def metric(
    name: str = "",
    *,
    title: str,
    direction: Direction,
    range: tuple[float, float] = (-math.inf, math.inf),
    unit: str = "",
    reference: str = "",
    bound: Bound = "ideal",
    comparable: bool = True,
    per_cell: Callable[..., CellSums] | None = None,
    root: bool = False,
    meaning: str = "",
) -> Callable[[Callable[..., float]], Metric]:
    """Turn a function into a `Metric`; its argument names say what it needs.

    Without a `name`, the metric has the function's, with hyphens: ``biozero_mse`` is
    ``biozero-mse``. The other arguments are those of `Metric`. `bound` says what a skill of 1 is;
    the default, the end of `range`, is right wherever no imputation but a perfect one is sure to
    reach it.
    """

    def declare(function: Callable[..., float]) -> Metric:
        return Metric(
            name=name or function.__name__.replace("_", "-"),
            title=title,
            direction=direction,
            unit=unit,
            range=range,
            reference=reference,
            function=function,
            bound=bound,
            comparable=comparable,
            per_cell=per_cell,
            root=root,
            meaning=meaning,
        )

    return declare


loss = partial(metric, direction="min", range=(0, math.inf))
"""Declares an error, a distance or a cost: 0 is best, and there is no worst."""
share = partial(metric, direction="max", range=(0, 1))
"""Declares a share or an index from 0 to 1, of which more is better unless `direction` differs."""
correlation = partial(metric, direction="max", range=(-1, 1))
"""Declares a correlation or a width from −1 to 1, of which more is better."""
