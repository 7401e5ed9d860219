"""Say what could not be asked, why, and what it takes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from impbench.metrics.metric import Metric
from impbench.report.analysis.run import Run
from impbench.report.text import plain


@dataclass(frozen=True)
class LeftOut:
    """A purpose, or one score of it, that a dataset could not be asked about."""

    what: str
    """The purpose, and the protocol or score in brackets."""
    dataset: str
    """Its title."""
    reason: str
    """Why, and what it takes."""
    own: bool
    """Whether these are the user's own data."""


def left_out(run: Run) -> list[LeftOut]:
    """Return what the manifest says could not be asked, in the plan's order."""
    found = []
    for item in run.manifest.skipped:
        about = run.manifest.datasets.get(item.dataset)
        reason, own = item.reason, "" if about is None else about.own
        if own == "memory":
            # In Python, options are arguments.
            reason = re.sub(r"--([a-z][a-z-]*)", lambda m: m[1].replace("-", "_"), reason)
        part = _title(item.metric) if item.metric else item.protocol
        what = f"{run.purpose(item.protocol)} ({part})"
        title = item.dataset if about is None else about.title
        found.append(LeftOut(what, title, reason, bool(own)))
    return found


def _title(metric: str) -> str:
    """The title of a metric that no result names."""
    from impbench.registry import registry

    found: Metric | None = registry().metrics.get(metric)
    return metric if found is None else plain(found.title)
