"""Count a failed imputation as the worst; ranks, skills, gains and tests all use this rule.

A method that crashed, hung, ran out of memory or gave what cannot be scored is not better for it.
Each failed imputation (one dataset, protocol and seed) takes, in every score, the worst that any
imputer reached there: the worst control's, or that of an imputer that is worse still. An imputer
that failed with every seed is ranked behind all others besides. None that failed is called best,
and a number that rests on fewer results than were asked bears a `MARK`.

``unavailable`` is what was known before a method saw data, and ``cancelled`` what the user did:
these leave a gap, which is marked as well.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from impbench.report.analysis.shown_metric import ShownMetric
from impbench.results.manifest import AboutImputer

QUESTION = ["dataset", "protocol"]
CELL = ["dataset", "protocol", "imputer"]
SCORE = ["dataset", "protocol", "metric"]

FAILURES = ("failed", "timeout", "memory")
"""What a method is answerable for."""

MARK = "*"
RULE = "rests on fewer results than were asked; a failed imputation counts as the worst"
"""What `MARK` means, to be written where it is used."""


def count_failures(
    results: pd.DataFrame,
    imputers: Mapping[str, AboutImputer],
    metrics: Mapping[str, ShownMetric],
) -> pd.DataFrame:
    """Return `results` (see `impbench.results.table.tidy`) with two columns more.

    failed
        Whether the job failed, see `FAILURES`.
    counted
        `value`, or of a failed job the worst mean over seeds of all imputers that are ranked on
        this score; NaN where none is.
    """
    failed = results["status"].isin(FAILURES)
    sees_truth = results["imputer"].map({name: fact.needs_truth for name, fact in imputers.items()})
    control = results["imputer"].map({name: fact.is_control for name, fact in imputers.items()})
    cost = results["metric"].map({name: fact.is_cost for name, fact in metrics.items()})
    direction = results["metric"].map({name: fact.direction for name, fact in metrics.items()})
    ranked = ~sees_truth.astype(bool) & ~(control.astype(bool) & cost.astype(bool))
    ranked &= direction != 0
    loss = (results["value"] * direction).where(ranked)
    # Of an imputer the mean over seeds, of a score the worst of these.
    keys = [results[key] for key in SCORE]
    means = loss.groupby([*keys, results["imputer"]]).transform("mean")
    worst = means.groupby(keys).transform("max") * direction
    return results.assign(failed=failed, counted=np.where(failed & ranked, worst, results["value"]))


def marked(text: str, n_lost: float) -> str:
    """Add the `MARK` to a number that lacks `n_lost` results."""
    return f"{text}{MARK}" if n_lost > 0 else text


def lost_text(n_lost: int, n_asked: int) -> str:
    """Say how many results are missing: ``1 of 2 lost``."""
    return f"{n_lost} of {n_asked} lost"
