"""Define what ``manifest.json`` of a run says, by name and type.

An older impbench wrote less, so every field has a default; a newer one may write more, and what it
adds is not read.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from impbench.reading import WHOLE, read_json
from impbench.truth_control import TRUTH_CONTROLS

NOTHING = "nothing"
"""Role of the control that leaves the data alone."""

FORMULA = "formula"
"""Role of the control that does a method's arithmetic without its network."""

_FORMER_CONTROLS = {
    "no-imputation": NOTHING,
    "gene-mean": "",
    "nonzero-mean": "",
    "permuted": "",
    "maskclass-prior": FORMULA,
    **dict.fromkeys(TRUTH_CONTROLS, ""),
}
"""Our controls when manifests did not tell roles yet, and the roles they had."""


@dataclass(frozen=True)
class _Part:
    """Any part of a manifest."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if isinstance(value, int) and abs(value) >= WHOLE:
                raise ValueError(f"{name} is no number that a table can hold")


@dataclass(frozen=True)
class AboutSuite(_Part):
    """The suite that was run; `replaced` is what of it was not, see `impbench.plan.plan.Plan`."""

    name: str = ""
    title: str = ""
    description: str = ""
    replaced: tuple[str, ...] = ()


@dataclass(frozen=True)
class AboutDataset(_Part):
    """One dataset."""

    title: str = ""
    summary: str | None = None
    n_cells: int | None = None
    n_genes: int | None = None
    n_groups: int | None = None
    zero_fraction: float | None = None
    median_count: float | None = None
    simulated: bool = False
    own: str = ""
    """``file`` or ``memory`` for a user's own data, see `impbench.data.dataset.Source`."""
    steps: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    labels_confidence: str = ""
    warning: str = ""
    fingerprint: str = ""
    """A hash of its content."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    batches: Mapping[str, int] = field(default_factory=dict)
    """Cells of each batch, where each was imputed alone."""


@dataclass(frozen=True)
class AboutProtocol(_Part):
    """One protocol with its parameters; `meaning` is what it asks in plain words."""

    name: str = ""
    summary: str | None = None
    meaning: str = ""
    reference: str | None = None
    purpose: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class AboutProblem(_Part):
    """One question about one dataset; `metrics` in the protocol's order, cost metrics last."""

    dataset: str = ""
    protocol: str = ""
    metrics: tuple[str, ...] = ()
    conventions: tuple[str, ...] = ()
    has_truth: bool = False


@dataclass(frozen=True)
class AboutStranger(_Part):
    """A dataset, protocol or metric that is not impbench's, and the file or package it is from."""

    kind: str = ""
    name: str = ""
    source: str = ""


@dataclass(frozen=True)
class AboutImputer(_Part):
    """One imputer with its parameters."""

    name: str = ""
    summary: str | None = None
    citation: str | None = None
    version: str = ""
    is_control: bool = False
    needs_truth: bool = False
    role: str = ""
    """What the report takes one of our controls for: `NOTHING`, `FORMULA`, or nothing special."""
    plugin: str = ""
    """File given with ``--plugin`` that it is from, if any."""
    stochastic: bool | None = None
    input_scale: str = ""
    devices: tuple[str, ...] = ()
    keeps_observed: bool | None = None
    gives: tuple[str, ...] = ()
    """See `impbench.imputer.Imputer`; empty where a manifest does not say."""
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class NotAsked(_Part):
    """A question that could not be asked of a dataset, and why; or one `metric` of it alone."""

    dataset: str = ""
    protocol: str = ""
    reason: str = ""
    metric: str = ""


@dataclass(frozen=True)
class NotLoaded(_Part):
    """A plugin that could not be loaded, and why."""

    name: str = ""
    reason: str = ""


@dataclass(frozen=True)
class AboutMachine(_Part):
    """The machine and its software; limits in seconds and bytes."""

    impbench: str = ""
    python: str = ""
    platform: str = ""
    cpu: str = ""
    cores: int | None = None
    memory_bytes: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    jobs: int | None = None
    threads_per_job: int | None = None
    timeout: float | None = None
    memory_limit: int | None = None
    device: str | None = None
    executor: str = ""
    isolation: str = ""
    opened: tuple[str, ...] = ()


@dataclass(frozen=True)
class AboutMerged(_Part):
    """One of the runs that a merged run was put together from."""

    name: str = ""
    """Name of its folder."""
    command: str = ""
    started: str | None = None
    finished: str | None = None
    interrupted: bool = False
    datasets: tuple[str, ...] = ()
    imputers: tuple[str, ...] = ()
    """Specs of those that are no controls."""
    environment: AboutMachine = field(default_factory=AboutMachine)


_KEY = re.compile(r"[\w-]{1,100}", re.ASCII)
"""Keys are names of files: nothing in them may lead elsewhere."""


@dataclass(frozen=True)
class RunManifest(_Part):
    """All of it."""

    suite: AboutSuite = field(default_factory=AboutSuite)
    command: str = ""
    scoring: str = "1"
    """Version of the scoring; manifests that do not say are older than the second."""
    started: str | None = None
    finished: str | None = None
    interrupted: bool = False
    keys: tuple[str, ...] = ()
    """Those of the records, in the plan's order."""
    seeds: tuple[int, ...] = ()
    datasets: Mapping[str, AboutDataset] = field(default_factory=dict)
    """By spec, as protocols and imputers."""
    protocols: Mapping[str, AboutProtocol] = field(default_factory=dict)
    problems: tuple[AboutProblem, ...] = ()
    imputers: Mapping[str, AboutImputer] = field(default_factory=dict)
    """See `imputer` for one."""
    third_party: tuple[AboutStranger, ...] = ()
    skipped: tuple[NotAsked, ...] = ()
    unasked: tuple[str, ...] = ()
    """Sentences: which methods give nothing that a protocol could be answered from."""
    broken_plugins: tuple[NotLoaded, ...] = ()
    environment: AboutMachine = field(default_factory=AboutMachine)
    secret_seed: str = ""
    merged: tuple[AboutMerged, ...] = ()
    """The runs that it was put together from, if `impbench merge` wrote it, and those that went
    on in its folder; after a merge, `environment` says what they have in common."""

    def __post_init__(self) -> None:
        for key in self.keys:
            if not _KEY.fullmatch(key):
                raise ValueError(f"keys names {key[:60]!r}, which is no key of a record")

    @classmethod
    def from_json(cls, data: bytes, origin: str = "manifest") -> RunManifest:
        """Read what a run wrote.

        Raises
        ------
        InputError
            If the data are not such an object; names `origin` and the place.
        """
        return read_json(data, cls, f"{origin} is not as impbench writes it")

    def as_part(self, name: str) -> AboutMerged:
        """Return what a merged run says of this one, whose folder has that `name`."""
        return AboutMerged(
            name,
            self.command,
            self.started,
            self.finished,
            self.interrupted,
            tuple(self.datasets),
            tuple(spec for spec, about in self.imputers.items() if not about.is_control),
            self.environment,
        )

    def imputer(self, spec: str) -> AboutImputer:
        """Return what is said of an imputer; where nothing is, what its name tells."""
        told = self.imputers.get(spec)
        if told is None:
            control = spec in _FORMER_CONTROLS
            told = AboutImputer(spec, is_control=control, needs_truth=spec in TRUTH_CONTROLS)
        if told.is_control and not told.role:
            # Only impbench's own are controls, so nobody else's name is mistaken for one of these.
            return dataclasses.replace(told, role=_FORMER_CONTROLS.get(spec, ""))
        return told
