"""Choose one record for every job that several runs have; name those that contradict each other."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from impbench.errors import InputError
from impbench.merging.agree import some_of
from impbench.merging.inputs import MergeInput
from impbench.results.record import JobCell, Record
from impbench.scoring.score import COST_METRICS

ROUNDING = 1e-6
"""Scores this near to each other, absolutely or in proportion, count as equal.

Sums of float32 differ that much between processors.
"""

Prefer = Literal["first", "last"]


@dataclass(frozen=True)
class Chosen:
    """The records of a merge."""

    records: tuple[Record, ...]
    """One for every cell, in no particular order."""
    origin: Mapping[str, MergeInput]
    """Key → the run that the record is from."""
    notes: tuple[str, ...]
    """Sentences: where one run's record gave way to another's, and why."""


def choose(runs: Sequence[MergeInput], prefer: Prefer | None = None) -> Chosen:
    """Take every record once.

    Of equal records the first counts, of a success and a failure the success.

    Parameters
    ----------
    prefer
        Which run counts where scores contradict each other, or both records are failures.

    Raises
    ------
    InputError
        If scores contradict each other and `prefer` is None; names cell, metric, values, runs.
    """
    taken: dict[JobCell, tuple[Record, MergeInput]] = {}
    conflicts: list[str] = []
    gave_way: Counter[tuple[str, str, str]] = Counter()
    for run in runs:
        for record in run.records.values():
            cell = record.job.cell
            if cell not in taken:
                taken[cell] = (record, run)
                continue
            known, where = taken[cell]
            takes, why = prefer == "last", ""
            if (known.status == "ok") != (record.status == "ok"):
                takes, why = record.status == "ok", "a failure gave way to a success"
            elif differing := list(differences(known, record)):
                why = f"scores differ, and --prefer {prefer} says which count"
                conflicts += [f"{record.job}, {text}" for text in _told(differing, where, run)]
            if why:
                old, new = (where, run) if takes else (run, where)
                gave_way[f"{record.job.imputer}: {why}", old.name, new.name] += 1
            if takes:
                taken[cell] = (record, run)
    if conflicts and prefer is None:
        raise InputError(
            "these runs have different scores for the same job; say with --prefer first or "
            f"--prefer last which run counts, or leave one out:\n  {some_of(conflicts)}"
        )
    return Chosen(
        tuple(record for record, _ in taken.values()),
        {record.key: run for record, run in taken.values()},
        tuple(
            f"{text} ({count} job{'s' * (count != 1)}: {new} instead of {old})"
            for (text, old, new), count in gave_way.items()
        ),
    )


class Difference(NamedTuple):
    """A metric for which two records of one cell have different values; None is no value."""

    metric: str
    first: float | None
    second: float | None


def differences(first: Record, second: Record) -> Iterator[Difference]:
    """Return where the scores of two records differ by more than rounding; costs do not count."""
    for metric in dict.fromkeys((*first.scores, *second.scores)):
        a, b = first.scores.get(metric), second.scores.get(metric)
        if metric not in COST_METRICS and not _equal(a, b):
            yield Difference(metric, a, b)


def _equal(a: float | None, b: float | None) -> bool:
    if a is None or b is None or math.isnan(a) or math.isnan(b):
        return a is b or (a is not None and b is not None and math.isnan(a) and math.isnan(b))
    return math.isclose(a, b, rel_tol=ROUNDING, abs_tol=ROUNDING)


def _told(found: Sequence[Difference], first: MergeInput, second: MergeInput) -> Iterator[str]:
    for item in found:
        a, b = ("none" if value is None else f"{value:.9g}" for value in item[1:])
        yield f"{item.metric}: {a} in {first.name}, {b} in {second.name}"
