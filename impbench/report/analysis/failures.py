"""Group jobs without a result by what went wrong, with the log of the first of each group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from impbench.report.analysis.run import Run
from impbench.report.text import plain, plain_lines
from impbench.results.record import Record

MAX_GROUPS = 200
MAX_LOG = 8000
"""Characters of a log on the page; the whole of it stands in the run's ``logs`` folder."""


@dataclass(frozen=True)
class FailureGroup:
    """One way in which an imputer failed on one question."""

    imputer: str
    dataset: str
    protocol: str
    status: str
    reason: str
    seeds: tuple[int, ...]
    log: str
    log_file: str


def failures(run: Run) -> list[FailureGroup]:
    """Return the failures of `run`, in the plan's order."""
    groups: dict[tuple[str, str, str, str, str], list[Record]] = {}
    for record in run.records:
        if record.status != "ok":
            job = record.job
            texts = (job.imputer, job.dataset, job.protocol, record.status, record.reason)
            imputer, dataset, protocol, status, reason = map(plain, texts)
            groups.setdefault((imputer, dataset, protocol, status, reason), []).append(record)
    return [_failure(key, records) for key, records in groups.items()]


def _failure(key: tuple[str, str, str, str, str], records: Sequence[Record]) -> FailureGroup:
    first = records[0]
    log = plain_lines(first.log).strip()
    if len(log) > MAX_LOG:
        log = f"… {len(log) - MAX_LOG} characters before this\n{log[-MAX_LOG:]}"
    seeds = tuple(sorted(record.job.seed for record in records))
    return FailureGroup(*key, seeds=seeds, log=log, log_file=f"logs/{plain(first.key)}.log")
