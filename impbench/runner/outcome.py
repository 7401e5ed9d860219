"""What a run left behind, as Python users look at it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pandas as pd

from impbench.results.failed_methods import MethodFailed
from impbench.results.store import StoredRun

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from impbench.report.overview import Overview


@dataclass(frozen=True)
class Results:
    """What a run left behind.

    Attributes
    ----------
    stored
        The run as it lies in its folder; see `impbench.results.store`.
    scores
        Tidy table: dataset, protocol, imputer, params, seed, metric, value, status, reason, key.
    report
        Path of the page, or None where it was not asked for.
    failed
        Methods that failed in at least one of their jobs.
    without_result
        Specs of the methods that the user named and that have no result at all.
    """

    stored: StoredRun = field(repr=False)
    scores: pd.DataFrame
    report: Path | None
    failed: tuple[MethodFailed, ...] = ()
    without_result: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.stored.store.folder

    @cached_property
    def _overview(self) -> Overview:
        from impbench.report.overview import Overview

        return Overview.of(self.stored)

    def answers(self) -> pd.DataFrame:
        """Say what to do for each purpose.

        Returns
        -------
        One row per purpose: `verdict` (``use magic``, ``leave your data alone``), how `sure` that
        is, the `reasons`, and the `command` that imputes the user's own data so.
        """
        return self._overview.answers()

    def table(self, of: Literal["scores", "purposes"] = "scores") -> pd.DataFrame:
        """Compare the imputers.

        Parameters
        ----------
        of
            ``scores``: the mean of every score over seeds and datasets. ``purposes``: the mean rank
            for every purpose, 1 is best. Both end with the seconds per imputation, median over
            datasets, of methods alone.

        Returns
        -------
        One row per imputer: methods, best first, then controls, then those that see the truth. One
        column per protocol and score, or per purpose; ↑ after its name says that higher is better,
        ↓ that lower is. A score whose size is the data's, such as a Poisson loss, is given as the
        difference to no imputation. A failed imputation counts as the worst.
        """
        return self._overview.scores() if of == "scores" else self._overview.purposes()

    def plot(self, figure: str = "purposes") -> Figure:
        """Draw a figure of the page.

        Parameters
        ----------
        figure
            Any that there is one of per run, such as ``purposes`` (imputers × purposes),
            ``heatmap-skill`` and ``heatmap-rank`` (imputers × scores), ``tradeoff``; `impbench list
            figures` shows all.

        Raises
        ------
        InputError
            If there is no such figure, or it has nothing to show of this run.
        """
        return self._overview.draw(figure)

    def _repr_html_(self) -> str:
        """Show answers and scores in a notebook."""
        return self._overview.html()
