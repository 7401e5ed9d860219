"""Which method for which purpose: every question's lead score, summed up by what it is good for.

A protocol says which purpose its answer serves (`impbench.protocols.protocol.Protocol.purpose`);
speed is a purpose of its own. Per purpose an imputer has its mean rank and mean skill over all
questions asked (dataset × protocol), on the lead metric of each protocol.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from impbench.report.numbers import number, rank_text, skill_text
from impbench.report.run import SEES_TRUTH, Run
from impbench.report.text import counted, listed

SPEED = "speed"
TIME = "wall-seconds"


@dataclass(frozen=True)
class Advice:
    """What to take for one purpose: a verdict, and what it rests on."""

    purpose: str
    verdict: str
    basis: str
    caution: bool


def purposes_of(run: Run, summary: pd.DataFrame) -> pd.DataFrame:
    """Return one row per purpose and imputer, in the order of the plan; the oracle is left out.

    Columns, besides these two:

    mean_rank, n_ranked, n_questions
        Mean rank over the questions on which the imputer has one, and the number of questions.
    mean_place
        As `mean_rank`, each rank rescaled from 0 (first) to 1 (last of all ranked there).
    mean_skill
        Mean skill over the questions where it is defined; NaN for speed.
    seconds
        For speed: median over datasets of the mean wall-clock seconds; NaN elsewhere.
    """
    parts = [part for purpose, part in _questions(run, summary)]
    if not parts:
        return pd.DataFrame(columns=["purpose", "imputer", "mean_rank"])
    table = pd.concat(parts, ignore_index=True)
    last = table.groupby(["dataset", "protocol", "purpose"])["rank"].transform("max")
    table["place"] = ((table["rank"] - 1) / (last - 1)).where(last > 1, 0.0)
    table.loc[table["rank"].isna(), "place"] = np.nan
    table["seconds"] = table["mean"].where(table["purpose"] == SPEED)
    n_questions = table.drop_duplicates(["purpose", "dataset", "protocol"])["purpose"]
    found = (
        table.groupby(["purpose", "imputer"], sort=False)
        .agg(
            mean_rank=("rank", "mean"),
            n_ranked=("rank", "count"),
            mean_place=("place", "mean"),
            mean_skill=("skill", "mean"),
            seconds=("seconds", "median"),
        )
        .reset_index()
    )
    return found.assign(n_questions=found["purpose"].map(n_questions.value_counts()))


def advise(run: Run, purposes: pd.DataFrame) -> list[Advice]:
    """Return one verdict per purpose, from the methods that were ranked on all of its questions."""
    found = []
    for purpose, rows in purposes.groupby("purpose", sort=False):
        asked = int(rows["n_questions"].max())
        methods = rows[rows["imputer"].isin(run.methods) & (rows["n_ranked"] == asked)]
        if methods.empty:
            continue
        best = methods[methods["mean_rank"] == methods["mean_rank"].min()]
        names = listed(list(best["imputer"]))
        over = counted(asked, "dataset" if purpose == SPEED else "question")
        rank = f"mean rank {rank_text(float(best['mean_rank'].iloc[0]))} on {over}"
        if purpose == SPEED:
            seconds = f"{number(float(best['seconds'].min()), 2)} s per imputation, {rank}"
            found.append(Advice(str(purpose), names, seconds, False))
            continue
        skill = float(best["mean_skill"].max())
        basis = rank if math.isnan(skill) else f"{rank}, mean skill {skill_text(skill)}"
        controls = rows[rows["imputer"].isin(run.controls) & (rows["n_ranked"] == asked)]
        ahead = controls[controls["mean_rank"] < best["mean_rank"].iloc[0]]
        if len(ahead):
            first = ahead.sort_values("mean_rank", kind="stable")["imputer"].iloc[0]
            basis += f"; but the control {first} ranks before it"
        found.append(Advice(str(purpose), names, basis, bool(len(ahead))))
    return found


def _questions(run: Run, summary: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield each purpose's rows of the summary: lead metrics, then time, once per dataset."""
    ranked = summary[~summary["imputer"].isin(SEES_TRUTH)]
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
