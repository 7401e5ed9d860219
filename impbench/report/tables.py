"""Scores summarised over seeds, placed among the controls, and ranked.

Within a dataset, imputers are ranked by their mean over seeds: 1 is best, ties share the mean of
their places, and an imputer that failed there with every seed takes the last place. The oracle is
not ranked; the other controls are, so that a method below one is seen to be. Cost is ranked among
methods alone. Over datasets, ranks are averaged per metric.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from impbench.report.run import ORACLE, SEES_TRUTH, Run

QUESTION = ["dataset", "protocol"]
CELL = ["dataset", "protocol", "imputer"]
SCORE = ["dataset", "protocol", "metric"]

FAILURES = ("failed", "timeout", "memory")
"""What a method is answerable for; ``unavailable`` and ``cancelled`` leave it unranked instead."""


def summarise(run: Run) -> pd.DataFrame:
    """Return one row per dataset, protocol, imputer and metric.

    Columns, besides these four:

    mean, sd
        Over the seeds that have a value; sd is NaN below two.
    n_scored, n_jobs
        Seeds with a value, and jobs that ended in any way.
    status, reason
        ``ok``, or those of the first job that was not.
    rank, best
        See above; NaN where unranked. `best` marks rank 1 and what ties with it.
    skill
        0 is the best control's mean, 1 the `top`; NaN where undefined, see `_skill`.
    control
        Name of the best control that does not see the truth.
    top, basis
        What counts as 1: the ``oracle``, or the metric's ``ideal`` value where no oracle ran.
    """
    if run.results.empty:
        return _empty()
    results = run.results
    scores = (
        results.groupby([*CELL, "metric"], sort=False)["value"]
        .agg(["mean", "std", "count"])
        .rename(columns={"std": "sd", "count": "n_scored"})
        .reset_index()
    )
    table = _jobs(results).merge(results[SCORE].drop_duplicates(), on=QUESTION)
    table = table.merge(scores, on=[*CELL, "metric"], how="left")
    table["n_scored"] = table["n_scored"].fillna(0).astype(int)
    table = _in_plan_order(table, run)
    facts = table["metric"].map(run.metrics)
    direction = np.array([fact.direction for fact in facts], dtype=float)
    is_cost = np.array([fact.is_cost for fact in facts], dtype=bool)
    is_control = table["imputer"].map(lambda name: run.imputers[name].is_control).to_numpy(bool)
    # Oriented so that smaller is better, whatever the metric; NaN where nobody knows.
    loss = np.where(direction == 0, np.nan, direction * table["mean"])
    table["rank"] = _ranks(table, loss, direction, ranked=~is_control | ~is_cost)
    table["best"] = (table["rank"] == table.groupby(SCORE)["rank"].transform("min")) & table[
        "mean"
    ].notna()
    ideal = np.array([fact.ideal for fact in facts])
    return table.join(_skill(table, loss, direction * ideal, is_control, is_cost, direction))


def leaderboard_of(run: Run, summary: pd.DataFrame) -> pd.DataFrame:
    """Return one row per protocol, scope (simulated or real data), imputer and metric.

    Columns, besides these four: `mean_rank` over the `n_ranked` of `n_datasets` datasets,
    `mean_skill` over the `n_skill` where it is defined, `median` of the datasets' means (for
    cost). Rows are ordered by protocol, scope, then mean rank on the protocol's lead metric.
    """
    if summary.empty:
        return _empty().assign(scope=[], mean_rank=[], mean_skill=[])
    table = summary.assign(scope=summary["dataset"].map(run.scope))
    keys = ["protocol", "scope", "imputer", "metric"]
    groups = table.groupby(keys, sort=False)
    board = groups.agg(
        mean_rank=("rank", "mean"),
        n_ranked=("rank", "count"),
        n_datasets=("rank", "size"),
        mean_skill=("skill", "mean"),
        n_skill=("skill", "count"),
        median=("mean", "median"),
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

    Those ranked on fewer datasets follow those ranked on more; unranked ones come last, those
    that see the truth very last.
    """
    rows = summary[summary["protocol"] == protocol]
    if scope is not None:
        rows = rows[rows["dataset"].map(run.scope) == scope]
    lead = rows[rows["metric"] == run.lead_metric(protocol)].groupby("imputer")["rank"]
    mean, count = lead.mean(), lead.count()
    names = [name for name in run.imputers if name in set(rows["imputer"])]
    return sorted(
        names,
        key=lambda name: (
            name in SEES_TRUTH,
            name == ORACLE,
            -int(count.get(name, 0)),
            float(mean.get(name, np.inf)) if count.get(name, 0) else np.inf,
        ),
    )


def gain(
    run: Run, dataset: str, protocol: str, metric: str, a: str, b: str
) -> tuple[float, bool | None]:
    """Return how much better `a` is than `b`, and whether that is beyond seed noise.

    The gain is the difference of the means over seeds, in the metric's unit, positive where `a` is
    better. It counts as beyond noise when it exceeds twice the standard deviation, over the seeds
    that both have, of the difference with the same seed; None when they share fewer than two.
    """
    values_a = run.by_seed.get((dataset, protocol, metric, a))
    values_b = run.by_seed.get((dataset, protocol, metric, b))
    if values_a is None or values_b is None:
        return float("nan"), None
    difference = (values_b - values_a) * run.metrics[metric].direction
    difference = difference[np.isfinite(difference)]
    if not len(difference):
        return float("nan"), None
    mean = float(difference.mean())
    if len(difference) < 2:
        return mean, None
    return mean, bool(mean > max(2 * float(difference.std(ddof=1)), 1e-9))


def _jobs(results: pd.DataFrame) -> pd.DataFrame:
    """One row per cell: number of jobs, and status and reason of the first that failed."""
    jobs = results.drop_duplicates("key")
    counts = jobs.groupby(CELL, sort=False).size().rename("n_jobs").reset_index()
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


def _ranks(
    table: pd.DataFrame, loss: np.ndarray, direction: np.ndarray, ranked: np.ndarray
) -> pd.Series:
    """Rank within dataset, protocol and metric; equal to ten digits is equal."""
    with np.errstate(all="ignore"):
        digits = 9 - np.floor(np.log10(np.abs(np.where(loss == 0, 1, loss))))
        scale = 10.0 ** np.nan_to_num(digits)
        rounded = np.where(np.isfinite(scale), np.round(loss * scale) / scale, loss)
    failed = table["status"].isin(FAILURES) & (table["n_scored"] == 0)
    ranked = ranked & ~table["imputer"].isin(SEES_TRUTH)
    scored = table.assign(scored=np.isfinite(rounded) & ranked).groupby(SCORE)["scored"]
    # Last place means something only where somebody else has a place.
    failed = failed & scored.transform("any") & (direction != 0)
    rounded = np.where(ranked, np.where(failed, np.inf, rounded), np.nan)
    return table.assign(loss=rounded).groupby(SCORE)["loss"].rank(method="average")


def _skill(
    table: pd.DataFrame,
    loss: np.ndarray,
    ideal: np.ndarray,
    is_control: np.ndarray,
    is_cost: np.ndarray,
    direction: np.ndarray,
) -> pd.DataFrame:
    """Skill = (control - score) / (control - top), all oriented so that smaller is better.

    Undefined for cost, without a control, where the best possible value is infinite and no oracle
    ran, and where the best control is as good as the top: within rounding, or within one standard
    deviation over seeds of the difference of the two.
    """
    work = table[SCORE].assign(loss=loss, sd=table["sd"].fillna(0), imputer=table["imputer"])
    oracle = work[(work["imputer"] == ORACLE) & np.isfinite(loss)].set_index(SCORE)
    eligible = work[is_control & ~work["imputer"].isin(SEES_TRUTH) & np.isfinite(loss)]
    control = eligible.loc[eligible.groupby(SCORE)["loss"].idxmin()].set_index(SCORE)
    keys = pd.MultiIndex.from_frame(table[SCORE])
    floor = control["loss"].reindex(keys).to_numpy()
    oracle_loss = oracle["loss"].reindex(keys).to_numpy()
    has_oracle = np.isfinite(oracle_loss)
    top = np.where(has_oracle, oracle_loss, np.where(np.isfinite(ideal), ideal, np.nan))
    noise = np.hypot(
        control["sd"].reindex(keys).to_numpy(),
        np.nan_to_num(oracle["sd"].reindex(keys).to_numpy()),
    )
    gap = floor - top
    tiny = np.maximum(1e-9, 1e-6 * (np.abs(floor) + np.abs(top)))
    defined = (gap > np.maximum(tiny, noise)) & ~is_cost
    with np.errstate(all="ignore"):
        skill = np.where(defined, (floor - loss) / gap, np.nan)
    return pd.DataFrame(
        {
            "skill": skill,
            "control": control["imputer"].reindex(keys).to_numpy(),
            "top": np.where(is_cost, np.nan, top * direction),
            "basis": np.where(has_oracle, "oracle", np.where(np.isfinite(top), "ideal", "none")),
        },
        index=table.index,
    )


def _empty() -> pd.DataFrame:
    columns = [*CELL, "metric", "mean", "sd", "n_scored", "n_jobs", "status", "reason", "rank"]
    return pd.DataFrame(columns=[*columns, "best", "skill", "control", "top", "basis"])
