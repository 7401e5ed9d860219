"""Describe posed problems, and the tasks that one worker carries out on them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from impbench.imputer import Imputer
from impbench.plan.keys import code_version
from impbench.results.record import SCORING, Job
from impbench.truth_control import ORACLE, TruthControl


@dataclass(frozen=True)
class PosedAgain:
    """One further imputation: its name in ``Problem.again``, its view, and what the seed gains."""

    name: str
    view: Path
    seed_shift: int


@dataclass(frozen=True)
class Posed:
    """A problem on disk."""

    dataset: str
    """Its spec."""
    protocol: str
    """Its spec."""
    fingerprint: str
    """Of the dataset, the protocol and its parameters."""
    view: Path
    """Folder the worker reads."""
    hidden: int
    """Descriptor that only the scoring processes inherit; see `impbench.scoring.truth_file`."""
    metrics: tuple[str, ...]
    """Names, cost metrics included."""
    has_truth: bool
    again: tuple[PosedAgain, ...] = ()
    """Further imputations the problem needs."""
    controls: tuple[TruthControl, ...] = ()
    """Those that see the truth, as far as they exist here."""


@dataclass(frozen=True)
class Task:
    """What one worker process does: one imputer on one view, for one or several seeds.

    Several protocols may share the imputation when they show the imputer the same data.
    """

    imputer: Imputer | None
    """None: `control` answers, in the scoring process, and no worker is needed."""
    seeds: tuple[int, ...]
    posed: tuple[Posed, ...]
    device: str = "cpu"
    threads: int = 1
    timeout: float | None = None
    memory: int | None = None
    pictures: bool = False
    gpu: str | None = None
    """The GPU that is this task's alone, once it has one; no part of the key."""
    control: TruthControl = ORACLE

    @property
    def spec(self) -> str:
        """Return the name of who answers, with parameters."""
        return self.control.name if self.imputer is None else self.imputer.spec

    @property
    def mark(self) -> str:
        """Unique name of the task within its run: no job is in two tasks."""
        return hashlib.sha256(" ".join(self.keys).encode()).hexdigest()[:16]

    @property
    def keys(self) -> list[str]:
        """Keys of all records that the task makes."""
        return [self.key(posed, seed) for posed in self.posed for seed in self.seeds]

    def job(self, posed: Posed, seed: int) -> Job:
        """Return the job that `posed` and `seed` make of this task."""
        params = self.imputer.parameters() if self.imputer else {}
        return Job(posed.dataset, posed.protocol, self.spec, params, seed)

    def key(self, posed: Posed, seed: int) -> str:
        """Hash exactly what determines the job's result."""
        determined: dict[str, Any] = {
            "impbench": SCORING,
            "dataset": posed.fingerprint,
            "spec": posed.dataset,
            "protocol": posed.protocol,
            "imputer": type(self.imputer).name if self.imputer else self.control.name,
            "version": code_version(type(self.imputer)) if self.imputer else self.control.version,
            "params": self.imputer.parameters() if self.imputer else {},
            "seed": seed,
            "device": self.device if self.imputer else "cpu",
        }
        text = json.dumps(determined, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:20]


def shares_seeds(imputer: Imputer) -> bool:
    """Whether the imputer trains several seeds together better than one by one."""
    return type(imputer).impute_many is not Imputer.impute_many
