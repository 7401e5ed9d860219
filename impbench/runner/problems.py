"""Load each dataset once, pose every protocol's problem on it, and save both halves apart."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from impbench import large
from impbench.data.dataset import Dataset, Source
from impbench.errors import ImpbenchError, InputError
from impbench.imputer import Observed
from impbench.metrics.metric import Metric
from impbench.plan.plan import Plan
from impbench.plan.separation import Asking, Kind, strangers_asking
from impbench.plan.task import Posed, PosedAgain
from impbench.protocols.evidence import OF_EVERY_PROBLEM, OF_SOME_PROBLEMS, check_needs
from impbench.protocols.molecules import median_count
from impbench.protocols.protocol import Problem, Protocol
from impbench.registry import Registry
from impbench.runner.executor import Executor
from impbench.runner.secret import Secret
from impbench.scoring.score import COST_METRICS
from impbench.scoring.truth_file import conceal
from impbench.truth_control import TRUTH_CONTROLS
from impbench.worker.exchange import observed_hash, save_logs, save_observed

POSE_SEED = 1
"""What is random in a problem (a mask, a split) is drawn once, the same for every imputer."""


@dataclass
class Problems:
    """Everything posed, and what could not be."""

    posed: dict[tuple[str, str], Posed] = field(default_factory=dict)
    """By (dataset spec, protocol spec)."""
    skipped: list[dict[str, str]] = field(default_factory=list)
    """Dicts with dataset, protocol, reason, and metric where only one score is left out."""
    files: list[Path] = field(default_factory=list)
    """What the datasets were read from."""
    datasets: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Facts for the manifest."""
    problems: list[dict[str, Any]] = field(default_factory=list)
    """Facts for the manifest."""
    redrawn: set[str] = field(default_factory=set)
    """Specs of the datasets that were simulated with a secret seed."""
    with_batches: set[str] = field(default_factory=set)
    """Specs of the datasets with two or more batches; looked for where each is to be imputed
    alone."""

    def close(self) -> None:
        """Let go of everything hidden."""
        for posed in self.posed.values():
            os.close(posed.hidden)
        self.posed.clear()


def pose_all(
    plan: Plan,
    folder: Path,
    metrics: Mapping[str, Metric],
    announce: Callable[[str, int, int], None] = lambda what, done, total: None,
    secret: Secret | None = None,
) -> Problems:
    """Load every dataset of `plan` and save its problems under `folder`.

    With a `secret`, simulations and whatever else is random are drawn from it. A dataset that
    cannot be had, or a protocol that does not apply, is recorded as skipped. `announce` is told
    what comes next, and how many of how many steps are done.

    Raises
    ------
    InputError
        If no problem has what a metric of ``plan.metrics`` needs.
    """
    found = Problems()
    asked = {
        source: list(dict.fromkeys(item.protocol for item in plan.asked if item.source == source))
        for source in plan.sources
    }
    steps = count()
    total = len(asked) + sum(map(len, asked.values()))
    for source, protocols in asked.items():
        announce(source.spec, next(steps), total)
        drawn = source if secret is None else secret.redraw(source)
        try:
            dataset = drawn.load()
        except ImpbenchError as error:
            for protocol in protocols:
                next(steps)
                found.skipped.append(_skip(source, protocol, str(error)))
            continue
        found.files += source.files()
        if drawn != source:
            # Its own name tells the seed.
            dataset = replace(dataset, name=source.spec)
            found.redrawn.add(source.spec)
        found.datasets[source.spec] = _facts(drawn, dataset)
        if plan.asks_batches:
            _find_batches(found, source, dataset)
        for protocol in protocols:
            announce(f"{source.spec}: {protocol.spec}", next(steps), total)
            obstacle = protocol.obstacle(dataset)
            if obstacle:
                found.skipped.append(_skip(source, protocol, obstacle))
                continue
            problem = protocol.pose(dataset, POSE_SEED if secret is None else secret.pose_seed)
            besides = _besides(plan, metrics, protocol, problem)
            # Behind the one that leads: tables with room for a few show them.
            names = (*problem.metrics[:1], *besides, *problem.metrics[1:], *COST_METRICS)
            if unknown := [name for name in names if name not in metrics]:
                reason = f"no metric is called {' or '.join(map(repr, unknown))}"
                found.skipped.append(_skip(source, protocol, reason))
                continue
            determined_by = "" if secret is None else secret.value
            determined_by += "".join(f" {name} {plan.metrics[name]}" for name in besides)
            posed = _save(folder, source.spec, protocol, dataset, problem, names, determined_by)
            found.posed[source.spec, protocol.spec] = posed
            found.problems.append(
                {
                    "dataset": source.spec,
                    "protocol": protocol.spec,
                    "metrics": list(names),
                    "conventions": list(problem.conventions),
                    "has_truth": posed.has_truth,
                }
            )
            found.skipped += [
                _skip(source, protocol, reason, name) for name, reason in problem.left_out.items()
            ]
    _must_be_scored(plan, metrics, found)
    return found


def _besides(
    plan: Plan, metrics: Mapping[str, Metric], protocol: Protocol, problem: Problem
) -> list[str]:
    """Return which of ``plan.metrics`` this problem can answer, and does not by itself."""
    hidden = problem.hidden
    there = {
        "truth": hidden.truth_counts is not None,
        "truth_counts": hidden.truth_counts is not None,
        "squared_errors": hidden.truth_counts is not None,
        "labels": hidden.labels is not None,
        "batch": hidden.batch is not None,
    }
    lacking = {name for name in OF_SOME_PROBLEMS if not there[name]}
    offered = {*OF_EVERY_PROBLEM, *protocol.offers} - lacking
    return [
        name
        for name in plan.metrics
        if name not in (*problem.metrics, *COST_METRICS)
        and {*metrics[name].needs, *metrics[name].cell_needs} <= offered
    ]


def _must_be_scored(plan: Plan, metrics: Mapping[str, Metric], found: Problems) -> None:
    scored = {name for posed in found.posed.values() for name in posed.metrics}
    for name in plan.metrics:
        if found.posed and name not in scored:
            raise InputError(
                f"no question of this run has what the metric {name!r} needs, which is "
                f"{', '.join(metrics[name].needs)}: choose other --protocols or --datasets"
            )


def _find_batches(found: Problems, source: Source, dataset: Dataset) -> None:
    """Note how many cells each batch has, or why no batch is imputed alone."""
    names, sizes = np.unique([] if dataset.batch is None else dataset.batch, return_counts=True)
    if len(names) > 1:
        found.with_batches.add(source.spec)
        cells = {str(name): int(size) for name, size in zip(names, sizes, strict=True)}
        facts = found.datasets[source.spec]
        facts["batches"] = cells
        facts["warning"] = " ".join(filter(None, [facts["warning"], _confounded(dataset)]))
        return
    has = f"all its cells are of batch {str(names[0])!r}" if len(names) else "it has no batches"
    reason = f"{has}; methods ran on all cells together only"
    found.skipped.append({"dataset": source.spec, "protocol": "per=batch", "reason": reason})


def _confounded(dataset: Dataset) -> str:
    """Say so where batches tell the cell types."""
    if dataset.labels is None or dataset.batch is None:
        return ""
    pairs = set(zip(dataset.batch, dataset.labels, strict=True))
    if len(pairs) > len(np.unique(dataset.batch)):
        return ""
    return (
        "Every batch holds one cell type only, so what sets batches apart sets cell types apart: "
        "scores of clustering favour batches imputed alone."
    )


def strangers_in(
    plan: Plan, problems: Problems, registry: Registry, executor: Executor
) -> list[Asking]:
    """Name what strangers bring of the run; only now is it known which metrics answer it.

    Raises
    ------
    NotApartError
        If a plugin of an imputer also brings a metric by which it would be judged.
    InputError
        If a protocol names a metric that needs what the protocol does not offer.
    """
    metrics = [name for posed in problems.posed.values() for name in posed.metrics]
    plan.answering.check(registry, [("metric", name) for name in metrics])
    for item in plan.asked:
        posed = problems.posed.get((item.source.spec, item.protocol.spec))
        for name in posed.metrics if posed else ():
            check_needs(registry.metrics[name], item.protocol.offers, item.protocol.name)
    names: list[tuple[Kind, str]] = [
        *(("dataset", type(source).name) for source in plan.sources),
        *(("protocol", type(item.protocol).name) for item in plan.asked),
        *(("metric", name) for name in metrics),
        ("executor", executor.name),
    ]
    return strangers_asking(registry, names)


def _save(
    folder: Path,
    spec: str,
    protocol: Protocol,
    dataset: Dataset,
    problem: Problem,
    metrics: tuple[str, ...],
    determined_by: str,
) -> Posed:
    parameters = json.dumps(protocol.parameters(), sort_keys=True, default=str)
    fingerprint = f"{dataset.fingerprint}{protocol.name}{parameters}{determined_by}"
    return Posed(
        dataset=spec,
        protocol=protocol.spec,
        fingerprint=hashlib.sha256(fingerprint.encode()).hexdigest()[:16],
        view=_save_view(folder, problem.observed),
        hidden=conceal(problem.hidden, folder),
        metrics=metrics,
        has_truth=problem.hidden.truth_counts is not None,
        again=tuple(
            PosedAgain(name, _save_view(folder, again.observed), again.seed_shift)
            for name, again in problem.again.items()
        ),
        controls=tuple(
            control
            for control in TRUTH_CONTROLS.values()
            if control.exists(problem.hidden) and "expression" in protocol.answered_from
        ),
    )


def _save_view(folder: Path, observed: Observed) -> Path:
    """Write a view once, however many problems show it."""
    view = folder / "views" / observed_hash(observed)
    if not view.exists():
        view.mkdir(parents=True)
        save_observed(view, observed)
        save_logs(view, observed)
    return view


def _facts(source: Source, dataset: Dataset) -> dict[str, Any]:
    counts = dataset.counts
    facts = dict(dataset.facts)
    card = facts.pop("card", {})
    if sp.issparse(counts):
        stored = int(counts.count_nonzero())
    else:
        stored = sum(int(np.count_nonzero(counts[some])) for some in large.some_rows(counts))
    return {
        "title": facts.get("title", dataset.name),
        "summary": type(source).summary,
        "n_cells": dataset.n_cells,
        "n_genes": dataset.n_genes,
        "n_groups": dataset.n_groups,
        "zero_fraction": 1 - stored / max(1, dataset.n_cells * dataset.n_genes),
        "median_count": median_count(counts),
        "simulated": dataset.true_counts is not None,
        "own": source.own,
        "steps": list(dataset.steps),
        "facts": {**facts, **_shown(card)},
        "labels_confidence": card.get("labels_from", ""),
        "warning": card.get("warning", ""),
        "fingerprint": dataset.fingerprint,
        "parameters": source.parameters(),
    }


def _shown(card: dict[str, Any]) -> dict[str, Any]:
    """What of a dataset's card belongs in a report."""
    first = ("organism", "tissue", "protocol", "technology")
    keys = (*first, "labels_note", "citation", "doi", "accession")
    return {key.replace("_", " "): card[key] for key in keys if card.get(key)}


def _skip(source: Source, protocol: Protocol, reason: str, metric: str = "") -> dict[str, str]:
    return {
        "dataset": source.spec,
        "protocol": protocol.spec,
        "reason": reason,
        "metric": metric,
    }
