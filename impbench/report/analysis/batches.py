"""Are batches imputed together or apart? Every imputer that ran both ways, against itself.

An imputer is better one way than the other on one dataset and score if the difference is beyond
seed noise (`tables.gain`) and not negligible: at least `SMALLEST` of the way from no imputation to
the bound (`impbench.report.analysis.skill`), and of the way that the imputer goes. Without that,
any difference would count for an imputer that no seed changes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from impbench.per_batch import PARAMETER
from impbench.report.analysis.findings import Finding
from impbench.report.analysis.run import Run
from impbench.report.analysis.tables import gain
from impbench.report.numbers import number
from impbench.report.text import counted, listed

Answer = Literal["better together", "better apart", "not told apart"]

SMALLEST = 0.005
"""Share of the way from no imputation that a difference must be."""


@dataclass(frozen=True)
class BothWays:
    """One imputer on one dataset and score, on all cells together and on each batch alone."""

    imputer: str
    """Spec of the imputer on all cells together."""
    alone: str
    """Its spec on each batch alone."""
    dataset: str
    protocol: str
    metric: str
    together: float
    """Mean score over seeds."""
    apart: float
    """The same where each batch is imputed alone."""
    gain: float
    """How much better apart, in the score's unit; negative where it is better together."""
    by_seed: tuple[float, ...]
    """The same for each seed that both have."""
    negligible: float
    """A difference, in the score's unit, below which none is told."""
    worthwhile: bool
    """Whether the better way beats no imputation by more than is negligible, or that did not
    run."""
    answer: Answer | None
    """None where one way failed, or there is but one seed."""
    failure: str = ""
    """Why one way has no result for some seed; empty where both have."""


@dataclass(frozen=True)
class BatchAnswer:
    """What to do with the batches of one dataset for one purpose."""

    dataset: str
    protocol: str
    purpose: str
    pairs: tuple[BothWays, ...]
    """Every imputer that ran both ways, on the lead score of `protocol`."""
    finding: Finding
    """The same in words."""

    def where(self, answer: Answer) -> list[str]:
        """Return the imputers of which `answer` holds."""
        return [pair.imputer for pair in self.pairs if pair.answer == answer]


def partners(run: Run) -> dict[str, str]:
    """Return the imputers that ran both ways: by spec, that of each batch alone."""
    plain: dict[Any, str] = {}
    alone: dict[Any, str] = {}
    for spec, about in run.imputers.items():
        params = {name: repr(value) for name, value in about.params.items() if name != PARAMETER}
        who = (about.name, tuple(sorted(params.items())))
        (alone if about.params.get(PARAMETER) == "batch" else plain)[who] = spec
    return {plain[who]: alone[who] for who in plain if who in alone}


def both_ways(run: Run, summary: pd.DataFrame) -> list[BothWays]:
    """Compare every imputer with itself, on every score that is no cost."""
    pairs = partners(run)
    if not pairs:
        return []
    rows = {
        (row.dataset, row.protocol, row.metric, row.imputer): row for row in summary.itertuples()
    }
    found = []
    for dataset, protocol in run.problems:
        for metric in run.metrics_of(protocol):
            fact = run.metrics[metric]
            for imputer, alone in pairs.items() if fact.direction and not fact.is_cost else ():
                ways = [rows.get((dataset, protocol, metric, name)) for name in (imputer, alone)]
                if None not in ways:
                    found.append(_compared(run, *ways))
    return found


def _compared(run: Run, together: Any, apart: Any) -> BothWays:
    question = (together.dataset, together.protocol, together.metric)
    imputer, alone = together.imputer, apart.imputer
    values = [run.by_seed.get((*question, name)) for name in (imputer, alone)]
    differences = np.array([])
    if values[0] is not None and values[1] is not None:
        differences = (values[0] - values[1]) * run.metrics[together.metric].direction
    value, verdict = gain(run, *question, alone, imputer)
    answer: Answer | None = None
    failed = next((row for row in (apart, together) if row.n_lost), None)
    direction = run.metrics[together.metric].direction
    nothing = together.nothing
    ways = [abs(nothing - end) for end in (together.top, together.mean) if math.isfinite(end)]
    least = SMALLEST * np.nanmax([*ways, 0.0])
    better = np.nanmax([direction * (nothing - row.mean) for row in (together, apart)] + [-np.inf])
    if failed is None and verdict is not None:
        told = verdict != "not told apart" and abs(value) >= least
        answer = (
            "not told apart" if not told else "better apart" if value > 0 else "better together"
        )
    return BothWays(
        imputer,
        alone,
        *question,
        together=together.mean,
        apart=apart.mean,
        gain=value if failed is None else math.nan,
        by_seed=tuple(map(float, differences[np.isfinite(differences)])),
        negligible=float(least),
        worthwhile=bool(math.isnan(nothing) or better > least),
        answer=answer,
        failure="" if failed is None else f"{failed.imputer}: {_why(failed)}",
    )


def _why(row: Any) -> str:
    if row.status == "ok":
        return "a seed has no record"
    return str(row.reason or row.status)


def batch_answers(run: Run, pairs: Iterable[BothWays]) -> list[BatchAnswer]:
    """Answer for every dataset and protocol, by the protocol's lead score."""
    asked: dict[tuple[str, str], list[BothWays]] = {}
    for pair in pairs:
        if pair.metric == run.lead_metric(pair.protocol):
            asked.setdefault((pair.dataset, pair.protocol), []).append(pair)
    return [
        BatchAnswer(dataset, protocol, run.purpose(protocol), tuple(found), _finding(run, found))
        for (dataset, protocol), found in asked.items()
    ]


def _finding(run: Run, pairs: list[BothWays]) -> Finding:
    first = pairs[0]
    title = run.metrics[first.metric].title
    told = [pair for pair in pairs if pair.answer is not None]
    details = [
        f"{answer[:1].upper()}{answer[1:]} by {title}: {listed(list(map(_size, found)), 12)}."
        for answer in get_args(Answer)
        if (found := [pair for pair in told if pair.answer == answer])
    ]
    details += _without_answer(pairs)
    if first.dataset in run.misled(first.protocol):
        details.append("The counts look like reads, which this question takes for molecules.")
    n = len(run.datasets[first.dataset].batches)
    topic = [run.purpose(first.protocol), *([f"{n} batches"] if n else [])]
    if len(run.datasets) > 1:
        topic.insert(0, run.datasets[first.dataset].title)
    kind = "result" if any(pair.worthwhile for pair in told) else "caution"
    return Finding(_lead(told), tuple(details), ", ".join(topic), kind)


def _lead(told: list[BothWays]) -> str:
    """Say in one sentence what to do, by the methods that are worth it at all."""
    counted_in = [pair for pair in told if pair.worthwhile]
    answers = [pair.answer for pair in counted_in]
    together, apart = answers.count("better together"), answers.count("better apart")
    of = f"of {counted(len(counted_in), 'method')}"
    if len(counted_in) < len(told):
        of += " that beat no imputation"
    if not told:
        return "Whether together or apart cannot be said."
    if not counted_in:
        return "Neither together nor apart did any method beat no imputation."
    if together and apart:
        return f"It depends on the method: {together} {of} better together, {apart} better apart."
    if together:
        return f"Impute the batches together: better for {together} {of}, worse for none."
    if apart:
        return f"Impute each batch alone: better for {apart} {of}, worse for none."
    return f"Together or apart makes no difference that could be told, {of}."


def _size(pair: BothWays) -> str:
    return f"{pair.imputer} ({number(pair.together)} together, {number(pair.apart)} apart)"


def _without_answer(pairs: list[BothWays]) -> Iterator[str]:
    failures = [pair.failure for pair in pairs if pair.failure]
    if failures:
        yield f"Failed one way: {'; '.join(failures)}."
    alone = [_size(pair) for pair in pairs if pair.answer is None and not pair.failure]
    if alone:
        yield f"One seed cannot say: {listed(alone, 12)}; use --seeds 2 or more."
