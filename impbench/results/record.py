"""Define the record of one job: what was asked, what came out, what it cost, or why it failed."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from impbench.errors import InputError
from impbench.reading import WHOLE, read_json

SCHEMA = 1
"""Raised when the fields below change meaning."""

SCORING = "2"
"""Raised when the same imputation would get other scores; part of every job's key."""


class SchemaError(InputError):
    """A record was written by an impbench whose records mean something else."""


if TYPE_CHECKING:
    Score = float
else:
    # NaN stands as null in a file; the reader must know, but nobody after it.
    Score = float | None

Status = Literal["ok", "failed", "timeout", "memory", "unavailable", "cancelled"]


JobCell = tuple[str, str, str, int]
"""Dataset, protocol, imputer and seed."""


@dataclass(frozen=True)
class Job:
    """One cell of the benchmark's table."""

    dataset: str
    """A spec such as ``sim_rare[n_cells=500]``, as those of protocol and imputer: only
    parameters that differ from the default are written."""
    protocol: str
    imputer: str
    params: dict[str, Any]
    """All parameters of the imputer, defaults included."""
    seed: int
    """Seed of the imputer and of what is random in the evaluation."""

    def __post_init__(self) -> None:
        if abs(self.seed) >= WHOLE:
            raise ValueError(f"{self.seed} is no seed that a table can hold")

    @property
    def cell(self) -> JobCell:
        """Where its result belongs, whatever determined its key."""
        return self.dataset, self.protocol, self.imputer, self.seed

    def __str__(self) -> str:
        """Such as ``magic on sim_rare, clustering, seed 1``."""
        return f"{self.imputer} on {self.dataset}, {self.protocol}, seed {self.seed}"


@dataclass(frozen=True)
class Cost:
    """What one imputation took."""

    wall_seconds: float
    """From when the data were handed over until the answer was written, by the runner's clock."""
    cpu_seconds: float
    """Meanwhile, by the kernel's account of the process tree."""
    peak_memory: int
    """Peak resident bytes of the worker's whole process tree, interpreter included."""
    device: str = "cpu"
    """What the imputer was given, as `threads`."""
    threads: int = 1
    seeds_at_once: int = 1
    """How many seeds shared this time (1 unless the method trains several together)."""


@dataclass(frozen=True)
class Record:
    """Result of a `Job`, as stored in ``records/<key>.json``."""

    key: str
    """Hash of exactly what determines the result."""
    job: Job
    status: Status
    """``ok``, or why there are no scores."""
    reason: str = ""
    """One sentence for a failure, empty when ok."""
    log: str = ""
    """The last lines the worker wrote to standard output and error."""
    metrics: tuple[str, ...] = ()
    """Names of the metrics the job was to be scored by, cost metrics included."""
    scores: dict[str, Score] = field(default_factory=dict)
    """Metric name → value for those. Empty unless ok."""
    cost: Cost | None = None
    info: dict[str, Any] = field(default_factory=dict)
    """What the imputer said of its fit, plus steps and conventions worth keeping."""
    versions: dict[str, str] = field(default_factory=dict)
    """impbench, imputer and library versions that determined the result."""
    started: str = ""
    notes: tuple[str, ...] = ()
    """What is odd about the imputation's values (`impbench.scoring.oddities`); none in records
    of before."""
    schema: int = SCHEMA
    intervals: dict[str, tuple[Score, Score]] = field(default_factory=dict)
    """Metric name → lower and upper 95 % bound over cells (`impbench.metrics.cells`), for the
    scores that have one; older records have none."""

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
    def from_json(cls, data: bytes | str, origin: str = "record") -> Record:
        """Read what `to_json` wrote.

        Raises
        ------
        InputError
            If the data are not such an object; names `origin`.
        SchemaError
            If they are, and of another schema; says what brings it up to date.
        """
        data = data.encode() if isinstance(data, str) else data
        what = f"{origin} is not an impbench record"
        try:
            record = read_json(data, cls, what)
        except InputError:
            # In another schema, any field may be of another type.
            _check_schema(read_json(data, _Head, what).schema, origin)
            raise
        _check_schema(record.schema, origin)
        for name, score in record.scores.items():
            record.scores[name] = _number(score)
        for name, (low, high) in record.intervals.items():
            record.intervals[name] = (_number(low), _number(high))
        return record


@dataclass(frozen=True)
class _Head:
    schema: Any = SCHEMA


def _check_schema(schema: Any, origin: str) -> None:
    if schema != SCHEMA:
        raise SchemaError(
            f"{origin} was written by another version of impbench (schema {schema!r}, this one "
            f"reads {SCHEMA}); `impbench run --fresh` with the options of the old run replaces its "
            "records, or choose another folder with --out"
        )


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
