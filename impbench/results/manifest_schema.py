"""What ``manifest.json`` of a run may hold, by name and type; any of it may be absent.

An older impbench wrote less, a newer one may write more, and a stranger anything at all.
"""

from __future__ import annotations

from typing import Any, TypedDict


class StoredSuite(TypedDict, total=False):
    """Of the suite that was run."""

    name: str
    title: str
    description: str


class StoredDataset(TypedDict, total=False):
    """Of one dataset; `fingerprint` is a hash of its content."""

    title: str
    summary: str | None
    n_cells: int | None
    n_genes: int | None
    n_groups: int | None
    zero_fraction: float | None
    median_count: float | None
    simulated: bool
    steps: list[str]
    facts: dict[str, Any]
    labels_confidence: str
    warning: str
    fingerprint: str
    parameters: dict[str, Any]


class StoredProtocol(TypedDict, total=False):
    """Of one protocol with its parameters."""

    name: str
    summary: str | None
    reference: str | None
    purpose: str | None
    params: dict[str, Any]


class StoredProblem(TypedDict, total=False):
    """Of one question about one dataset."""

    dataset: str
    protocol: str
    metrics: list[str]
    conventions: list[str]
    has_truth: bool


class StoredPart(TypedDict, total=False):
    """A dataset, protocol or metric that is not impbench's, and the file or package it is from."""

    kind: str
    name: str
    source: str


class StoredImputer(TypedDict, total=False):
    """Of one imputer with its parameters."""

    name: str
    summary: str | None
    citation: str | None
    version: str
    is_control: bool
    role: str
    needs_truth: bool
    stochastic: bool | None
    input_scale: str
    devices: list[str]
    keeps_observed: bool | None
    params: dict[str, Any]


class StoredEnvironment(TypedDict, total=False):
    """Of the machine and its software; limits in seconds and bytes."""

    impbench: str
    python: str
    platform: str
    cpu: str
    cores: int | None
    memory_bytes: int | None
    versions: dict[str, str]
    jobs: int | None
    threads_per_job: int | None
    timeout: float | None
    memory_limit: int | None
    device: str | None
    executor: str
    isolation: str
    opened: list[str]


class StoredManifest(TypedDict, total=False):
    """All of it; `keys` are those of the records, in the plan's order."""

    suite: StoredSuite
    command: str
    scoring: str
    started: str | None
    finished: str | None
    interrupted: bool
    keys: list[str]
    seeds: list[int]
    datasets: dict[str, StoredDataset]
    protocols: dict[str, StoredProtocol]
    problems: list[StoredProblem]
    imputers: dict[str, StoredImputer]
    third_party: list[StoredPart]
    skipped: list[dict[str, str]]
    broken_plugins: list[dict[str, str]]
    environment: StoredEnvironment
    secret_seed: str
