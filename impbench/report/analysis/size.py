"""Say when a run is so large that its page must leave something out to open at once."""

from __future__ import annotations

from impbench.report.analysis.run import Run

LARGE = 2000
"""Imputers × questions above which a page says each number once."""

MANY = 20
"""Imputers above which a figure of one question shows its leading score and the time alone."""


def is_large(run: Run) -> bool:
    """Whether the tables show every number of a data set in one place alone."""
    return len(run.imputers) * len(run.problems) > LARGE


def many_imputers(run: Run) -> bool:
    """Whether figures of one question show few of its scores."""
    return len(run.imputers) > MANY
