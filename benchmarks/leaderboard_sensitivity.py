"""Say whether the order of methods survives other choices than the leaderboard's.

    cd reports/leaderboard
    python ../../benchmarks/leaderboard_sensitivity.py leaderboard --choices sensitivity

One set of data left out; k-means or Leiden; another scale than log2; 500, 1 000 or 2 000 genes;
another metric of the same protocol. Orders are those of mean places (`leaderboard_findings`), of
methods alone.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from leaderboard_findings import agreement, places_of

from impbench.report.analysis.purposes import without_repeats
from impbench.report.analysis.run import Run, make_run
from impbench.report.analysis.tables import summarise
from impbench.results.store import Store


def main(folder: Path, choices: Path | None) -> None:
    """Print a section for each choice."""
    run = make_run(Store.open(folder).read())
    summary = summarise(run)
    places = places_of(run, summary)
    one_left_out(without_repeats(places))
    other_clusters(places)
    if choices is not None:
        other = make_run(Store.open(choices).read())
        chosen = places_of(other, summarise(other))
        other_scales(places, chosen[chosen["protocol"] != "clustering"])
        other_genes(places, chosen[chosen["protocol"] == "clustering"])
    other_metric(run, summary)


def order_of(rows: pd.DataFrame) -> pd.Series:
    """Return the mean place of every method that was asked of all data sets in `rows`."""
    table = rows.pivot_table(index="imputer", columns="dataset", values="place")
    return table.dropna().mean(axis=1)


def one_left_out(places: pd.DataFrame) -> None:
    """Leave out each data set in turn."""
    print("## One data set left out\n")
    print("| purpose, real data | sets | lowest rank correlation | without | first, and then |")
    print("|---|---:|---:|---|---|")
    for purpose, rows in places[places["scope"] == "real"].groupby("purpose", sort=False):
        names = list(rows["dataset"].unique())
        if len(names) < 3:
            continue
        whole = order_of(rows)
        left = {name: order_of(rows[rows["dataset"] != name]) for name in names}
        found = {name: agreement(whole, order) for name, order in left.items()}
        if np.isnan(list(found.values())).all():
            continue
        least = min(found, key=lambda name: found[name])
        first = {str(order.idxmin()): None for order in (whole, *left.values())}
        print(
            f"| {purpose} | {len(names)} | {found[least]:.2f} | {least} | {', then '.join(first)} |"
        )
    print()


def other_clusters(places: pd.DataFrame) -> None:
    """Cluster with Leiden's method instead of k-means."""
    leiden = places[places["protocol"] == "clustering[algorithm=leiden]"]
    same = places["dataset"].isin(leiden["dataset"].unique())
    kmeans = places[(places["protocol"] == "clustering") & same]
    print("## k-means or Leiden\n")
    print(f"{leiden['dataset'].nunique()} real sets: rank correlation of the two orders "
          f"{agreement(order_of(kmeans), order_of(leiden)):.2f}.\n")  # fmt: skip


def other_scales(places: pd.DataFrame, scales: pd.DataFrame) -> None:
    """Cluster on another scale than log2."""
    print("## Another normalisation\n")
    print("| scale | real sets | rank correlation with log2 | first by log2 | first by it |")
    print("|---|---:|---:|---|---|")
    for protocol, rows in scales.groupby("protocol", sort=False):
        print(f"| {protocol} | {beside_usual(places, rows)} |")
    print()


def other_genes(places: pd.DataFrame, chosen: pd.DataFrame) -> None:
    """Keep fewer or more genes than 1 000."""
    print("## Fewer or more genes\n")
    print(
        "| genes | real sets | rank correlation with 1 000 | first with 1 000 | first with these |"
    )
    print("|---:|---:|---:|---|---|")
    named = chosen["dataset"].str.extract(r"^(?P<dataset>.*)\[genes=(?P<genes>\d+)\]$")
    for n_genes, rows in chosen.assign(**named).astype({"genes": int}).groupby("genes"):
        print(f"| {n_genes} | {beside_usual(places, rows)} |")
    print()


def beside_usual(places: pd.DataFrame, rows: pd.DataFrame) -> str:
    """Return cells of a table: data sets, agreement with the usual order, and who comes first."""
    asked = places["dataset"].isin(rows["dataset"].unique())
    usual = order_of(places[(places["protocol"] == "clustering") & asked])
    other = order_of(rows)
    usual = usual[usual.index.isin(other.index)]
    first = (", ".join(order.nsmallest(3).index) for order in (usual, other))
    found = agreement(usual, other)
    return f"{rows['dataset'].nunique()} | {found:.2f} | {' | '.join(first)}"


def other_metric(run: Run, summary: pd.DataFrame) -> None:
    """Rank by another metric of the same protocol."""
    print("## Another metric of the same protocol\n")
    print("| protocol | leads with | rank correlation with the order by the others |")
    print("|---|---|---|")
    rows = summary[summary["imputer"].isin(run.methods) & summary["rank"].notna()]
    rows = rows[rows["dataset"].map(run.scope) == "real"]
    for protocol in run.protocols:
        lead = run.lead_metric(protocol)
        orders = {
            metric: part.groupby("imputer")["rank"].mean()
            for metric, part in rows[rows["protocol"] == protocol].groupby("metric", sort=False)
            if run.metrics[metric].direction and not run.metrics[metric].is_cost
        }
        if lead not in orders:
            continue
        others = [
            f"{metric} {value:.2f}"
            for metric, order in orders.items()
            if metric != lead and not np.isnan(value := agreement(orders[lead], order))
        ]
        if others:
            print(f"| {protocol} | {lead} | {', '.join(others)} |")
    print()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--choices", type=Path, help="the run of the suite leaderboard-sensitivity")
    arguments = parser.parse_args()
    main(arguments.run, arguments.choices)
