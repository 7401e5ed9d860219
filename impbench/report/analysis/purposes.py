"""Rank imputers for each purpose, from every question's lead score.

A protocol says which purpose its answer serves (`impbench.protocols.protocol.Protocol.purpose`);
speed is a purpose of its own. Per purpose an imputer has its mean rank and mean skill over all
questions asked (dataset × protocol), on the lead metric of each protocol. What failed counts as
the worst (`impbench.report.analysis.worst`). Where the plain form of a protocol was asked, its
forms with parameters do not count besides (`without_repeats`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from impbench.report.analysis.run import Run
from impbench.report.numbers import number, skill_text

MIN_DATASETS = 3
"""Below so many data sets the table of purposes ranks nobody."""

SPEED = "speed"
TIME = "wall-seconds"

_QUESTION = ["purpose", "dataset", "protocol"]
"""Columns that name a question."""


def purposes_of(run: Run, summary: pd.DataFrame) -> pd.DataFrame:
    """Return one row per purpose and imputer, in the order of the plan.

    Controls that see the truth are left out. Columns, besides these two:

    mean_rank, n_ranked, n_questions
        Mean rank over the questions on which the imputer has one, and the number of questions.
    mean_place
        As `mean_rank`, each rank rescaled from 0 (first) to 1 (last of all ranked there).
    mean_skill
        Mean skill over the questions where it is defined; NaN for speed.
    seconds
        For speed: median over datasets of the mean wall-clock seconds; NaN elsewhere.
    n_failed, n_lost
        Imputations that failed, and that gave no result for any reason.
    n_datasets
        On how many datasets the questions were asked.
    """
    table = questions_of(run, summary)
    if table.empty:
        return pd.DataFrame(columns=["purpose", "imputer", "mean_rank"])
    n_questions = table.drop_duplicates(["purpose", "dataset", "protocol"])["purpose"]
    found = (
        table.groupby(["purpose", "imputer"], sort=False)
        .agg(
            mean_rank=("rank", "mean"),
            n_ranked=("rank", "count"),
            mean_place=("place", "mean"),
            mean_skill=("skill", "mean"),
            seconds=("seconds", "median"),
            n_failed=("n_failed", "sum"),
            n_lost=("n_lost", "sum"),
        )
        .reset_index()
    )
    n_datasets = table.groupby("purpose")["dataset"].nunique()
    return found.assign(
        n_questions=found["purpose"].map(n_questions.value_counts()),
        n_datasets=found["purpose"].map(n_datasets),
    )


def questions_of(run: Run, summary: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `summary` that `purposes_of` averages, with three columns more.

    purpose
        What the question serves; rows of speed have no protocol, one per dataset and method.
    place
        The rank, from 0 (first) to 1 (last of all ranked there).
    seconds
        Mean wall-clock seconds of speed, NaN elsewhere.
    """
    parts = [part for _, part in _questions(run, summary)]
    if not parts:
        return pd.DataFrame()
    table = without_repeats(pd.concat(parts, ignore_index=True))
    last = table.groupby(["dataset", "protocol", "purpose"])["rank"].transform("max")
    table["place"] = ((table["rank"] - 1) / (last - 1)).where(last > 1, 0.0)
    table.loc[table["rank"].isna(), "place"] = np.nan
    table["seconds"] = table["counted"].where(table["purpose"] == SPEED)
    return table


def without_repeats(rows: pd.DataFrame) -> pd.DataFrame:
    """Leave out forms of a protocol with parameters where its plain form has ranks.

    `clustering[algorithm=leiden]` on the cells of `clustering` is no further data set, and would
    give these cells a second vote on the same purpose.

    Parameters
    ----------
    rows
        With the columns purpose, dataset, protocol and rank.
    """
    plain = rows["protocol"].str.partition("[")[0]
    with_ranks = rows[rows["rank"].notna() & (rows["protocol"] == plain)]
    asked = pd.MultiIndex.from_frame(with_ranks[_QUESTION])
    again = pd.MultiIndex.from_frame(rows.assign(protocol=plain)[_QUESTION]).isin(asked)
    return rows[(rows["protocol"] == plain) | ~again]


def best_of(run: Run, purposes: pd.DataFrame) -> set[tuple[str, str]]:
    """Return method and purpose of every lowest mean rank, of methods that never failed."""
    methods = purposes[purposes["imputer"].isin(run.methods) & (purposes["n_failed"] == 0)]
    lowest = methods.groupby("purpose")["mean_rank"].transform("min")
    rows = methods[methods["mean_rank"] == lowest]
    return set(zip(rows["imputer"], rows["purpose"], strict=True))


def beside_rank(row: Any) -> str:
    """Say what stands below the mean rank in a row of `purposes_of`: seconds, or skill."""
    notes = [] if math.isnan(row.seconds) else [f"{number(row.seconds, 2)} s"]
    notes += [] if math.isnan(row.mean_skill) else [f"skill {skill_text(row.mean_skill)}"]
    notes += [f"{row.n_ranked}/{row.n_questions}"] if row.n_ranked < row.n_questions else []
    return " · ".join(notes)


def all_misled(run: Run, purpose: str) -> bool:
    """Say whether every question of a purpose takes counts for what they are not."""
    asked = [pair for pair in run.problems if run.purpose(pair[1]) == purpose]
    return bool(asked) and all(dataset in run.misled(name) for dataset, name in asked)


def _questions(run: Run, summary: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield each purpose's rows of the summary: lead metrics, then time, once per dataset."""
    ranked = summary[~summary["imputer"].map(run.sees_truth).astype(bool)]
    for protocol in run.protocols:
        metric = run.lead_metric(protocol)
        rows = ranked[(ranked["protocol"] == protocol) & (ranked["metric"] == metric)]
        if rows["rank"].notna().any():
            purpose = run.purpose(protocol)
            yield purpose, rows.assign(purpose=purpose)
    times = ranked[(ranked["metric"] == TIME) & ranked["imputer"].isin(run.methods)]
    # Protocols that show the same data share an imputation: its time counts once.
    times = times.drop_duplicates(["dataset", "imputer"]).assign(protocol="", purpose=SPEED)
    if times["rank"].notna().any():
        yield SPEED, times
