"""Collect what a run measured: every score and runtime by seed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, NamedTuple

from impbench.errors import InputError
from impbench.metrics.metric import Direction
from impbench.reading import Rule
from impbench.registry import registry
from impbench.regress.decide import mean, variance
from impbench.results.manifest import FORMULA
from impbench.results.record import LARGEST, Record
from impbench.results.store import Store, StoredRun
from impbench.scoring.score import COST_METRICS

UNDEFINED = "undefined"
"""Why there is no score, where the method ran but the metric is NaN for it."""


class ScoreKey(NamedTuple):
    """What is compared: one score of one imputer."""

    dataset: str
    protocol: str
    imputer: str
    metric: str


Score = Annotated[float, Rule(f"a score, at most {LARGEST}", lambda score: abs(score) <= LARGEST)]


@dataclass(frozen=True)
class Sample:
    """One score over seeds."""

    values: Mapping[int, Score]
    """Seed → score, finite."""
    lost: Mapping[int, str] = field(default_factory=dict)
    """Seed → why it has no score: a record's status, or ``undefined`` for NaN."""
    leads: bool = False
    """Whether it is the metric that its protocol names first, of a method that is no control:
    where a loss is looked for first."""

    @property
    def n(self) -> int:
        """Number of seeds with a score."""
        return len(self.values)

    @property
    def share_lost(self) -> float:
        """Share of the seeds that have no score."""
        return len(self.lost) / max(1, len(self.lost) + self.n)

    @property
    def mean(self) -> float:
        """Mean over seeds; NaN without scores."""
        return mean(list(self.values.values())) if self.values else math.nan

    @property
    def sd(self) -> float:
        """Standard deviation over seeds (n − 1); NaN for fewer than two."""
        return math.sqrt(variance(list(self.values.values()))) if self.n > 1 else math.nan


@dataclass(frozen=True)
class ComparedMetric:
    """What a decision must know of a metric, so that a baseline needs no plugin to be read."""

    direction: Direction
    bounded: bool


Seconds = Annotated[
    Mapping[int, float],
    Rule(
        f"seconds by seed, from 0 to {LARGEST}",
        lambda seconds: seconds and all(0 <= value <= LARGEST for value in seconds.values()),
    ),
]


@dataclass(frozen=True)
class Runtime:
    """Wall-clock seconds by seed, and on what."""

    seconds: Seconds
    device: str
    threads: int
    is_control: bool


@dataclass(frozen=True)
class Measured:
    """A run, reduced to what a later run can be compared with."""

    scoring: str
    """Version of the scoring (`impbench.results.record.SCORING`)."""
    suite: str
    """Its name."""
    impbench: str
    """Its version."""
    datasets: Mapping[str, str]
    """Dataset spec → fingerprint of its content."""
    imputers: Mapping[str, str]
    """Imputer spec → version."""
    metrics: Mapping[str, ComparedMetric]
    scores: Mapping[ScoreKey, Sample]
    runtimes: Mapping[tuple[str, str], Runtime]
    """(dataset, imputer) → runtime; protocols that show the same data share an imputation."""
    reasons: Mapping[tuple[str, str, str], str] = field(default_factory=dict)
    """(dataset, protocol, imputer) → first failure's sentence. Not stored in baselines."""
    unit: str = ""
    """Spec of the control whose role is ``formula``, the unit of runtimes. Not stored either."""
    build_bound: frozenset[str] = frozenset()
    """Specs of imputers whose seeds do not give the same in another build (`Imputed.info`)."""

    def reproducible(self) -> Measured:
        """Leave out what another build would not give again: it has no place in a baseline."""
        return replace(
            self,
            imputers={s: v for s, v in self.imputers.items() if s not in self.build_bound},
            scores={k: v for k, v in self.scores.items() if k.imputer not in self.build_bound},
            runtimes={k: v for k, v in self.runtimes.items() if k[1] not in self.build_bound},
            build_bound=frozenset(),
        )

    @property
    def seeds(self) -> list[int]:
        """All seeds, in order."""
        samples = self.scores.values()
        return sorted({seed for sample in samples for seed in (*sample.values, *sample.lost)})


def measure(folder: Path) -> Measured:
    """Gather the scores and runtimes of the run in `folder`.

    Raises
    ------
    InputError
        If it holds no finished run, the run has fewer than two seeds, or no scores.
    NotFoundError
        If a metric belongs to a plugin that is not loaded: its direction is unknown.
    """
    stored = Store.open(folder).read()
    _check_complete(stored)
    manifest = stored.manifest
    scores = _scores(stored)
    found = Measured(
        scoring=manifest.scoring,
        suite=manifest.suite.name,
        impbench=manifest.environment.impbench,
        datasets={spec: about.fingerprint for spec, about in manifest.datasets.items()},
        imputers={spec: about.version for spec, about in manifest.imputers.items()},
        metrics={name: _compared(name) for name in sorted({entry.metric for entry in scores})},
        scores=scores,
        runtimes=_runtimes(stored),
        reasons=_reasons(stored.records),
        unit=next((s for s in manifest.imputers if manifest.imputer(s).role == FORMULA), ""),
        build_bound=frozenset(
            record.job.imputer for record in stored.records if record.info.get("build_bound")
        ),
    )
    if len(found.seeds) < 2:
        raise InputError(
            f"{folder} holds one seed only, and one seed cannot tell noise from change; "
            "run with --seeds 5 or more"
        )
    return found


def _check_complete(stored: StoredRun) -> None:
    folder, manifest, records = stored.store.folder, stored.manifest, stored.records
    missing = len(manifest.keys) - len(records)
    if missing or not records or not manifest.finished:
        raise InputError(
            f"the run in {folder} is not finished ({missing} of {missing + len(records)} results "
            "are missing or cannot be read); finish it with the command that started it: "
            f"{manifest.command or 'impbench run'}"
        )
    told = [manifest.suite.name, manifest.environment.impbench]
    told += [about.fingerprint for about in manifest.datasets.values()]
    told += [about.version for about in manifest.imputers.values()]
    if not all(told) or not manifest.datasets or not manifest.imputers:
        raise InputError(
            f"{folder / 'manifest.json'} is not as impbench writes it: it lacks the suite's name, "
            "impbench's version, a dataset's fingerprint or an imputer's version; run again"
        )


def _scores(stored: StoredRun) -> dict[ScoreKey, Sample]:
    values: dict[ScoreKey, dict[int, float]] = {}
    lost: dict[ScoreKey, dict[int, str]] = {}
    first: dict[tuple[str, str], str] = {}
    for record in stored.records:
        job = record.job
        for metric in record.scores or record.metrics:
            if metric in COST_METRICS:
                continue
            entry = ScoreKey(job.dataset, job.protocol, job.imputer, metric)
            value = record.scores.get(metric, math.nan)
            values.setdefault(entry, {})
            lost.setdefault(entry, {})
            first.setdefault(entry[:2], metric)
            if math.isfinite(value):
                values[entry][job.seed] = value
            else:
                lost[entry][job.seed] = UNDEFINED if record.status == "ok" else record.status
    return {
        entry: Sample(
            values=dict(sorted(values[entry].items())),
            lost=dict(sorted(lost[entry].items())),
            leads=first[entry[:2]] == entry.metric
            and not stored.manifest.imputer(entry.imputer).is_control,
        )
        for entry in sorted(values)
    }


def _runtimes(stored: StoredRun) -> dict[tuple[str, str], Runtime]:
    found: dict[tuple[str, str], Runtime] = {}
    protocols: dict[tuple[str, str], str] = {}
    for record in sorted(stored.records, key=lambda record: (record.job.protocol, record.job.seed)):
        job, cost = record.job, record.cost
        key = (job.dataset, job.imputer)
        if cost is None or record.status != "ok":
            continue
        if protocols.setdefault(key, job.protocol) != job.protocol:
            continue
        so_far = found[key].seconds if key in found else {}
        found[key] = Runtime(
            seconds={**so_far, job.seed: cost.wall_seconds},
            device=cost.device,
            threads=cost.threads,
            is_control=stored.manifest.imputer(job.imputer).is_control,
        )
    return dict(sorted(found.items()))


def _reasons(records: Iterable[Record]) -> dict[tuple[str, str, str], str]:
    found: dict[tuple[str, str, str], str] = {}
    for record in records:
        if record.status != "ok":
            job = record.job
            reason = f"{record.status}: {record.reason}".removesuffix(": ")
            found.setdefault((job.dataset, job.protocol, job.imputer), reason)
    return found


def _compared(name: str) -> ComparedMetric:
    metric = registry().metric(name)
    return ComparedMetric(metric.direction, all(map(math.isfinite, metric.range)))
