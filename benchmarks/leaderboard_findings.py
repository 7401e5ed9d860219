"""Answer, from the records of a leaderboard, questions that are rarely asked of one.

    python benchmarks/leaderboard_findings.py reports/leaderboard/leaderboard [--figures DIR]

Prints one section of Markdown for each: simulated against real data, masking against other
questions, accuracy against false signal, methods against their formula control, UMI against full
length, and how many data sets and seeds an order needs. docs/findings.md says what they mean.

A method's *place* on a question (one data set, one protocol) is its rank on the protocol's leading
metric among the methods asked there, from 0, the best, to 1; who failed is last. An order of
methods is that of their mean places. Intervals are 95 % percentiles over data sets drawn again
with replacement.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import rankdata, spearmanr

from impbench.data.catalogue import cards
from impbench.report.analysis.purposes import without_repeats
from impbench.report.analysis.run import Run, make_run
from impbench.report.analysis.tables import gain, summarise
from impbench.results.store import Store

DRAWS = 1000
FEWEST = 8
"""Methods from which a rank correlation is shown."""


def main(folder: Path, figures: Path | None) -> None:
    """Print every section."""
    run = make_run(Store.open(folder).read())
    summary = summarise(run)
    places = places_of(run, summary)
    n_methods, n_sets = places["imputer"].nunique(), places["dataset"].nunique()
    print(f"{n_methods} methods, {n_sets} data sets, {len(run.problems)} questions.\n")
    voted = without_repeats(places)
    simulated_or_real(voted)
    masking_or_others(places)
    everybody(run, summary)
    accuracy_or_false_signal(places, figures)
    against_formula(run, places)
    technologies(voted)
    sets_needed(voted, figures)
    seeds_needed(run)


def places_of(run: Run, summary: pd.DataFrame, controls: bool = False) -> pd.DataFrame:
    """Return one row per question and method: its place, from 0, the best, to 1.

    Columns: dataset, protocol, imputer, purpose, metric, counted, rank, place, scope, technology.
    With `controls`, those take places too. Methods with parameters of their own do not.
    """
    rows = leading(run, summary)
    # A method in two forms would count twice in every order.
    names = [name for name in run.methods if "[" not in name]
    names += run.controls if controls else []
    rows = rows[rows["imputer"].isin(names)].copy()
    groups = rows.groupby(["dataset", "protocol"])["rank"]
    rows["place"] = (groups.rank() - 1) / (groups.transform("count") - 1).clip(lower=1)
    kept = ["dataset", "protocol", "imputer", "purpose", "metric", "counted", "rank", "place"]
    return rows[[*kept, "scope", "technology"]].reset_index(drop=True)


def leading(run: Run, summary: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of every protocol's leading metric that have a rank.

    Besides their columns: purpose, scope (simulated or real) and technology.
    """
    leads = {protocol: run.lead_metric(protocol) for protocol in run.protocols}
    rows = summary[(summary["metric"] == summary["protocol"].map(leads)) & summary["rank"].notna()]
    return rows.assign(
        purpose=rows["protocol"].map(run.purpose),
        scope=rows["dataset"].map(run.scope),
        technology=rows["dataset"].map(technology),
    )


def technology(dataset: str) -> str:
    """Return what the card of a data set says of how molecules were counted."""
    card = cards().get(dataset.partition("[")[0])
    return "simulated" if card is None else card.technology


def agreement(a: pd.Series, b: pd.Series) -> float:
    """Return Spearman's correlation of two orders, over the methods that are in both."""
    both = pd.concat([a, b], axis=1, join="inner").dropna()
    if len(both) < FEWEST or both.nunique().min() < 2:
        return float("nan")
    return float(spearmanr(both.iloc[:, 0], both.iloc[:, 1]).statistic)


def mean_of_known(values: Iterable[float]) -> float:
    """Return the mean of those that are defined; NaN where none is."""
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def redrawn(datasets: Iterable[str], of: Callable[[list[str]], float]) -> tuple[float, float]:
    """Return the interval of a number over data sets that are drawn again."""
    rng = np.random.default_rng(1)
    names = sorted(datasets)
    found = [of(list(rng.choice(names, len(names)))) for _ in range(DRAWS)]
    low, high = np.nanpercentile(found, [2.5, 97.5])
    return float(low), float(high)


def _means_over(rows: pd.DataFrame, names: list[str]) -> pd.Series:
    """Mean places over data sets, each as often as it is named."""
    table = rows.groupby(["imputer", "dataset"])["place"].mean().unstack()
    return table[names].dropna().mean(axis=1)


def simulated_or_real(places: pd.DataFrame) -> None:
    """Say whether methods that win on simulated data win on real data."""
    print("## Simulated and real data\n")
    print("| purpose | simulated sets | real sets | methods | rank correlation | 95 % |")
    print("|---|---:|---:|---:|---:|---|")
    for purpose, rows in places.groupby("purpose", sort=False):
        real, drawn = rows[rows["scope"] == "real"], rows[rows["scope"] == "simulated"]
        if real.empty or drawn.empty:
            continue
        order = drawn.groupby("imputer")["place"].mean()
        found = agreement(order, real.groupby("imputer")["place"].mean())
        if np.isnan(found):
            continue
        low, high = redrawn(
            real["dataset"].unique(),
            lambda names, rows=real, order=order: agreement(order, _means_over(rows, names)),
        )
        n = len(set(order.index) & set(real["imputer"]))
        print(
            f"| {purpose} | {drawn['dataset'].nunique()} | {real['dataset'].nunique()} | {n} "
            f"| {found:.2f} | {low:.2f} to {high:.2f} |"
        )
    print()


def _within(places: pd.DataFrame, one: str, other: str) -> pd.Series:
    """Return the rank correlation of two protocols on each data set that was asked both."""
    found = {}
    for dataset, rows in places.groupby("dataset", sort=False):
        named = {name: part.set_index("imputer") for name, part in rows.groupby("protocol")}
        if one in named and other in named:
            found[dataset] = agreement(named[one]["place"], named[other]["place"])
    return pd.Series(found, dtype=float).dropna()


def _pairs(places: pd.DataFrame, one: str, others: Iterable[str]) -> None:
    print(f"| {one} against | data sets | mean rank correlation | 95 % | lowest, highest |")
    print("|---|---:|---:|---|---|")
    for other in others:
        each = _within(places, one, other)
        if len(each) < 2:
            continue
        low, high = redrawn(each.index, lambda names, each=each: float(each[names].mean()))
        print(
            f"| {other} | {len(each)} | {each.mean():.2f} | {low:.2f} to {high:.2f} "
            f"| {each.min():.2f}, {each.max():.2f} |"
        )
    print()


def masking_or_others(places: pd.DataFrame) -> None:
    """Say whether masking ranks methods as other questions about the same cells do."""
    print("## Masking, and what else can be asked of the same cells\n")
    others = [p for p in places["protocol"].unique() if p != "masking"]
    _pairs(places, "masking", others)


def everybody(run: Run, summary: pd.DataFrame) -> None:
    """Print the mean place of everybody, controls too, where three real sets or more were asked.

    Of five methods at least: two that give a standard deviation have no order among others.
    """
    print("## Places under single questions, real data\n")
    places = places_of(run, summary, controls=True)
    real = places[places["scope"] == "real"]
    by_protocol = real.groupby("protocol", sort=False)
    asked, methods = by_protocol["dataset"].nunique(), by_protocol["imputer"].nunique()
    protocols = [
        name for name in asked.index if asked[name] >= 3 and methods[name] >= 5 and "[" not in name
    ]
    if not protocols:
        return
    table = real.pivot_table(index="imputer", columns="protocol", values="place")[protocols]
    table = table.dropna(how="all")
    table = table.sort_values("masking" if "masking" in protocols else protocols[0])
    print(f"| | {' | '.join(f'{name}, {asked[name]} sets' for name in protocols)} |")
    print(f"|---|{'---:|' * len(protocols)}")
    for name, row in table.iterrows():
        shown = f"{name} (control)" if name in run.controls else f"`{name}`"
        cells = ["" if np.isnan(value) else f"{value:.2f}" for value in row]
        print(f"| {shown} | {' | '.join(cells)} |")
    print()


def accuracy_or_false_signal(places: pd.DataFrame, figures: Path | None) -> None:
    """Say whether methods that predict well make up signal."""
    print("## Accuracy and false signal\n")
    others = [p for p in places["protocol"].unique() if p != "false-signal"]
    _pairs(places, "false-signal", others)
    if figures is None:
        return
    table = places.pivot_table(index="imputer", columns="protocol", values="place")
    if not {"thinning", "false-signal"} <= set(table.columns):
        return
    from matplotlib.figure import Figure

    drawn = table[["thinning", "false-signal"]].dropna()
    figure = Figure(figsize=(8, 6), layout="constrained")
    axes = figure.subplots()
    axes.scatter(drawn["thinning"], drawn["false-signal"], s=14)
    for name, row in drawn.iterrows():
        # Names on the right stand to the left of their points, inside the frame.
        side, shift = ("right", -4) if row["thinning"] > 0.7 else ("left", 4)
        axes.annotate(
            str(name),
            tuple(row),
            xytext=(shift, 4),
            textcoords="offset points",
            fontsize=7,
            ha=side,
        )
    axes.set(
        xlabel="mean place under thinning (0: predicts best)",
        ylabel="mean place under false signal (0: makes up least)",
    )
    figure.savefig(figures / "accuracy-false-signal.png", dpi=150)


def against_formula(run: Run, places: pd.DataFrame) -> None:
    """Say whether any method beats the formula control on real data."""
    formula = run.formula
    if formula is None:
        return
    print(f"## Against {formula}, a formula without a network, on real data\n")
    real = places[places["scope"] == "real"]
    real = real[[not run.protocols or _has(run, row, formula) for row in real.itertuples()]]
    verdicts = [
        gain(run, row.dataset, row.protocol, row.metric, row.imputer, formula)
        for row in real.itertuples()
    ]
    better = [(won > 0) if said is None else said == "better" for won, said in verdicts]
    real = real.assign(better=better)
    print("| protocol | questions | methods better on most | the best of these, better on |")
    print("|---|---:|---:|---|")
    for protocol, rows in real.groupby("protocol", sort=False):
        share = rows.groupby("imputer")["better"].agg(["mean", "sum", "count"])
        asked = rows["dataset"].nunique()
        share = share[share["count"] == asked].sort_values("mean", ascending=False)
        most = int((share["mean"] > 0.5).sum())
        best = ", ".join(f"{name} {row['sum']:.0f}" for name, row in share.head(3).iterrows())
        print(f"| {protocol} | {asked} | {most} of {len(share)} | {best} |")
    print()


def _has(run: Run, row: object, imputer: str) -> bool:
    return (row.dataset, row.protocol, row.metric, imputer) in run.counted_by_seed  # type: ignore[attr-defined]


def technologies(places: pd.DataFrame) -> None:
    """Say whether UMI and full-length data want different methods."""
    print("## UMI and full-length data\n")
    print(
        "| purpose | UMI sets | full-length sets | rank correlation | of halves of the UMI sets |"
    )
    print("|---|---:|---:|---:|---:|")
    for purpose, rows in places.groupby("purpose", sort=False):
        umi, full = (rows[rows["technology"] == name] for name in ("umi", "full-length"))
        if umi["dataset"].nunique() < 2 or full["dataset"].nunique() < 2:
            continue
        found = agreement(
            umi.groupby("imputer")["place"].mean(), full.groupby("imputer")["place"].mean()
        )
        if np.isnan(found):
            continue
        size = min(umi["dataset"].nunique() // 2, full["dataset"].nunique())
        within = mean_of_known(_halves(umi, size))
        print(
            f"| {purpose} | {umi['dataset'].nunique()} | {full['dataset'].nunique()} "
            f"| {found:.2f} | {within:.2f} ({size} sets each) |"
        )
    print()


def _halves(rows: pd.DataFrame, size: int) -> list[float]:
    """Return how two orders agree that rest on `size` data sets each, none in both."""
    rng = np.random.default_rng(1)
    names = sorted(rows["dataset"].unique())
    table = rows.groupby(["imputer", "dataset"])["place"].mean().unstack()[names].dropna()
    found = []
    for _ in range(200):
        drawn = rng.permutation(len(names))
        a, b = (table.iloc[:, part].mean(axis=1) for part in (drawn[:size], drawn[size : 2 * size]))
        found.append(agreement(a, b))
    return found


def sets_needed(places: pd.DataFrame, figures: Path | None) -> None:
    """Say how many data sets an order needs before it stops moving."""
    print("## How many data sets an order needs\n")
    print("Rank correlation of two orders, each of so many real data sets, none in both:\n")
    curves = {}
    for purpose, rows in places[places["scope"] == "real"].groupby("purpose", sort=False):
        n = rows["dataset"].nunique()
        if n < 4:
            continue
        curve = {size: mean_of_known(_halves(rows, size)) for size in range(1, n // 2 + 1)}
        if not np.isnan(curve[1]):  # as where two methods alone were asked
            curves[purpose] = curve
    sizes = sorted({size for curve in curves.values() for size in curve})
    print(f"| purpose | {' | '.join(map(str, sizes))} |")
    print(f"|---|{'---:|' * len(sizes)}")
    for purpose, curve in curves.items():
        cells = [
            "" if np.isnan(curve.get(size, np.nan)) else f"{curve[size]:.2f}" for size in sizes
        ]
        print(f"| {purpose} | {' | '.join(cells)} |")
    print()
    if figures is None or not curves:
        return
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for purpose, curve in curves.items():
        axes.plot(list(curve), list(curve.values()), marker="o", markersize=3, label=purpose)
    axes.set(xlabel="data sets in each order", ylabel="rank correlation of two orders", ylim=(0, 1))
    axes.set_xticks(sizes)
    axes.legend(fontsize=7)
    figure.savefig(figures / "sets-needed.png", dpi=150)


def seeds_needed(run: Run) -> None:
    """Say how far the orders of single seeds differ."""
    print("## How many seeds an order needs\n")
    leads = {protocol: run.lead_metric(protocol) for protocol in run.protocols}
    found: dict[str, list[float]] = {}
    wanted: dict[tuple[str, str], dict[str, np.ndarray]] = {}
    for (dataset, protocol, metric, imputer), values in run.counted_by_seed.items():
        if metric == leads[protocol] and imputer in run.methods and np.isfinite(values).all():
            loss = values * run.metrics[metric].direction
            wanted.setdefault((dataset, protocol), {})[imputer] = loss
    for (_, protocol), losses in wanted.items():
        table = np.array([loss for loss in losses.values() if len(loss) > 1])
        if len(table) >= FEWEST:
            ranks = rankdata(table, axis=0)
            # Where a seed leaves everybody on the same place there is no order.
            each = [
                spearmanr(a, b).statistic for a, b in pairwise(ranks.T) if np.ptp(a) * np.ptp(b)
            ]
            if each:
                found.setdefault(run.purpose(protocol), []).append(float(np.mean(each)))
    print("| purpose | questions | rank correlation of two seeds, mean | lowest |")
    print("|---|---:|---:|---:|")
    for purpose, values in found.items():
        print(f"| {purpose} | {len(values)} | {np.mean(values):.2f} | {min(values):.2f} |")
    print()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--figures", type=Path)
    options = parser.parse_args()
    main(options.run, options.figures)
