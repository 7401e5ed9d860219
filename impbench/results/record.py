"""The record of one job: what was asked, what came out, what it cost, or why it failed."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict

from impbench.errors import InputError
from impbench.shape import check_shape

SCHEMA = 1
"""Raised when the fields below change meaning."""

SCORING = "2"
"""Raised when the same imputation would get other scores; part of every job's key."""


class SchemaError(InputError):
    """A record was written by an impbench whose records mean something else."""


Status = Literal["ok", "failed", "timeout", "memory", "unavailable", "cancelled"]


@dataclass(frozen=True)
class Job:
    """One cell of the benchmark's table.

    Attributes
    ----------
    dataset, protocol, imputer
        Specs such as ``magic[t=5]``; only parameters that differ from the default are written.
    params
        All parameters of the imputer, defaults included.
    seed
        Seed of the imputer and of what is random in the evaluation.
    """

    dataset: str
    protocol: str
    imputer: str
    params: dict[str, Any]
    seed: int


@dataclass(frozen=True)
class Cost:
    """What one imputation took.

    Attributes
    ----------
    wall_seconds, cpu_seconds
        From when the data were handed over until the answer was written, by the runner's clock and
        the kernel's account of the process tree.
    peak_memory
        Peak resident bytes of the worker's whole process tree, interpreter included.
    device, threads
        What the imputer was given.
    seeds_at_once
        How many seeds shared this time (1 unless the method trains several together).
    """

    wall_seconds: float
    cpu_seconds: float
    peak_memory: int
    device: str = "cpu"
    threads: int = 1
    seeds_at_once: int = 1


@dataclass(frozen=True)
class Record:
    """Result of a `Job`, as stored in ``records/<key>.json``.

    Attributes
    ----------
    key
        Hash of exactly what determines the result.
    status
        ``ok``, or why there are no scores.
    reason
        One sentence for a failure, empty when ok.
    log
        The last lines the worker wrote to standard output and error.
    metrics
        Names of the metrics the job was to be scored by, cost metrics included.
    scores
        Metric name → value for those. Empty unless ok.
    info
        What the imputer said of its fit, plus steps and conventions worth keeping.
    versions
        impbench, imputer and library versions that determined the result.
    intervals
        Metric name → lower and upper 95 % bound over cells (`impbench.metrics.cells`), for the
        scores that have one; older records have none.
    notes
        What is odd about the imputation's values (`impbench.scoring.oddities`); none in records of
        before.
    """

    key: str
    job: Job
    status: Status
    reason: str = ""
    log: str = ""
    metrics: tuple[str, ...] = ()
    scores: dict[str, float] = field(default_factory=dict)
    cost: Cost | None = None
    info: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    started: str = ""
    notes: tuple[str, ...] = ()
    schema: int = SCHEMA
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the record as one JSON object; NaN scores become null."""
        return json.dumps(_nan_to_none(dataclasses.asdict(self)), indent=1, allow_nan=False)

    def unstorable(self, why: str) -> Record:
        """Return the failure that takes the place of a record which nobody could read again."""
        return dataclasses.replace(
            self,
            status="failed",
            reason=f"its result cannot be stored: {why}",
            scores={},
            cost=None,
            info={},
            versions={},
        )

    @classmethod
    def from_json(cls, text: str, origin: str = "record") -> Record:
        """Read what `to_json` wrote.

        Raises
        ------
        InputError
            If the text is not such an object; names `origin`.
        SchemaError
            If it is, and of another schema; says what brings it up to date.
        """
        try:
            data = json.loads(text)
            if not isinstance(data, dict):
                raise InputError(f"{origin} is not an impbench record: it is no object")
            if data["schema"] != SCHEMA:
                raise SchemaError(
                    f"{origin} was written by another version of impbench (schema "
                    f"{data['schema']!r}, this one reads {SCHEMA}); `impbench run --fresh` with "
                    "the options of the old run replaces its records, or choose another folder "
                    "with --out"
                )
            check_shape(data, _Stored, origin)
            data["job"] = Job(**data["job"])
            data["cost"] = None if data["cost"] is None else Cost(**data["cost"])
            data["scores"] = {name: _number(value) for name, value in data["scores"].items()}
            data["metrics"] = tuple(data["metrics"])
            data["intervals"] = {
                name: (_number(low), _number(high))
                for name, (low, high) in data.get("intervals", {}).items()
            }
            data["notes"] = tuple(data.get("notes", ()))
            return cls(**data)
        except InputError:
            raise
        except KeyError as error:
            raise InputError(f"{origin} is not an impbench record: it lacks {error}") from error
        except (TypeError, ValueError, RecursionError) as error:
            raise InputError(f"{origin} is not an impbench record: {error}") from error


class _Stored(TypedDict):
    """The fields of `Record` in a file; a score may be null there."""

    key: str
    job: Job
    status: Status
    reason: str
    log: str
    metrics: list[str]
    scores: dict[str, float | None]
    cost: Cost | None
    info: dict[str, Any]
    versions: dict[str, str]
    started: str
    intervals: dict[str, list[float | None]]
    notes: list[str]


LARGEST = 1e100
"""Beyond it (and nearer to 0 than its inverse) a score's square is no number: NaN, and 0."""


def _number(score: float | None) -> float:
    if score is None or not abs(score) <= LARGEST:
        return math.nan
    return float(score) if abs(score) >= 1 / LARGEST else 0.0


def _nan_to_none(value: Any) -> Any:
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    if isinstance(value, dict):
        return {key: _nan_to_none(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_nan_to_none(item) for item in value]
    return value
