"""Skill: how much of the way from doing nothing to what can be reached, between −1 and 1.

With L a loss (a score that is better when larger is negated), L₀ that of no imputation and L₁ that
of the bound::

    skill = min(1, (L₀ − L) / (max(L, L₀) − L₁))

0 is doing nothing and 1 the bound. Worse than nothing lies between −1 and 0: −½ is a loss as far
beyond L₀ as L₀ is from the bound. What the bound is, the metric declares
(`impbench.metrics.metric.Bound`); docs/skill.md gives the reasons.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from impbench.report.analysis.run import ATTAINABLE, Run
from impbench.report.analysis.worst import SCORE

Values = NDArray[np.float64]


def skill(loss: Values, nothing: Values, bound: Values) -> Values:
    """Return the skill of each loss; `nothing` and `bound` as losses, `bound` the smaller."""
    with np.errstate(all="ignore"):
        return np.minimum(1, (nothing - loss) / (np.maximum(loss, nothing) - bound))


def skills(run: Run, table: pd.DataFrame) -> pd.DataFrame:
    """Return skill and what it is measured between, one row for each of `table`.

    Parameters
    ----------
    table
        Columns dataset, protocol, imputer, metric, mean, sd and counted, as in
        `impbench.report.analysis.tables.summarise`.

    Returns
    -------
    skill
        NaN without no-imputation or a bound, for cost, and where doing nothing is as good as the
        bound: within rounding, or one standard deviation over seeds of the difference.
    control
        Name of the best control that does not see the truth.
    nothing
        Mean score of no-imputation.
    top, basis
        What counts as 1: the mean score of ``attainable``, or the metric's ``ideal`` value, or
        ``none``.
    """
    facts = [run.metrics[name] for name in table["metric"]]
    direction = np.array([fact.direction for fact in facts], dtype=float)
    unknown = direction == 0
    sign = np.where(unknown, np.nan, direction)
    keys = pd.MultiIndex.from_frame(table[SCORE])

    def of(rows: pd.DataFrame, column: str) -> Values:
        found: Values = rows.set_index(SCORE)[column].reindex(keys).to_numpy(dtype=np.float64)
        return found

    nothing = table[table["imputer"] == run.nothing]
    attained = table[table["imputer"] == ATTAINABLE]
    bounded = np.array([fact.bound for fact in facts], dtype=object)
    ideal = np.where(bounded == "none", np.nan, np.array([fact.ideal for fact in facts]))
    ideal = np.where(np.isfinite(ideal), ideal, np.nan)
    reached = np.where(bounded == "attainable", of(attained, "mean"), np.nan)
    top = np.where(np.isfinite(reached), reached, ideal)
    start, end = sign * of(nothing, "mean"), sign * top
    noise = np.where(np.isfinite(reached), np.nan_to_num(of(attained, "sd")), 0.0)
    noise = np.hypot(noise, np.nan_to_num(of(nothing, "sd")))
    tiny = np.maximum(1e-9, 1e-6 * (np.abs(start) + np.abs(end)))
    defined = start - end > np.maximum(tiny, noise)
    loss = sign * table["counted"].to_numpy(dtype=np.float64)
    return pd.DataFrame(
        {
            "skill": np.where(defined, skill(loss, start, end), np.nan),
            "control": _best_control(run, table, loss).reindex(keys).to_numpy(),
            "nothing": of(nothing, "mean"),
            "top": np.where(unknown, np.nan, top),
            "basis": np.where(
                np.isfinite(reached), "attainable", np.where(np.isfinite(top), "ideal", "none")
            ),
        },
        index=table.index,
    )


def _best_control(run: Run, table: pd.DataFrame, loss: Values) -> pd.Series:
    """Return the name of the best control by dataset, protocol and metric."""
    work = table[[*SCORE, "imputer"]].assign(loss=loss)
    work = work[work["imputer"].isin(run.controls) & np.isfinite(loss)]
    best = work.loc[work.groupby(SCORE)["loss"].idxmin()]
    return best.set_index(SCORE)["imputer"]
