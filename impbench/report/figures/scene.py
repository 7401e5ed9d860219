"""Bundle what one figure is drawn from: the run, its tables, and the part it is about."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from numpy.typing import NDArray

from impbench.report.analysis.purposes import purposes_of
from impbench.report.analysis.run import Run
from impbench.report.analysis.shown_metric import ShownMetric
from impbench.report.analysis.statistics import Comparison, compare
from impbench.report.analysis.tables import leaderboard_of, order, summarise
from impbench.report.analysis.worst import MARK, RULE
from impbench.report.figures.palette import Look, looks

Picture = Mapping[str, NDArray[Any]]
"""A sample of an imputation, by name: ``map`` (cells, 2), ``labels`` (cells,), ``gene_names``
(genes,), and ``observed``, ``imputed``, ``truth`` (cells, genes) on the log2 scale."""


@dataclass(frozen=True)
class Scene:
    """A run as one figure shows it."""

    run: Run
    """What was asked, and the score of every seed."""
    summary: pd.DataFrame
    """One row per dataset, protocol, imputer and metric (`impbench.report.analysis.tables`)."""
    board: pd.DataFrame
    """Means over datasets."""
    purposes: pd.DataFrame
    """Ranks per purpose."""
    comparisons: Sequence[Comparison]
    """Tests."""
    looks: Mapping[str, Look]
    """Label, colour and marker of each imputer, the same all over the page."""
    picture: Callable[[str], Picture | None]
    """Returns the arrays stored under a record's key, if there are any."""
    dataset: str = ""
    """What this drawing is about, with the next; empty where it is about all of them."""
    protocol: str = ""
    """See `dataset`."""
    left_out: list[str] = field(default_factory=list)
    """What figures say they do not show; see `leave_out`."""

    @classmethod
    def of(cls, run: Run, picture: Callable[[str], Picture | None] = lambda key: None) -> Scene:
        """Compute all tables of a run."""
        summary = summarise(run)
        return cls(
            run,
            summary,
            leaderboard_of(run, summary),
            purposes_of(run, summary),
            compare(run, summary),
            looks(run),
            picture,
        )

    @property
    def rows(self) -> pd.DataFrame:
        """Rows of `summary` that this drawing is about."""
        rows = self.summary
        for column, value in (("dataset", self.dataset), ("protocol", self.protocol)):
            rows = rows[rows[column] == value] if value else rows
        return rows

    @property
    def ordered(self) -> list[str]:
        """Imputers as the tables of the protocol order them."""
        return order(self.run, self.summary, self.protocol)

    def methods_first(self, present: Collection[str]) -> list[str]:
        """Return those of the imputers in `present`, methods before controls."""
        names = [name for name in self.ordered if name in present]
        return sorted(names, key=lambda name: self.run.imputers[name].is_control)

    @property
    def quality_metrics(self) -> list[ShownMetric]:
        """Metrics of the protocol that are no cost."""
        facts = [self.run.metrics[name] for name in self.run.metrics_of(self.protocol)]
        return [fact for fact in facts if not fact.is_cost]

    @property
    def mark_note(self) -> str:
        """A sentence that explains `MARK`, after a space; empty where nothing bears it."""
        return f" {MARK} {RULE}." if self.summary["n_lost"].any() else ""

    def leave_out(self, note: str) -> None:
        """Say on the page what is not drawn, such as ``bars are drawn for the first 12 datasets``.

        The same note shows once, however often it is given.
        """
        if note not in self.left_out:
            self.left_out.append(note)
