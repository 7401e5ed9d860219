"""List the methods of a run that failed, in how many jobs, and those without any result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from impbench.results.record import Record

LOST = "no record"
"""Status of a job whose record is missing or cannot be read."""


@dataclass(frozen=True)
class MethodFailed:
    """A method that failed at least once."""

    imputer: str
    """Its spec."""
    statuses: Mapping[str, int]
    """How many jobs ended with each status but ``ok``."""
    jobs: int
    """How many it had in all."""

    def __str__(self) -> str:
        """Such as ``magic (1 timeout, 2 failed, of 4 jobs)``."""
        counts = ", ".join(f"{count} {status}" for status, count in self.statuses.items())
        return f"{self.imputer} ({counts}, of {self.jobs} job{'s' * (self.jobs != 1)})"


def failed_methods(
    jobs: Iterable[tuple[str, str]], records: Iterable[Record]
) -> tuple[MethodFailed, ...]:
    """List the methods that failed at least once, in the order of `jobs`.

    Parameters
    ----------
    jobs
        Imputer and key of every job that was asked for.
    records
        What there is of them.
    """
    status = {record.key: str(record.status) for record in records}
    ended: dict[str, Counter[str]] = {}
    for imputer, key in jobs:
        ended.setdefault(imputer, Counter())[status.get(key, LOST)] += 1
    return tuple(
        MethodFailed(imputer, {name: n for name, n in counts.items() if name != "ok"}, total)
        for imputer, counts in ended.items()
        if counts["ok"] < (total := counts.total())
    )


def without_result(named: Iterable[str], records: Sequence[Record]) -> tuple[str, ...]:
    """Return those of the imputers `named` that no record calls ``ok``."""
    done = {record.job.imputer for record in records if record.status == "ok"}
    return tuple(name for name in dict.fromkeys(named) if name not in done)


def failure_line(failed: Sequence[MethodFailed], without: Sequence[str]) -> str:
    """Say in one line what failed; empty where nothing did."""
    parts = []
    if failed:
        parts.append(f"failed: {', '.join(map(str, failed))}")
    if without:
        parts.append(f"no result at all: {', '.join(without)}")
    return "; ".join(parts)
