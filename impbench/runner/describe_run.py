"""Make the manifest of a run: everything a reader of its report needs besides the records."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from packaging.requirements import Requirement

from impbench.imputer import Imputer
from impbench.plan.keys import code_version, plugin_file
from impbench.plan.plan import Plan
from impbench.plan.separation import Asking
from impbench.registry import Registry
from impbench.results.record import SCORING
from impbench.runner.problems import Problems
from impbench.truth_control import TruthControl
from impbench.version import __version__


def describe_run(
    plan: Plan,
    problems: Problems,
    registry: Registry,
    asking: Sequence[Asking],
    keys: Sequence[str],
    settings: dict[str, Any],
    command: str,
) -> dict[str, Any]:
    """Return the manifest, JSON-ready.

    Parameters
    ----------
    asking
        What strangers bring of the questions.
    keys
        Keys of the records, in plan order.
    settings
        Jobs at once, threads per job, limits and device.
    command
        What would start this run again.
    """
    imputers = {imputer.spec: imputer for item in plan.asked for imputer in item.imputers}
    return {
        "suite": {
            "name": plan.suite.name,
            "title": plan.suite.title,
            "description": plan.suite.description,
            "replaced": list(plan.replaced),
        },
        "command": command,
        "scoring": SCORING,
        "started": None,
        "finished": None,
        "interrupted": False,
        "keys": list(keys),
        "seeds": list(plan.seeds),
        "datasets": problems.datasets,
        "protocols": {
            item.protocol.spec: {
                "name": item.protocol.name,
                "summary": item.protocol.summary,
                "meaning": item.protocol.meaning,
                "reference": item.protocol.reference,
                "purpose": item.protocol.serves,
                "params": item.protocol.parameters(),
            }
            for item in plan.asked
        },
        "problems": problems.problems,
        "third_party": [
            {"kind": item.kind, "name": item.name, "source": item.origin.source} for item in asking
        ],
        "imputers": {
            **{spec: _describe(imputer, registry) for spec, imputer in imputers.items()},
            **{
                control.name: _describe_truth_control(control)
                for posed in problems.posed.values()
                for control in posed.controls
            },
        },
        "skipped": problems.skipped,
        "unasked": list(plan.unasked),
        "broken_plugins": [
            {"name": plugin.name, "reason": plugin.reason} for plugin in registry.broken_so_far
        ],
        "environment": {
            "impbench": __version__,
            "python": platform.python_version(),
            "platform": platform.platform(),
            "cpu": _cpu_name(),
            "cores": os.cpu_count(),
            "memory_bytes": psutil.virtual_memory().total,
            "versions": _versions(imputers.values()),
            **settings,
        },
    }


def _describe(imputer: Imputer, registry: Registry) -> dict[str, Any]:
    kind = type(imputer)
    entry = registry.imputers.entry(kind.name)
    return {
        "name": kind.name,
        "summary": kind.summary,
        "citation": kind.citation,
        "version": code_version(kind),
        "is_control": kind.is_control,
        "role": kind.role if entry is not None and entry.origin.is_ours else "",
        "plugin": str(plugin_file(kind) or ""),
        "needs_truth": False,
        "stochastic": kind.stochastic,
        "input_scale": kind.input_scale,
        "devices": list(kind.devices),
        "keeps_observed": kind.keeps_observed,
        "gives": list(kind.gives),
        "params": imputer.parameters(),
    }


def _describe_truth_control(control: TruthControl) -> dict[str, Any]:
    return {
        "name": control.name,
        "summary": control.summary,
        "citation": "",
        "version": control.version,
        "is_control": True,
        "role": "",
        "needs_truth": True,
        "stochastic": False,
        "input_scale": "lognorm",
        "devices": ["cpu"],
        "keeps_observed": True,
        "gives": ["expression"],
        "params": {},
    }


def _versions(imputers: Iterable[Imputer]) -> dict[str, str]:
    """Return the versions of what impbench needs, and of what the imputers declare."""
    needed = {Requirement(text) for text in importlib.metadata.requires("impbench") or ()}
    names = {item.name for item in needed if item.marker is None}
    # Packages of an environment of the method's own are in its records.
    names.update(name for item in imputers if not item.requires for name in item.packages)
    versions = {}
    for name in sorted(names):
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions


def _cpu_name() -> str:
    """Name the processor as its maker does, where the system says."""
    if sys.platform.startswith("linux"):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
