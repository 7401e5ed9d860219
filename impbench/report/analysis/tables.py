"""Summarise scores over seeds, place them among the controls, and rank them.

Within a dataset, imputers are ranked by their mean over seeds: 1 is best, ties share the mean of
their places. A failed imputation counts as the worst (see `worst`). Controls that see
the truth are not ranked; the others are, so that a method below one is seen to be. Cost is ranked
among methods alone. Over datasets, ranks are averaged per metric.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from impbench.report.analysis.run import ATTAINABLE, ORACLE, Run
from impbench.report.analysis.skill import skills
from impbench.report.analysis.worst import CELL, QUESTION, SCORE

Verdict = Literal["better", "worse", "not told apart"]
"""Of two imputers on one dataset, by the spread over seeds."""


def summarise(run: Run) -> pd.DataFrame:
    """Return one row per dataset, protocol, imputer and metric.

    Columns, besides these four:

    mean, sd
        Over the seeds that have a value; sd is NaN below two.
    low, high
        95 % bounds over cells; NaN where the score has none.
    counted
        The mean that rank and skill are made from: a failed seed counts as the worst.
    n_scored, n_jobs
        Seeds with a value, and jobs that ended in any way.
    n_failed, n_lost, n_asked
        Seeds that failed; that gave no result for any reason; and all that were asked.
    status, reason
        ``ok``, or those of the first job that was not.
    rank, best
        See above; NaN where unranked. `best` marks the first and what ties with it, none of which
        may have failed.
    skill, control, nothing, top, basis
        See `impbench.report.analysis.skill.skills`.
    """
    if run.results.empty:
        return _empty()
    results = run.counted
    scores = (
        results.groupby([*CELL, "metric"], sort=False)
        .agg(
            mean=("value", "mean"),
            sd=("value", "std"),
            n_scored=("value", "count"),
            counted=("counted", "mean"),
        )
        .reset_index()
    )
    table = _jobs(results, run.n_seeds).merge(results[SCORE].drop_duplicates(), on=QUESTION)
    table = table.merge(scores, on=[*CELL, "metric"], how="left")
    table["n_scored"] = table["n_scored"].fillna(0).astype(int)
    table = _in_plan_order(table, run)
    facts = table["metric"].map(run.metrics)
    direction = np.array([fact.direction for fact in facts], dtype=float)
    is_cost = np.array([fact.is_cost for fact in facts], dtype=bool)
    is_control = table["imputer"].map(lambda name: run.imputers[name].is_control).to_numpy(bool)
    # Oriented so that smaller is better, whatever the metric; NaN where nobody knows.
    loss = np.where(direction == 0, np.nan, direction * table["counted"])
    sees_truth = table["imputer"].map(run.sees_truth).to_numpy(bool)
    ranked = (~is_control | ~is_cost) & ~sees_truth & (direction != 0)
    table["rank"] = _ranks(table, loss, ranked)
    whole = table["rank"].where((table["n_failed"] == 0) & table["mean"].notna())
    table["best"] = whole.notna() & (
        whole == table.assign(rank=whole).groupby(SCORE)["rank"].transform("min")
    )
    keys = zip(*(table[key] for key in (*CELL, "metric")), strict=True)
    bounds = [run.intervals.get(key, (np.nan, np.nan)) for key in keys]
    table[["low", "high"]] = np.array(bounds).reshape(-1, 2)
    return table.join(skills(run, table))


def leaderboard_of(run: Run, summary: pd.DataFrame) -> pd.DataFrame:
    """Return one row per protocol, scope (simulated or real data), imputer and metric.

    Columns, besides these four: `mean_rank` over the `n_ranked` of `n_datasets` datasets,
    `mean_skill` over the `n_skill` where it is defined, `mean_score` over the datasets (of scores
    that do not compare, the difference to no imputation), `median` of their means (for cost), and
    `n_lost` of `n_asked` imputations without a result, which rank and skill count as the worst
    where they failed. Rows are ordered by protocol, scope, then mean rank on the protocol's lead
    metric.
    """
    if summary.empty:
        return _empty().assign(scope=[], mean_rank=[], mean_skill=[])
    comparable = summary["metric"].map(lambda name: run.metrics[name].comparable).astype(bool)
    table = summary.assign(
        scope=summary["dataset"].map(run.scope),
        score=summary["counted"] - summary["nothing"].where(~comparable, 0.0),
    )
    keys = ["protocol", "scope", "imputer", "metric"]
    groups = table.groupby(keys, sort=False)
    board = groups.agg(
        mean_rank=("rank", "mean"),
        n_ranked=("rank", "count"),
        n_datasets=("rank", "size"),
        mean_skill=("skill", "mean"),
        n_skill=("skill", "count"),
        mean_score=("score", "mean"),
        median=("counted", "median"),
        n_lost=("n_lost", "sum"),
        n_asked=("n_asked", "sum"),
    ).reset_index()
    places = {
        (protocol, scope, name): place
        for protocol in run.protocols
        for scope in ("simulated", "real")
        for place, name in enumerate(order(run, summary, protocol, scope))
    }
    where = list(zip(board["protocol"], board["scope"], board["imputer"], strict=True))
    board["place"] = [places[key] for key in where]
    board["at"] = board["protocol"].map(run.protocols.index)
    # Descending, "simulated" comes before "real".
    return (
        board.sort_values(["at", "scope", "place"], ascending=[True, False, True], kind="stable")
        .drop(columns=["at", "place"])
        .reset_index(drop=True)
    )


def order(run: Run, summary: pd.DataFrame, protocol: str, scope: str | None = None) -> list[str]:
    """Return the imputers from best to worst by mean rank on the protocol's lead metric.

    Those ranked on fewer datasets follow those ranked on more; unranked ones come last, those that
    see the truth very last.
    """
    rows = summary[summary["protocol"] == protocol]
    if scope is not None:
        rows = rows[rows["dataset"].map(run.scope) == scope]
    lead = rows[rows["metric"] == run.lead_metric(protocol)].groupby("imputer")["rank"]
    mean, count = lead.mean(), lead.count()
    asked = set(rows["imputer"])
    names = [name for name in run.imputers if name in asked]
    return sorted(
        names,
        key=lambda name: (
            (ATTAINABLE, ORACLE).index(name) + 1 if name in (ATTAINABLE, ORACLE) else 0,
            -int(count.get(name, 0)),
            float(mean.get(name, np.inf)) if count.get(name, 0) else np.inf,
        ),
    )


def gain(
    run: Run, dataset: str, protocol: str, metric: str, a: str, b: str
) -> tuple[float, Verdict | None]:
    """Return how much better `a` is than `b`, and whether it is better or worse beyond seed noise.

    The gain is the difference of the means over seeds, in the metric's unit, positive where `a` is
    better; a failed seed counts as the worst. `a` is better, or worse, when the difference exceeds
    twice its standard deviation over the seeds that both have, each taken with the same seed; None
    when they share fewer than two.
    """
    values_a = run.counted_by_seed.get((dataset, protocol, metric, a))
    values_b = run.counted_by_seed.get((dataset, protocol, metric, b))
    if values_a is None or values_b is None:
        return float("nan"), None
    difference = (values_b - values_a) * run.metrics[metric].direction
    difference = difference[np.isfinite(difference)]
    if not len(difference):
        return float("nan"), None
    mean = float(difference.mean())
    if len(difference) < 2:
        return mean, None
    if abs(mean) <= max(2 * float(difference.std(ddof=1)), 1e-9):
        return mean, "not told apart"
    return mean, "better" if mean > 0 else "worse"


def _jobs(results: pd.DataFrame, n_seeds: int) -> pd.DataFrame:
    """One row per cell: numbers of jobs, and status and reason of the first that failed."""
    jobs = results.drop_duplicates("key")
    groups = jobs.assign(ok=jobs["status"] == "ok").groupby(CELL, sort=False)
    counts = groups.agg(
        n_jobs=("key", "size"), n_failed=("failed", "sum"), n_ok=("ok", "sum")
    ).reset_index()
    counts["n_asked"] = counts["n_jobs"].clip(lower=n_seeds)
    counts["n_lost"] = counts["n_asked"] - counts.pop("n_ok")
    failed = jobs[jobs["status"] != "ok"].drop_duplicates(CELL)[[*CELL, "status", "reason"]]
    table = counts.merge(failed, on=CELL, how="left")
    return table.fillna({"status": "ok", "reason": ""})


def _in_plan_order(table: pd.DataFrame, run: Run) -> pd.DataFrame:
    places = {
        "dataset": list(run.datasets),
        "protocol": run.protocols,
        "imputer": list(run.imputers),
        "metric": list(run.metrics),
    }
    index = {
        column: table[column].map({name: i for i, name in enumerate(names)})
        for column, names in places.items()
    }
    order = np.lexsort([index[key] for key in ("metric", "imputer", "protocol", "dataset")])
    return table.iloc[order].reset_index(drop=True)


def _ranks(table: pd.DataFrame, loss: np.ndarray, ranked: np.ndarray) -> pd.Series:
    """Rank within dataset, protocol and metric; equal to ten digits is equal."""
    with np.errstate(all="ignore"):
        digits = 9 - np.floor(np.log10(np.abs(np.where(loss == 0, 1, loss))))
        scale = 10.0 ** np.nan_to_num(digits)
        rounded = np.where(np.isfinite(scale), np.round(loss * scale) / scale, loss)
    failed = (table["n_failed"] > 0) & (table["n_scored"] == 0)
    scored = table.assign(scored=table["mean"].notna() & ranked).groupby(SCORE)["scored"]
    # Last place means something only where somebody else has a place.
    failed = failed & scored.transform("any")
    rounded = np.where(ranked, np.where(failed, np.inf, rounded), np.nan)
    return table.assign(loss=rounded).groupby(SCORE)["loss"].rank(method="average")


def _empty() -> pd.DataFrame:
    scores = ["metric", "mean", "sd", "low", "high", "counted", "n_scored", "n_jobs", "n_failed"]
    columns = [*CELL, *scores, "n_lost", "n_asked", "status", "reason", "rank", "best"]
    return pd.DataFrame(columns=[*columns, "skill", "control", "nothing", "top", "basis"])
